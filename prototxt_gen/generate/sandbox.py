"""Where templates run: they see the net, and files of their folder; steps are counted.

Templates come from other people. Of our objects a template reaches what its documentation
names and nothing else; of Python's own it reaches what Jinja2's sandbox lets through, which
changes nothing. It loads templates of its folder and the shipped ones. Loops, calls and includes
are counted, and numbers and repeated texts do not grow without a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import nodes, pass_environment
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from prototxt_gen._limits import HINT, at_most
from prototxt_gen._resources import data_dir
from prototxt_gen.errors import TemplateError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

LARGEST_TEMPLATE = 1 << 20  #: bytes of one file
MOST_STEPS, STEPS_A_LAYER = 1_000_000, 1_000
LONGEST_REPEATED = 1_000_000  #: characters or items that ``*`` makes
_LONGEST_NUMBER = 1 << 16  #: bits that ``*`` and ``**`` make
_COUNTED = " counted"  #: the name of a filter; no template can write a space in one


class _Counting(CodeGenerator):
    """The usual code, but that each loop asks for its steps first."""

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:
        """The template; each of its loops runs over what a filter lets through."""
        for loop in list(node.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, _COUNTED, [], [], None, None)
        super().visit_Template(node, frame)


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """An environment for one run of templates over a net of so many layers.

    ``shown`` are the attributes of our own types that a template may see. ``shipped`` is where
    the templates of a shipped set are.
    """

    code_generator_class = _Counting
    intercepted_binops = frozenset(("*", "**"))

    def __init__(
        self,
        folder: Path | None,
        shown: Mapping[type, Iterable[str]],
        filters: Mapping[str, Callable[..., Any]],
        layers: int = 0,
        shipped: Traversable | None = None,
    ) -> None:
        places = [data_dir("templates")] if shipped is None else [shipped, data_dir("templates")]
        super().__init__(
            loader=jinja2.FunctionLoader(lambda name: _load(name, folder, places)),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._shown = {kind: frozenset(names) for kind, names in shown.items()}
        self._most = self._left = MOST_STEPS + STEPS_A_LAYER * layers
        del self.globals["lipsum"]  # of random words, as many as one asks for
        self.filters.update(filters)
        self.filters[_COUNTED] = _counted

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Of our own types what is shown, of others what Jinja2 lets through."""
        if type(obj) in self._shown:
            return attr in self._shown[type(obj)]
        ours = type(obj).__module__.partition(".")[0] == __name__.partition(".")[0]
        if ours and not isinstance(obj, str):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def unsafe_undefined(self, obj: Any, attribute: str) -> jinja2.Undefined:
        """What refuses an attribute, in words, when it is used."""
        kind = type(obj).__name__.removesuffix("View").lower()
        words = f"a template may not see {attribute!r} of a {kind}"
        return self.undefined(words, name=attribute, obj=obj, exc=jinja2.exceptions.SecurityError)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """A call is a step; that of a recursive loop runs over its argument."""
        __self.take(1)
        if isinstance(__obj, LoopContext) and args:
            args = (_counted(__self, args[0]), *args[1:])
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """``*`` and ``**``, where their result is not too large."""
        if operator == "**":
            _need_short(left, right)
        else:
            _need_few(left, right)
        return super().call_binop(context, operator, left, right)

    def join_path(self, template: str, parent: str) -> str:
        """The name of a template that another one asks for, which is a step."""
        self.take(1)
        return template

    def take(self, steps: int) -> None:
        """Count steps; raises TemplateError where there are too many."""
        self._left -= steps
        if self._left < 0:
            raise TemplateError(
                f"a template may make {self._most} steps for this net (of loops, calls and "
                "includes); this makes more"
            )


@pass_environment
def _counted(environment: jinja2.Environment, items: Iterable[Any]) -> Iterable[Any]:
    """What a loop runs over; its steps are taken at once where their number is known."""
    if not isinstance(environment, TemplateSandbox):  # it is no other
        return items
    with suppress(TypeError):
        environment.take(len(items))  # type: ignore[arg-type]
        return items
    return _one_by_one(environment, items)


def _one_by_one(environment: TemplateSandbox, items: Iterable[Any]) -> Iterable[Any]:
    for item in items:
        environment.take(1)
        yield item


def _load(
    name: str, folder: Path | None, places: Sequence[Traversable]
) -> tuple[str, str | None, None] | None:
    """A template of the folder, else the shipped one of that name; None if there is neither."""
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or ":" in name:
        raise TemplateError(
            f"the template {name!r} is not in the folder of templates; expected a name in it"
        )
    if "\0" in name:
        return None
    if folder is not None and (folder / name).is_file():
        return _text(folder / name, folder), str(folder / name), None
    for place in places:
        if (place / name).is_file():
            return (place / name).read_text(encoding="utf-8"), name, None
    return None


def _text(file: Path, folder: Path) -> str:
    most = at_most(LARGEST_TEMPLATE)
    try:
        if not file.resolve().is_relative_to(folder.resolve()):
            raise TemplateError(f"{file} is a link that leaves the folder of templates")
        with file.open("rb") as stream:
            data = stream.read(most + 1)
        if len(data) > most:
            raise TemplateError(f"{file} has more than {most} bytes ({HINT})")
        return data.decode("utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"cannot read {file}: {error}") from error


def _need_few(left: Any, right: Any) -> None:
    """Raise TemplateError for a text or a list that is repeated too often, or a huge number."""
    for one, times in ((left, right), (right, left)):
        if not isinstance(times, int):
            continue
        if isinstance(one, (str, bytes, list, tuple)) and len(one) * times > LONGEST_REPEATED:
            raise TemplateError(f"a template may repeat a text or a list to {LONGEST_REPEATED}")
        if isinstance(one, int) and one.bit_length() + times.bit_length() > _LONGEST_NUMBER:
            raise TemplateError(f"a number has more than {_LONGEST_NUMBER} bits")


def _need_short(base: Any, exponent: Any) -> None:
    """Raise TemplateError for a power of too many bits."""
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and base.bit_length() * exponent > _LONGEST_NUMBER:
        raise TemplateError(f"a number has more than {_LONGEST_NUMBER} bits")
