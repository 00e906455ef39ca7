"""A summary as values for JSON."""

from __future__ import annotations

from prototxt_gen.graph.field import Field, Window
from prototxt_gen.summary.groups import DEPTHS
from prototxt_gen.summary.net import Row, Summary


def as_dict(summary: Summary, depth: int | None) -> dict[str, object]:
    """The sums, and each layer, or with a depth each of its ``groups``."""
    memory, image = summary.memory, summary.image
    return {
        "name": summary.name,
        "inputs": summary.inputs,
        "batch": summary.batch,
        "parameters": summary.parameters,
        "statistics": summary.statistics,
        "weight_bytes": summary.weight_bytes,
        "multiply_adds": summary.multiply_adds,
        "input_bytes": summary.input_bytes,
        "activation_bytes": memory.total,
        "peak_activation_bytes": memory.peak,
        "peak_layer": memory.peak_layer,
        "image": image
        and {
            "multiply_adds": image[0],
            "activation_bytes": image[1].total,
            "peak_activation_bytes": image[1].peak,
        },
        "complete": summary.complete,
        "groups" if depth in DEPTHS else "layers": [
            _row_dict(row) for row in summary.grouped(depth)
        ],
    }


def _row_dict(row: Row) -> dict[str, object]:
    found: dict[str, object] = {
        "name": row.name,
        "type": row.type,
        "bottoms": row.bottoms,
        "tops": row.tops,
        "shapes": row.shapes,
        "weights": row.weights,
        "windows": row.windows,
        "parameters": row.cost and row.cost.parameters,
        "statistics": row.cost and row.cost.statistics,
        "multiply_adds": row.cost and row.cost.multiply_adds,
        "activation_bytes": row.activations,
        "receptive_field": _field_dict(row.field),
    }
    if len(row.layers) > 1:
        del found["weights"], found["windows"]
        found["type"] = None
    if row.layers:
        found["layers"] = [one.name for one in row.layers]
        for name in ("parameters", "statistics", "multiply_adds"):
            found[name] = getattr(row, name)
    if row.reason is not None:
        found["reason"] = row.reason
    return found


def _field_dict(found: Field | None) -> object:
    """Sizes, or ``whole``; null if there is no field, or an unknown one."""
    if isinstance(found, Window):
        return {
            "size": found.size,
            "stride": found.stride and [float(value) for value in found.stride],
            "offset": found.offset and [float(value) for value in found.offset],
        }
    return found and found.value
