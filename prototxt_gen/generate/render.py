"""From a generated net to text, with Jinja2 templates.

The templates determine the text around the layers; scalars, fields and nested blocks are printed
by ``formats.printer``, which they reach through the filter ``fields``. A template sees:

``net``
    ``name``, ``spec``, ``header`` (the fields before the layers), ``layers`` and
    ``sections``, each with a ``title`` and its ``layers``
``layer``
    ``name``, ``type``, ``bottoms``, ``tops`` and ``params``, the parameters as a mapping
``value | fields(indent=1)``
    the fields of a layer or of a header, one per line, without a final newline
``value | python(owner)``
    a value as a Python expression, with the names of enums of a layer's type or field

It sees nothing else: ``generate.sandbox`` says what templates may do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from functools import cached_property
from types import TracebackType

import jinja2

from prototxt_gen._limits import HINT, LARGEST_FILE, at_most
from prototxt_gen.document import Block, Value
from prototxt_gen.errors import TemplateError
from prototxt_gen.formats.text.printer import print_block
from prototxt_gen.generate.blocks import Net
from prototxt_gen.generate.python import python
from prototxt_gen.generate.recipe import Training
from prototxt_gen.generate.sandbox import TemplateSandbox
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.templates import Templates, find_templates
from prototxt_gen.graph.write import write


@dataclass(eq=False, repr=False)
class LayerView:
    """A layer as templates see it."""

    block: Block

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.block.get("name", str, "")

    @property
    def type(self) -> str:
        """The layer's type."""
        return self.block.get("type", str, "")

    @property
    def bottoms(self) -> tuple[str, ...]:
        """The names of the blobs that it reads."""
        return self.block.get_list("bottom", str)

    @property
    def tops(self) -> tuple[str, ...]:
        """The names of the blobs that it writes."""
        return self.block.get_list("top", str)

    @cached_property
    def params(self) -> dict[str, object]:
        """All other fields: a list for a field that occurs several times."""
        names = ("name", "type", "bottom", "top")
        return _plain(Block(field for field in self.block if field.name not in names))


@dataclass(eq=False, repr=False)
class SectionView:
    """A group of layers as templates see it."""

    title: str
    layers: Sequence[LayerView]


@dataclass(eq=False, repr=False)
class NetView:
    """A net as templates see it."""

    name: str
    spec: Spec
    header: Block
    layers: Sequence[LayerView]
    sections: Sequence[SectionView]


#: What a template sees of each of our types; ``params`` and its values are plain.
SHOWN: dict[type, tuple[str, ...]] = {
    NetView: ("name", "spec", "header", "layers", "sections"),
    SectionView: ("title", "layers"),
    LayerView: ("name", "type", "bottoms", "tops", "params"),
    Spec: (*(field.name for field in dataclass_fields(Spec)), "train_batch"),
    Training: tuple(field.name for field in dataclass_fields(Training)),
}


def render(net: Net, templates: Templates | None = None) -> str:
    """The text of a net, by the built-in templates or by another set.

    Raises TemplateError, with the template's file and line, if a template of a folder has
    an error. What it prints is not looked at: ``printed`` does that.
    """
    chosen = templates or find_templates(None)
    view = _view(net, write(net.graph).root)
    environment = _environment(chosen, len(view.layers))
    root = chosen.root
    if chosen.folder is None:
        return environment.get_template(root).render(net=view)
    try:
        text = _bounded(environment.get_template(root).generate(net=view))
        text.encode("utf-8", "surrogateescape")
        return text
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{error.filename or root}:{error.lineno}: {error.message}") from error
    except Exception as error:
        place = _place(error.__traceback__)
        if not place and isinstance(error, TemplateError):
            raise  # it names the template that cannot be loaded
        raise TemplateError(f"{place or chosen.folder}: {_words(error)}") from error


def render_solver(solver: Block, title: str) -> str:
    """The text of a solver; ``title`` is the comment at the top."""
    template = _environment(find_templates(None)).get_template("solver.prototxt.j2")
    return template.render(solver=solver, title=title)


def _environment(chosen: Templates, layers: int = 0) -> TemplateSandbox:
    filters: dict[str, Callable[..., str]] = {"fields": _fields, "python": python}
    return TemplateSandbox(chosen.folder, SHOWN, filters, layers, chosen.shipped.place)


def _bounded(pieces: Iterable[str]) -> str:
    """A text from its pieces; raises TemplateError where no reader would take it."""
    kept, size, most = [], 0, at_most(LARGEST_FILE)
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise TemplateError(f"it prints more than {most} characters ({HINT})")
        kept.append(piece)
    return "".join(kept)


def _words(error: Exception) -> str:
    """What an error in a template says."""
    if isinstance(error, jinja2.TemplateNotFound):
        return f"there is no template {error.message!r}"
    if isinstance(error, RecursionError):
        return "it calls or includes itself without end, or is nested too deeply"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    return str(error) or type(error).__name__


def _fields(value: LayerView | Block, indent: int = 1) -> str:
    """The filter ``fields``."""
    block = value.block if isinstance(value, LayerView) else value
    if not isinstance(block, Block):
        raise TypeError(f"fields takes a layer or a header, found {value}")
    return print_block(block, indent).rstrip("\n")


def _view(net: Net, document: Block) -> NetView:
    header = Block(field for field in document if field.name != "layer")
    layers = [LayerView(block) for block in document.blocks("layer")]
    # A net with ``input`` fields has a node for them that is not a layer.
    shift = len(net.graph.nodes) - len(layers)
    starts = [section.start - shift for section in net.sections]
    sections = [
        SectionView(section.title, layers[start:end])
        for section, start, end in zip(
            net.sections, starts, [*starts[1:], len(layers)], strict=True
        )
    ]
    return NetView(net.graph.name, net.spec, header, layers, sections)


def _plain(block: Block) -> dict[str, object]:
    def plain(value: Value) -> object:
        return _plain(value) if isinstance(value, Block) else value

    found: dict[str, object] = {}
    for name in dict.fromkeys(field.name for field in block):
        values = [plain(value) for value in block.all(name)]
        found[name] = values if len(values) > 1 else values[0]
    return found


def _place(traceback: TracebackType | None) -> str | None:
    """The innermost line of a template in a traceback, as file:line."""
    place = None
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file.endswith(".j2"):
            place = f"{file}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
