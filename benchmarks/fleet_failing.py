"""The nets of the benchmark of fleets, layers that do not end well, and a store that fails."""

NET = """name: "n%d"
input: "data" input_shape { dim: [1, 3, 8, 8] }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: %d kernel_size: 3 weight_filler { type: "msra" } } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
"""
ODD = """input: "data" input_shape { dim: [1, 2] }
layer { name: "s" type: "%s" bottom: "data" top: "s" }
"""
PLUGIN = '''"""Layers that do not end well."""
import time

from prototxt_gen.layers.base import Layer, layer


@layer("Hang")
class Hang(Layer):
    def lower(self, b, bottoms, blobs):
        time.sleep(3600)


@layer("Hog")
class Hog(Layer):
    def lower(self, b, bottoms, blobs):
        held = []
        while True:
            held.append(bytearray(b"x" * (16 << 20)))
            time.sleep(0.01)
'''
STORE = '''"""The files of this machine as a store that fails: flaky:///folder."""
import os
import random

from fsspec.implementations.local import LocalFileSystem

LOG = os.environ.get("FLAKY_LOG", os.devnull)
RATE = float(os.environ.get("FLAKY_RATE", "0.03"))


class Flaky(LocalFileSystem):
    protocol = "flaky"

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(str(path).removeprefix("flaky://"))

    def _open(self, path, mode="rb", **options):
        if "w" in mode and "never" in path:
            raise OSError(28, "No space left on device")
        if random.random() < RATE:
            raise ConnectionError("connection reset by peer")
        file = super()._open(path, mode, **options)
        if "w" in mode and random.random() < RATE:
            write = file.write
            file.write = lambda data: write(data[: len(data) // 2]) and len(data)
        return file

    def mv(self, path1, path2, **options):
        super().mv(path1, path2, **options)
        if path2.endswith(".onnx"):
            with open(LOG, "a") as log:
                log.write(path2 + chr(10))
'''
