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

It sees nothing else: ``generate.sandbox`` says what templates may do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from functools import cached_property
from pathlib import Path
from types import TracebackType

import jinja2

from prototxt_gen._limits import HINT, at_most
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block, Field, Value
from prototxt_gen.errors import TemplateError
from prototxt_gen.formats.prototxt import LARGEST_FILE
from prototxt_gen.formats.text.printer import print_block
from prototxt_gen.generate.blocks import Net
from prototxt_gen.generate.recipe import Training
from prototxt_gen.generate.sandbox import TemplateSandbox
from prototxt_gen.generate.spec import Spec
from prototxt_gen.graph.write import write

ROOT = "net.prototxt.j2"


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class SectionView:
    """A group of layers as templates see it."""

    title: str
    layers: Sequence[LayerView]


@dataclass(frozen=True)
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


def render(net: Net, templates: Path | None = None) -> str:
    """The text of a net, by the built-in templates or by those of a folder that replace them.

    Raises TemplateError, with the template's file and line, if a template of the folder has
    an error, or if its text does not read back as the net.
    """
    document = write(net.graph).root
    view = _view(net, document)
    environment = _environment(templates, len(view.layers))
    if templates is None:
        return environment.get_template(ROOT).render(net=view)
    try:
        text = _bounded(environment.get_template(ROOT).generate(net=view))
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{error.filename or ROOT}:{error.lineno}: {error.message}") from error
    except Exception as error:
        place = _place(error.__traceback__)
        if not place and isinstance(error, TemplateError):
            raise  # it names the template that cannot be loaded
        raise TemplateError(f"{place or templates}: {_words(error)}") from error
    _compare(text, document, templates)
    return text


def render_solver(solver: Block, title: str) -> str:
    """The text of a solver; ``title`` is the comment at the top."""
    template = _environment(None).get_template("solver.prototxt.j2")
    return template.render(solver=solver, title=title)


def _environment(templates: Path | None, layers: int = 0) -> TemplateSandbox:
    if templates is not None and not templates.is_dir():
        raise TemplateError(f"{templates}: is not a folder; expected a folder of templates")
    return TemplateSandbox(templates, SHOWN, {"fields": _fields}, layers)


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


def _compare(text: str, wanted: Block, templates: Path) -> None:
    """Refuse a text that is not that of the net; the message names the first difference."""
    from prototxt_gen.formats.reader import read_text

    source = Source(text.encode("utf-8", "surrogateescape"), f"what {templates} prints")
    sink = Sink(source)
    found = read_text(source, sink, "NetParameter").root
    sink.raise_errors(TemplateError)
    if found == wanted:
        return
    for name in ("layer", *(field.name for field in (*wanted, *found))):
        pairs = zip(found.all(name), wanted.all(name), strict=False)
        for index, (one, other) in enumerate(pairs):
            if one != other:
                raise TemplateError(_difference(templates, name, index, one, other))
        if len(found.all(name)) != len(wanted.all(name)):
            raise TemplateError(
                f"{templates} prints {len(found.all(name))} {name}, the net has "
                f"{len(wanted.all(name))}"
            )


def _difference(templates: Path, name: str, index: int, found: Value, wanted: Value) -> str:
    if isinstance(found, Block) and isinstance(wanted, Block):
        index_text = repr(wanted.get("name", str, str(index)))
        for key in dict.fromkeys(field.name for field in (*wanted, *found)):
            if found.all(key) != wanted.all(key):
                one, other = _shown(found, key), _shown(wanted, key)
                return f"{templates} prints {name} {index_text} with {one}; the net has {other}"
    return f"{templates} prints {name} {found!r}; the net has {wanted!r}"


def _shown(block: Block, key: str) -> str:
    fields = [Field(key, value) for value in block.all(key)]
    return " ".join(print_block(Block(fields)).split()) or f"no {key}"
