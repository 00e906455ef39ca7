"""A net as smells look at it: whole, and in each phase that it is made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prototxt_gen.document import Document
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.graph.phase import Phase


@dataclass(frozen=True)
class InPhase:
    """The layers of a phase, without stages, and the shapes that are known of them."""

    graph: Graph
    shapes: Shapes


@dataclass(frozen=True)
class Net:
    """A net without errors.

    ``written`` is the text as it is, ``upgraded`` the same in the newest form.
    """

    written: Document
    upgraded: Document
    phases: Mapping[Phase, InPhase]

    @property
    def is_deploy(self) -> bool:
        """Whether it is made for inference: its inputs are no data of a file."""
        return all(_has_no_source(one.graph) for one in self.phases.values())


def _has_no_source(graph: Graph) -> bool:
    from prototxt_gen.layers.base import Role

    return bool(graph.inputs) and all(n.layer.role is not Role.SOURCE for n in graph.nodes)
