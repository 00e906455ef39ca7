"""What each runtime takes of ONNX, as data with its sources, and models looked at by it."""

#: The runtimes of which something is known, each by a YAML file of its name in this folder.
NAMES = ("onnxruntime", "openvino", "opencv-5", "tensorrt-10", "coreml")
