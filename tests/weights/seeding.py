"""Weights and an image out of names: the same numbers wherever there is numpy, and no file of them.

The recipe is that of ``golden/seed_weights.py``, over the names of torch's state dicts.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def parameter(name: str, shape: tuple[int, ...]) -> Array:
    """One entry of a state dict, such as ``layer1.0.bn1.running_var``, as float32."""
    values = _uniform(name, shape)
    what = name.rpartition(".")[2]
    if what == "running_var":
        return values + np.float32(0.5)
    if what == "weight" and len(shape) == 1:  # of a normalization
        return values * np.float32(0.3) + np.float32(0.2)
    values -= np.float32(0.5)
    if what == "weight":
        return values * np.float32((24 / np.prod(shape[1:])) ** 0.5)
    return values * np.float32(0.4)


def image(shape: tuple[int, ...]) -> Array:
    """What the nets are given, from -2 to 2."""
    return (_uniform("image", shape) - np.float32(0.5)) * np.float32(4)


def _uniform(name: str, shape: tuple[int, ...]) -> Array:
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    return generator.random(shape, np.float32)
