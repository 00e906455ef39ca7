"""From a graph to ONNX: the builder that layers write through, and the export of a net."""
