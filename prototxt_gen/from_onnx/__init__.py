"""From an ONNX model to a net.

A model is read and normalised (``model``, ``normalize``), several operators that stand for one
are joined (``patterns``), and each operator becomes layers: one, by the ``lift`` of a layer
type, or several, by a rule (``rules``).
"""

from __future__ import annotations

#: The targets by name, each with its dialect.
TARGETS = {
    "bvlc-1.0": "bvlc",
    "bvlc": "bvlc",
    "ssd": "ssd",
    "nvcaffe": "nvcaffe",
    "caffe_priv": "caffe_priv",
}
