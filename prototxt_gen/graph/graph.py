"""A net as a list of nodes whose blobs have versions.

Caffe lets a layer write into its bottom ("in place"), so that one name stands for several
values in turn. A :class:`Ref` distinguishes them: version 0 is the first value of a blob,
and each layer that writes it again makes the next version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Source, Span
from prototxt_gen.document import Block, Field, MessageType
from prototxt_gen.layers.base import Layer, Role
from prototxt_gen.layers.parts.phase import own_phase

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array

_FEW = 4  #: inputs and outputs that are named in a line
NEVER = -1  #: the version of a blob that no layer has written


class Ref(NamedTuple):
    """A blob, in one of its versions."""

    blob: str
    version: int


@dataclass(frozen=True, slots=True)
class Node:
    """One layer of a net.

    ``source`` is its ``layer`` block as it was read, and the only place of what the layer
    type does not model (fillers, lr_mult, engine, unknown fields). For a layer that was
    made rather than read, it holds only these.
    """

    name: str
    layer: Layer
    bottoms: tuple[Ref, ...]
    tops: tuple[Ref, ...]
    source: Block
    field: Field | None = None  #: the field of the file whose value is ``source``

    @property
    def span(self) -> Span | None:
        """The place of the layer's name in the text; None where there is no text."""
        return self.field.name_span if self.field else None

    @property
    def type(self) -> str:
        """The type as written in the file."""
        return self.source.get("type", str, self.layer.type)

    @property
    def params(self) -> Block:
        """The parameter message of the layer's type, empty where there is none."""
        return self.source.block(self.layer.param) if self.layer.param else Block()

    @property
    def phase(self) -> Literal["TRAIN", "TEST"] | None:
        """The layer's own phase, which overrides the net's; None where it has none."""
        return own_phase(self.source)

    def in_place(self, top: int) -> bool:
        """Whether a top overwrites the bottom of the same index (net.cpp, AppendTop)."""
        return top < len(self.bottoms) and self.tops[top].blob == self.bottoms[top].blob


#: How a net declares its inputs: by Input layers, or by ``input`` fields of the net.
InputForm = Literal["layers", "input_shape", "input_dim"]


class Graph:
    """A net in the order of its layers.

    ``stored`` holds the weights of a caffemodel by layer name, where one was read;
    ``graph.weights`` assigns them to nodes. ``files`` are the SHA-256 of the files that the
    net and its weights came from, where known.
    ``header`` holds the fields of the net other than layers, ``header_type`` is the schema by
    which they were read. Where ``input_form`` is not ``layers``, the first node stands for the
    ``input`` fields of the net.
    """

    def __init__(
        self,
        name: str = "",
        *,
        header: Sequence[Field] = (),
        header_type: MessageType | None = None,
        input_form: InputForm = "layers",
        source: Source | None = None,
        dialect: str = "bvlc",
        stored: Mapping[str, Sequence[Array]] | None = None,
    ) -> None:
        self.name = name
        self.stored = dict(stored or {})
        self.files: dict[str, str] = {}  #: by "net" and "weights"
        self.hidden: set[str] = set()  #: blobs that are not outputs although no layer reads them
        #: Blobs that no layer makes in this state, but one does in another: the layer, and the
        #: options that give that state.
        self.elsewhere: dict[str, tuple[str, str]] = {}
        self.header = list(header)
        self.header_type = header_type
        self.input_form: InputForm = input_form
        self.source = source
        self.dialect = dialect
        self.nodes: list[Node] = []
        self._versions: dict[str, int] = {}

    def add(
        self,
        name: str,
        layer: Layer,
        bottoms: Sequence[str] = (),
        tops: Sequence[str] = (),
        source: Block | None = None,
        field: Field | None = None,
    ) -> Node:
        """Append a layer that reads the latest versions of its bottoms; return its node.

        A bottom that no layer has written yet has the version ``NEVER``, which
        ``graph.check`` reports.
        """
        versions = self._versions
        read = tuple(Ref(blob, versions.get(blob, NEVER)) for blob in bottoms)
        written = []
        for blob in tops:
            versions[blob] = version = versions.get(blob, NEVER) + 1
            written.append(Ref(blob, version))
        node = Node(name, layer, read, tuple(written), Block() if source is None else source, field)
        self.nodes.append(node)
        return node

    def state_of(self, blob: str) -> str | None:
        """In which state of the net a blob is made that is not made in this one."""
        if blob not in self.elsewhere:
            return None
        layer, options = self.elsewhere[blob]
        return f"layer {layer!r} makes it in another state of the net: use {options}"

    @property
    def inputs(self) -> tuple[Ref, ...]:
        """The inputs of the net: the tops of the nodes with the role INPUT."""
        return tuple(
            top for node in self.nodes if node.layer.role is Role.INPUT for top in node.tops
        )

    @property
    def makers(self) -> dict[Ref, Node]:
        """The node that makes each version of a blob, in the order of the layers."""
        return {top: node for node in self.nodes for top in node.tops}

    @property
    def last(self) -> dict[str, Ref]:
        """The last version of each blob, in the order in which blobs are first made."""
        return {ref.blob: ref for ref in self.makers}

    @property
    def sources(self) -> frozenset[str]:
        """The tops of layers without bottoms, whose shapes may be given.

        Those of a layer with weights are not among them: it has stored its shapes.
        """
        return frozenset(
            top.blob
            for node in self.nodes
            if not node.bottoms and node.layer.parameter_free()
            for top in node.tops
        )

    @property
    def outputs(self) -> tuple[Ref, ...]:
        """The blobs that no layer reads or overwrites, in the order of the layers."""
        read = {ref for node in self.nodes for ref in node.bottoms}
        return tuple(
            top
            for node in self.nodes
            for top in node.tops
            if top not in read and top.version == self._versions[top.blob]
            if top.blob not in self.hidden
        )

    def __repr__(self) -> str:
        """``<Graph 'LeNet': 9 layers, data -> prob, with weights>``."""
        ends = " -> ".join(_listed(refs) for refs in (self.inputs, self.outputs))
        weights = ", with weights" if self.stored else ""
        return f"<Graph {self.name!r}: {plural(len(self.nodes), 'layer')}, {ends}{weights}>"

    def _repr_html_(self) -> str:
        """The picture that a notebook shows, or a table if Graphviz is not installed."""
        # The one import of a room below: of the notebook's asking, and not before.
        from prototxt_gen.report.notebook import as_html

        return as_html(self)


def _listed(refs: Sequence[Ref]) -> str:
    """The names of a few blobs, and that there are more."""
    names = [ref.blob for ref in refs[:_FEW]]
    return ", ".join([*names, "…"] if len(refs) > _FEW else names) or "nothing"
