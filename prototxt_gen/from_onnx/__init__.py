"""From an ONNX model to a net.

A model is read and normalised (``model``, ``normalize``), several operators that stand for one
are joined (``patterns``), and each operator becomes layers: one, by the ``lift`` of a layer
type, or several, by a rule (``rules``).
"""
