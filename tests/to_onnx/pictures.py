"""Nets for pictures, and Caffe's pipeline once more in plain numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.formats.binary.message import message_class
from prototxt_gen.graph.check import check
from prototxt_gen.graph.fillers import initial

Array = np.ndarray[Any, np.dtype[Any]]
#: How a camera gives pictures.
CAMERA: dict[str, Any] = {"channel_order": "rgb", "input_type": "uint8", "layout": "nhwc"}
MEAN = [104.0, 117.0, 123.0]
DATA = """layer {{ name: "data" type: "Data" top: "data" top: "label"
  data_param {{ source: "db" batch_size: 2 }} transform_param {{ {transform} }} }}
"""
INPUT = 'input: "data" input_shape {{ dim: [2, {channels}, {size}, {size}] }}\n'
#: A small net in the manner of CaffeNet's.
BODY = """layer {{ name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param {{ num_output: 6 kernel_size: 5 stride: 2 pad: {pad} }} }}
layer {{ name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }}
layer {{ name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param {{ kernel_size: 3 stride: 2 }} }}
layer {{ name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
  convolution_param {{ num_output: 8 kernel_size: 3 pad: 1 group: 2 }} }}
layer {{ name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }}
layer {{ name: "fc" type: "InnerProduct" bottom: "conv2" top: "fc"
  inner_product_param {{ num_output: 10 }} }}
"""
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }\n'
PROB = 'layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }\n'


def deploy(pad: int = 0, size: int = 17, channels: int = 3) -> str:
    return INPUT.format(size=size, channels=channels) + BODY.format(pad=pad) + PROB


def train_val(transform: str, pad: int = 0) -> str:
    return DATA.format(transform=transform) + BODY.format(pad=pad) + LOSS


def graph(text: str, path: str | Path = "net.prototxt", size: int = 17) -> Any:
    """A net with weights that depend on the deploy net alone."""
    found = api.load(Source(text.encode(), str(path)))
    shapes = {"data": (2, 3, size, size)} if "label" in text else {}
    found.stored = {
        name: [blob / (100 if name == "conv1" else 1) for blob in blobs]
        for name, blobs in initial(found, check(found, Sink(), shapes), "random", 0).items()
    }
    return found


def caffe_net(pad: int = 0, size: int = 17, channels: int = 3) -> Any:
    return graph(deploy(pad, size, channels))


def binaryproto(path: Path, mean: Array) -> Path:
    """A mean as compute_image_mean writes it: num, channels, height, width and data."""
    blob: Any = message_class("BlobProto")(num=1)
    blob.channels, blob.height, blob.width = mean.shape
    blob.data.extend(mean.ravel().tolist())
    path.write_bytes(blob.SerializeToString())
    return path


def pictures(size: int | tuple[int, int], channels: int = 3, batch: int = 2) -> Array:
    """Pictures as a camera has them: N, H, W, RGB, from 0 to 255."""
    height, width = (size, size) if isinstance(size, int) else size
    random = np.random.default_rng(7)
    return random.integers(0, 256, (batch, height, width, channels)).astype(np.uint8)


def transformed(rgb: Array, mean: Any = 0.0, scale: float = 1.0, crop: int = 0) -> Array:
    """What data_transformer.cpp makes of pictures that OpenCV has read, pixel by pixel."""
    batch, height, width, channels = rgb.shape
    rows, columns = crop or height, crop or width
    top, left = (height - rows) // 2, (width - columns) // 2
    mean = np.asarray(mean, np.float32)
    out = np.zeros((batch, channels, rows, columns), np.float32)
    for n in range(batch):
        for c in range(channels):
            for h in range(rows):
                for w in range(columns):
                    pixel = np.float32(rgb[n, top + h, left + w, channels - 1 - c])
                    if mean.ndim == 3:
                        pixel -= mean[c, top + h, left + w]
                    else:
                        pixel -= mean.reshape(-1)[c if mean.size > 1 else 0]
                    out[n, c, h, w] = pixel * np.float32(scale)
    return out
