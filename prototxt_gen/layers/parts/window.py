"""Kernel, stride, pad and dilation, in Caffe's spellings.

Once read, each is a tuple: one value for all spatial axes, or one for each.
"""

from __future__ import annotations

from collections.abc import Iterator

from prototxt_gen._words import plural
from prototxt_gen.document import Block
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.parts.facets import Problem
from prototxt_gen.layers.parts.shapes import MAX_COUNT, Dim

Window = tuple[int, ...]
Counts = tuple[tuple[str, int], ...]  #: a field, and how many values were given

#: The spelling for all axes, and those for height and width.
SPELLINGS: dict[str, tuple[str, ...]] = {
    "kernel_size": ("kernel_h", "kernel_w"),
    "stride": ("stride_h", "stride_w"),
    "pad": ("pad_h", "pad_w"),
}
#: Each field's other spellings, which of those written there is to be pointed at.
OTHER_SPELLINGS: dict[str, tuple[str, ...]] = {
    **SPELLINGS,
    **{one: (name,) for name, pair in SPELLINGS.items() for one in pair},
    "axis": ("concat_dim", "slice_dim"),
    "shape": ("num", "channels", "height", "width"),
}
_PAIRED = frozenset(name for pair in SPELLINGS.values() for name in pair)
ALL_SPELLINGS = _PAIRED | SPELLINGS.keys()


def read_window(params: Block, name: str, default: Window = ()) -> Window:
    """The values of a window; if both spellings are given, those of height and width."""
    pair = SPELLINGS.get(name, ())
    if pair and (params.has(pair[0]) or params.has(pair[1])):
        return collapse(tuple(params.get(one, int, 0) for one in pair))
    return collapse(params.get_list(name, int)) or default


def both_spellings(params: Block) -> tuple[str, ...]:
    """The windows that are given in both spellings, which Caffe refuses."""
    if _PAIRED.isdisjoint([field.name for field in params]):
        return ()
    return tuple(
        name
        for name, pair in SPELLINGS.items()
        if params.has(name) and any(params.has(one) for one in pair)
    )


def counted(params: Block) -> Counts:
    """How many values each window was given, if more than one."""
    names = [field.name for field in params]
    if len(set(names)) == len(names) and _PAIRED.isdisjoint(names):
        return ()
    found = []
    for name in (*SPELLINGS, "dilation"):
        pair = next((one for one in SPELLINGS.get(name, ()) if params.has(one)), None)
        number = 2 if pair else len(params.all(name))
        if number > 1:
            found.append((pair or name, number))
    return tuple(found)


def need_counts(counts: Counts, axes: int) -> None:
    """Refuse a window whose number of values differs from the number of axes.

    Equal values count separately, and height and width are two values (base_conv_layer.cpp).
    """
    for name, number in counts:
        if number != axes:
            pair = next((f"{' and '.join(p)}" for p in SPELLINGS.values() if name in p), None)
            found = f"{pair} are given" if pair else f"{name} has {plural(number, 'value')}"
            least = "1" if axes == 1 else f"1 or {axes}"
            wanted = "2 spatial axes only" if pair else least
            raise ShapeError(
                f"{found} for {plural(axes, 'spatial axis')}; expected {wanted}",
                rule="window-axes",
                field=name,
            )


def write_window(block: Block, name: str, values: Window) -> None:
    """Write a window in its shortest form."""
    if len(values) == 2 and name in SPELLINGS:
        for spelling, value in zip(SPELLINGS[name], values, strict=True):
            block.add(spelling, value)
    else:
        block.add(name, values)


def collapse(values: Window) -> Window:
    """One value if all are equal."""
    return values[:1] if len(set(values)) == 1 else values


def expand(values: Window, axes: int, name: str) -> Window:
    """One value for each spatial axis; raises ShapeError for any other number of values."""
    if len(values) == 1:
        return values * axes
    if len(values) != axes:
        raise ShapeError(
            f"{name} has {plural(len(values), 'value')} for {plural(axes, 'spatial axis')}; "
            f"expected {axes if axes == 1 else f'1 or {axes}'}",
            rule="window-axes",
            field=name,
        )
    return values


def window_problems(
    kernel: Window,
    stride: Window,
    conflicts: tuple[str, ...],
    pad: Window = (),
    dilation: Window = (),
) -> Iterator[Problem]:
    """What is wrong with a window whatever the size of the bottom."""
    for name in conflicts:
        pair = " and ".join(SPELLINGS[name])
        yield Problem("window-spelling", f"has both {name} and {pair}; expected one form", name)
    if not kernel:
        yield Problem("kernel-missing", "has no kernel_size; expected it, or kernel_h and kernel_w")
    for name, values in (("kernel_size", kernel), ("stride", stride)):
        if 0 in values and name not in conflicts:
            at = values.index(0)
            yield Problem(
                "window-zero",
                f"{name} is 0; expected at least 1",
                spelling(name, values, at),
                which=at,
            )
    for name, values in (
        ("kernel_size", kernel),
        ("stride", stride),
        ("pad", pad),
        ("dilation", dilation),
    ):
        for at, value in enumerate(values):
            if value > MAX_COUNT:
                yield Problem(
                    "int-overflow", overflow(name, value), spelling(name, values, at), which=at
                )


def overflow(name: str, value: int) -> str:
    """The message for a number that Caffe reads as unsigned, and keeps in an int."""
    return f"{name} is {value}, more than an int of Caffe's holds; expected at most {MAX_COUNT}"


def spelling(name: str, values: Window, index: int) -> str:
    """The spelling of one of the values, if there are two of them."""
    return SPELLINGS[name][index] if len(values) == 2 and name in SPELLINGS else name


def too_large(size: Dim, kernel: int, pad: int) -> ShapeError:
    """The error for a bottom into which no window fits."""
    return ShapeError(
        f"a window of {kernel} does not fit into {size} with a pad of {pad} on both sides",
        rule="window-too-large",
        field="kernel_size",
    )
