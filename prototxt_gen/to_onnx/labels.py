"""The names of classes in a model's metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from prototxt_gen._words import there_are
from prototxt_gen.graph.graph import Ref
from prototxt_gen.passes.deploy import Change
from prototxt_gen.to_onnx.export import Exported

ENTRY = "labels"


def keep_labels(made: Exported, labels: Sequence[str]) -> Iterator[Change]:
    """Write labels into a model, and say where their number is not that of its classes."""
    text = json.dumps(list(labels), ensure_ascii=False)
    made.skeleton.metadata_props.add(key=ENTRY, value=text)
    counts = dict(_classes(made))
    if counts and len(labels) not in counts.values():
        has = ", ".join(f"{name!r} has {number}" for name, number in counts.items())
        what = f"{there_are(len(labels), 'label')}, but of classes {has}"
        yield Change(made.graph.name or "net", "", what)


def _classes(made: Exported) -> Iterator[tuple[str, int]]:
    """How many classes each output has that may be a classifier's."""
    makers = {ref.blob: node for ref, node in made.graph.makers.items()}
    last = {ref.blob: ref for ref in made.graph.last.values()}
    for value in made.skeleton.graph.output:
        dims = value.type.tensor_type.shape.dim
        ref: Ref | None = last.get(value.name)
        if ref is None or makers[ref.blob].layer.detects or len(dims) < 2:
            continue
        if dims[1].dim_value:
            yield value.name, dims[1].dim_value
