"""``verify --input``: the values that a net and its model are compared on, from files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prototxt_gen.errors import VerificationError

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.shapes import Shape
    from prototxt_gen.passes.preprocessing import Preprocessing


def inputs_of(
    graph: Any, given: tuple[str, ...], model: str | None = None
) -> dict[str, Any] | None:
    """The values in the given files, which are the model's if there is one; None for no file."""
    if not given:
        return None
    taken, done = ({}, {}) if model is None else _taken(model)
    # The data layers of a net for training became the model's inputs.
    names = [ref.blob for ref in graph.inputs] or list(taken)
    found: dict[str, Any] = {}
    for item in given:
        name, equals, path = item.rpartition("=")
        if not equals:
            if len(names) != 1:
                some = ", ".join(f"{n}=FILE" for n in names) or "NAME=FILE"
                raise click.UsageError(f"--input {item}: expected one of {some}")
            name = names[0]
        if name not in names:
            raise click.UsageError(f"the net has no input {name!r}; it has {', '.join(names)}")
        suffix = Path(path).suffix
        if suffix not in (".npy", ".npz"):
            found[name] = _image(graph, name, path, taken.get(name, ()), done.get(name))
            continue
        found.update(_arrays(path, suffix, name))
    return found


def _taken(model: str) -> tuple[dict[str, Shape], dict[str, Preprocessing]]:
    """What a model gives the net for each input, None for a free size, and the preprocessing."""
    from prototxt_gen.engines import load
    from prototxt_gen.to_onnx.sizes import input_shapes
    from prototxt_gen.verify_model import pictures_of

    found = load(model)
    pictures = pictures_of(found)
    return pictures.inner(input_shapes(found)), dict(pictures.done)


def _arrays(path: str, suffix: str, name: str) -> dict[str, Any]:
    """The arrays of an npz file by their names, or that of an npy file by the name given."""
    from prototxt_gen.formats.binary.npz import read_npy, read_npz

    with open(path, "rb") as file:
        try:
            if suffix == ".npz":
                return read_npz(file)
            return {name: read_npy(file, os.fstat(file.fileno()).st_size, name)}
        except ValueError as error:
            words = f"is no {suffix[1:]} file of numbers: {error}"
            raise VerificationError(f"{path}: {words}") from error


def _image(graph: Any, name: str, path: str, taken: Shape, done: Preprocessing | None) -> Any:
    """An image as Caffe's tools give it: blue, green, red from 0 to 255, of the input's size.

    A model with preprocessing gets it as it takes it.
    """
    import numpy as np

    from prototxt_gen import api
    from prototxt_gen.inference.images import Frame, open_picture, values
    from prototxt_gen.layers.parts.shapes import show

    shapes = {
        top: shape
        for row in api.summarize(graph).rows
        for top, shape in zip(row.tops, row.shapes, strict=False)
    }
    shape = shapes.get(name) or ()
    if len(shape) == len(taken):
        shape = tuple(ours or own for ours, own in zip(taken, shape, strict=True))
    if len(shape) != 4 or shape[1] not in (1, 3):
        raise VerificationError(f"the input {name!r} is {show(shape)}, which an image does not fit")
    channels, height, width = (dim or 1 for dim in shape[1:])
    frame = Frame(channels, height, width)
    if done is not None and (done.size or done.resize):
        # One that the model resizes goes in as it is.
        frame = Frame(channels, *(done.size or (None, None)))
    one = values(open_picture(path, channels), frame)
    pixels = np.repeat(one[None], shape[0] or 1, axis=0)
    return np.ascontiguousarray(pixels) if done is None else done.as_taken(pixels)
