"""Which weights belong to which net, among many files: a plan that a person can read and edit.

Contents decide: the layers of a caffemodel have the names and shapes of the net's. Names only
order what fits.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from prototxt_gen._words import plural
from prototxt_gen.fleet import stores
from prototxt_gen.fleet.looks import WEIGHTS, Look, headers, look, text_of
from prototxt_gen.fleet.match import Found, Library, borrowed, chosen, deploy_of
from prototxt_gen.fleet.near import FAR, Near, below
from prototxt_gen.graph.phase import State
from prototxt_gen.layers.parts.shapes import Shape

Snapshots = Literal["latest", "all"]
_AT_ONCE = 16  #: files of a store that are fetched at once
_AHEAD = 256  #: texts that are in memory at once
#: How weights are looked for: by name or by contents alone, also such as are taken, how far.
_TURNS = (
    *((True, False, tier) for tier in range(FAR + 1)),
    *((False, False, tier) for tier in range(FAR)),
    *((False, True, tier) for tier in range(2)),
)


@dataclass(frozen=True, slots=True)
class Item:
    """A model to be: its net and weights, the words of its own options, and ``why`` these."""

    name: str
    net: str
    weights: str | None = None
    options: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """A file that is left out, and why; a ``failure`` is one that a person has to see to."""

    path: str
    why: str
    failure: bool = False
    text: bool = True  #: whether it is a prototxt, which can be validated


@dataclass(frozen=True)
class Plan:
    """What is to be made, and what is left out, both by name."""

    items: tuple[Item, ...] = ()
    left: tuple[Left, ...] = ()


@dataclass
class _Making:
    """A plan in the making: the nets, the weights, and what was decided."""

    root: str
    snapshots: Snapshots
    init: bool
    nets: list[Look]
    library: Library
    items: list[Item] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def plan(
    root: str,
    *,
    but: str | None = None,
    snapshots: Snapshots = "latest",
    init: bool = False,
    state: State | None = None,
    dialect: str | None = None,
) -> Plan:
    """The plan of a folder or a URL, without what is below ``but``.

    With ``init``, nets without weights are in it: their weights will be made. Raises OSError.
    """
    paths = [path for path, _ in stores.files_below(root) if not (but and _inside(path, but, root))]
    texts = [path for path in paths if path.endswith(".prototxt")]
    models = [path for path in paths if path.endswith(WEIGHTS)]
    library = Library(models, headers)
    looks = []
    for path, text in _read(texts):
        looks.append(look(path, text, state, dialect))
        library.try_near(looks[-1])
    nets = [one for one in looks if not one.other]
    made = _Making(root, snapshots, init, nets, library)
    made.left += [Left(one.path, f"it is {one.other}") for one in looks if one.other]
    _pair(made)
    _rest(made)
    items = tuple(sorted(_named(made.items), key=lambda item: item.name))
    return Plan(items, tuple(sorted(made.left, key=lambda one: one.path)))


def _read(paths: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
    """Each text with its bytes; of a store some are fetched at once."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for start in range(0, len(paths), _AHEAD):
            some = paths[start : start + _AHEAD]
            far = any(map(stores.is_url, some))
            yield from zip(
                some, pool.map(text_of, some) if far else map(text_of, some), strict=True
            )


def _inside(path: str, out: str, root: str) -> bool:
    """Whether a file is of the output, which may be below the source."""
    return out != root and below(path, out)


def _pair(made: _Making) -> None:
    """Decide on each net: those with weights of their name first, which are then theirs."""
    deploys = {net.path: net for net in made.nets if net.graph and not net.training}
    near = Near(deploys)
    waiting: list[tuple[Look, dict[str, Shape], Look | None]] = []
    for net in made.nets:
        if net.broken:
            made.items.append(Item(_name(made.root, net.path), net.path, None, (), "no sound net"))
        elif net.training and (own := deploy_of(net, near, deploys)):
            made.left.append(Left(net.path, f"the training net of {_short(made, own.path)}"))
        elif net.graph is None:
            made.left.append(Left(net.path, "a training net, with no layer in this phase"))
        else:
            waiting.append((net, *borrowed(net, near, deploys)))
    for own_name, again, tier in _TURNS:
        found = [
            made.library.of(net, shapes, tier, own_name=own_name, again=again)
            for net, shapes, _ in waiting
        ]
        for one, fits in zip(waiting, found, strict=True):
            if fits:
                _take(made, *one, fits)
        waiting = [one for one, fits in zip(waiting, found, strict=True) if not fits]
        made.library.forget_used()
    for net, _, _ in waiting:
        _without(made, net)


