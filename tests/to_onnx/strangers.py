"""The deploy nets of public repositories, and what becomes of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prototxt_gen import api
from prototxt_gen.errors import PrototxtError, UnsupportedError
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.base import Role
from prototxt_gen.layers.python import Python

_KINDS = ("a SolverParameter", "a LabelMap")


@dataclass(frozen=True)
class Outcome:
    """A net by its file's name; why it is refused, if it is; and its Python layers' classes."""

    name: str
    reasons: tuple[str, ...]
    python: tuple[str, ...]


def deploy_nets(corpus: Path) -> Iterator[tuple[str, Graph]]:
    """Each net in its TEST phase that says which inputs it has, and needs no data layer."""
    for file in sorted(corpus.rglob("*.prototxt")):
        try:
            graph = api.load(file)
        except PrototxtError as error:
            # A solver, a label map, or what no Caffe reads: the validator's tests have them.
            assert any(kind in error.message for kind in _KINDS) or error.diagnostics, file
            continue
        data = any(node.layer.role is Role.SOURCE for node in graph.nodes)
        if graph.inputs and not data:
            yield str(file.relative_to(corpus)), graph


def outcome(name: str, graph: Graph) -> Outcome:
    """What becomes of a net with weights of zeros."""
    python = [node.layer.label for node in graph.nodes if type(node.layer) is Python]
    try:
        api.convert(graph, weights_init="zeros", fold=False)
    except UnsupportedError as error:
        found = [d.message for d in error.diagnostics if d.severity.value == "error"]
        reasons = tuple(dict.fromkeys(re.sub(r";.*", "", words) for words in found))
        return Outcome(name, reasons or (error.message,), tuple(python))
    return Outcome(name, (), tuple(python))
