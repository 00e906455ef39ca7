"""Write docs/layers.md: every layer type, what is known of it, and what becomes of it."""

from __future__ import annotations

import sys
from pathlib import Path

from prototxt_gen.layers import MODULES, layer_class
from prototxt_gen.layers.base import Instead, Layer, Role
from prototxt_gen.layers.parts.forks import BVLC, FORKS

TARGET = Path(__file__).with_name("layers.md")
HEAD = """# Layer types

Made by `make docs` from the layers themselves. *Shapes*: of tops and weights. *Reference*: computed
by numpy. *To ONNX*: what `convert` makes of it. Each of these has been compared with what real Caffe
gave, or where no recording is, the reference with onnxruntime.

| type | dialects | shapes | reference | to ONNX | from ONNX |
|---|---|---|---|---|---|
"""
LATER = {"DetectionOutput", "PSROIPooling", "PSROIAlign", "DecodeBBox", "Python"}
NOTES = {
    "ROIPooling": "MaxRoiPool; from opset 22 on a table of MaxPools",
    "ROIAlign": "RoiAlign, up to opset 21; not that of the frcnn fork",
    "LSTMUnit": "no: Caffe makes it inside of an LSTM",
    "Input": "an input",
    "DummyData": "a constant; an input where a filler draws at random",
}


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_row(name) for name in sorted(MODULES, key=str.lower))


def _row(name: str) -> str:
    cls = layer_class(name)
    assert cls is not None
    opaque = cls.__module__.endswith(".training") and cls.role is not Role.LOSS
    shapes = "no" if opaque else "yes"
    reference = "yes" if _own(cls, "run") else "no"
    return f"| {name} | {_dialects(name)} | {shapes} | {reference} | {_onnx(name, cls)} | later |\n"


def _onnx(name: str, cls: type[Layer]) -> str:
    if name in NOTES:
        return NOTES[name]
    if cls.role is Role.SOURCE:
        return "an input; a label goes"
    if name in LATER:
        return "later"
    measured = cls.role in (Role.LOSS, Role.MEASURE)
    if not _own(cls, "lower") or (cls().at_inference() is Instead.NOTHING and not measured):
        return "left out" if cls().at_inference() is Instead.NOTHING else "no"
    text = (cls.lower.__doc__ or "").split("\n")[0]
    head = cls().at_inference()
    if isinstance(head, Layer):
        return f"its head, {head.type}; where the user gives labels: {text}"
    return text if not measured else f"left out; where the user gives labels: {text}"


def _dialects(name: str) -> str:
    """The dialects that have a type."""
    return "any" if name in BVLC else ", ".join(FORKS.get(name, ())) or "other forks"


def _own(cls: type[Layer], facet: str) -> bool:
    return getattr(cls, facet) is not getattr(Layer, facet)


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{TARGET}\n")