def _take(
    made: _Making, net: Look, shapes: dict[str, Shape], lender: Look | None, found: Sequence[Found]
) -> None:
    """An item for each of the weights that fit, of snapshots for the latest."""
    options: tuple[str, ...] = ()
    lent = ""
    if net.training and shapes and lender is not None:
        options = tuple(
            w for name, dims in shapes.items() for w in ("--input-shape", _sh(name, dims))
        )
        lent = f"; a training net, its input as in {_short(made, lender.path)}"
    elif net.training and not net.sized:
        why = "a training net: the shape of its input is in no deploy net beside it"
        made.left.append(Left(net.path, why))
        return
    kept, older = chosen(found, made.snapshots)
    base = _name(made.root, net.path)
    for one in kept:
        tail = posixpath.basename(one.path).split(".caffemodel")[0]
        name = base if len(kept) == 1 else f"{base}.{tail}"
        fit = f"{plural(one.layers, 'layer')} fit{'s' * (one.layers == 1)}"
        why = f"{one.how}; {fit if one.layers else 'not looked into'}{lent}"
        made.items.append(Item(name, net.path, one.path, options, why))
    for one in older:
        newest = _short(made, kept[0].path)
        made.library.used.add(one.path)
        made.left.append(Left(one.path, f"an older snapshot than {newest}", text=False))
    made.library.used.update(one.path for one in kept)


def _without(made: _Making, net: Look) -> None:
    """What becomes of a net that no weights fit."""
    name = _name(made.root, net.path)
    if net.training:
        made.left.append(Left(net.path, "a training net without weights"))
    elif net.bare:
        made.items.append(Item(name, net.path, None, (), "no layer has weights"))
    elif made.init:
        made.items.append(Item(name, net.path, None, (), "no weights: they are made"))
    else:
        why = made.library.nearest(net) or "no caffemodel near it"
        made.left.append(Left(net.path, f"no weights: {why}", failure=True))


def _rest(made: _Making) -> None:
    """The weights that no net took: alone, they may hold their net."""
    busy = {posixpath.dirname(net.path) for net in made.nets}
    sound = {net.path: net for net in made.nets if net.graph and not net.training}
    near = Near(sound)
    for path in made.library.files:
        if path in made.library.used:
            continue
        other = made.library.fitting(path, near, sound)
        if other is not None:
            why = f"it fits {_short(made, other.path)}, which has weights that are nearer"
            made.left.append(Left(path, why, text=False))
        elif posixpath.dirname(path) not in busy and path.endswith(".caffemodel"):
            made.items.append(Item(_name(made.root, path), path, None, (), "the net in it"))
        else:
            held = made.library.held(path)
            why = held if isinstance(held, str) else "no net near it fits"
            made.left.append(Left(path, why, text=False))


def _sh(name: str, dims: Shape) -> str:
    return f"{name}={','.join(str(dim or 1) for dim in dims)}"


def _short(made: _Making, path: str) -> str:
    return path[len(made.root) :].lstrip("/") if below(path, made.root) else path


def _name(root: str, path: str) -> str:
    """The name of a model: the path of its net below the root, without the suffix."""
    inner = path[len(root) :].lstrip("/") if below(path, root) else posixpath.basename(path)
    for suffix in (".prototxt", *reversed(WEIGHTS)):
        inner = inner.removesuffix(suffix)
    return inner


def _named(items: list[Item]) -> Iterable[Item]:
    """The items, each with a name of its own."""
    taken: set[str] = set()
    for item in sorted(items, key=lambda one: (one.net, one.weights or "")):
        name, turn = item.name, 2
        while name in taken:
            name, turn = f"{item.name}.{turn}", turn + 1
        taken.add(name)
        yield Item(name, item.net, item.weights, item.options, item.why)


def with_texts(made: Plan, root: str) -> Plan:
    """The plan with each prototxt that it leaves out as an item of its own, to be validated."""
    texts = [Item(_name(root, one.path), one.path) for one in made.left if one.text]
    items = tuple(sorted(_named([*made.items, *texts]), key=lambda item: item.name))
    return Plan(items, tuple(one for one in made.left if not one.text))
