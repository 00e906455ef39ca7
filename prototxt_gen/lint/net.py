"""A net as smells look at it: whole, and in each phase that it is made for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property

from prototxt_gen._records import Record, record
from prototxt_gen.document import Document
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.graph.phase import Phase
from prototxt_gen.layers.base import Role


@record
class InPhase(Record):
    """The layers of a phase, without stages, and the shapes that are known of them."""

    graph: Graph
    shapes: Shapes

    @cached_property
    def readers(self) -> dict[Ref, list[Node]]:
        """The layers that read each blob that is read."""
        found: defaultdict[Ref, list[Node]] = defaultdict(list)
        for node in self.graph.nodes:
            for ref in node.bottoms:
                found[ref].append(node)
        return dict(found)

    @cached_property
    def trains(self) -> bool:
        """Whether it has a loss, so that there is a backward pass."""
        return any(node.layer.role is Role.LOSS for node in self.graph.nodes)


@record
class Net(Record):
    """A net without errors.

    ``written`` is the text as it is, ``upgraded`` the same in the newest form.
    """

    written: Document
    upgraded: Document
    phases: Mapping[Phase, InPhase]

    @cached_property
    def is_deploy(self) -> bool:
        """Whether it is made for inference: its inputs are no data of a file."""
        return all(_has_no_source(one.graph) for one in self.phases.values())

    @cached_property
    def tests(self) -> InPhase | None:
        """The net in the phase TEST, where it is certain that it is made for that."""
        found = self.phases.get("TEST")
        named = any(
            rule.has("phase")
            for layer in self.upgraded.root.blocks("layer")
            for rule in (*layer.blocks("include"), *layer.blocks("exclude"))
        )
        if found is None or named:
            return found
        return found if self.is_deploy and not found.trains else None

    @cached_property
    def nodes(self) -> list[tuple[InPhase, int, Node]]:
        """Every layer once, in the first phase that has it, with its index there."""
        found: dict[int, tuple[InPhase, int, Node]] = {}
        for one in self.phases.values():
            for index, node in enumerate(one.graph.nodes):
                found.setdefault(id(node.source), (one, index, node))
        return list(found.values())


def _has_no_source(graph: Graph) -> bool:
    return bool(graph.inputs) and all(n.layer.role is not Role.SOURCE for n in graph.nodes)
