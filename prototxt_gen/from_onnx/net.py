"""The net while it is made: the interface by which rules write layers.

A rule handles :class:`Blob` objects; their names are given at the end, when it is known
which blob is which value of the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from prototxt_gen.document import Block
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.from_onnx.target import Target
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers import layer_class
from prototxt_gen.layers.affine import Bias
from prototxt_gen.layers.base import Layer, Role
from prototxt_gen.layers.combine import Silence
from prototxt_gen.layers.elementwise import Power
from prototxt_gen.layers.inputs import DummyData, Input, Parameter
from prototxt_gen.layers.parts.shapes import show

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(eq=False, slots=True)
class Blob:
    """A blob that is being made: its shape, and its name once that is known.

    ``source`` is the blob whose values it has, in the same order but another shape.
    """

    shape: tuple[int, ...]
    name: str = ""
    source: Blob | None = None


@dataclass(eq=False, slots=True)
class Made:
    """A layer that is being made; ``suffix`` tells it from the others of one operator."""

    layer: Layer
    bottoms: tuple[Blob, ...]
    tops: tuple[Blob, ...]
    blobs: tuple[Array, ...]
    label: str
    suffix: str
    source: Block


@dataclass(eq=False)
class Net:
    """Layers in order. ``begin`` says which operator the next ones come from."""

    target: Target
    layers: list[Made] = field(default_factory=list)
    #: Names that had to change: the layer, and why.
    renamed: list[tuple[str, str]] = field(default_factory=list)
    _label: str = ""
    _constants: dict[tuple[object, ...], Blob] = field(default_factory=dict)

    def begin(self, label: str) -> None:
        """Start an operator: layers are named after it."""
        self._label = label

    def add(
        self,
        layer: Layer,
        bottoms: Sequence[Blob],
        blobs: Sequence[Array] = (),
        suffix: str = "",
        source: Block | None = None,
    ) -> Blob:
        """Append a layer with one top; return the top.

        ``suffix`` tells it from the other layers of the operator; that of the last is empty.
        ``source`` holds fields of its block that the layer type does not model. Raises
        UnsupportedError if the target does not have the type, or the layer cannot take the
        shapes.
        """
        return self.add_all(layer, bottoms, 1, blobs, suffix, source)[0]

    def add_all(
        self,
        layer: Layer,
        bottoms: Sequence[Blob],
        tops: int,
        blobs: Sequence[Array] = (),
        suffix: str = "",
        source: Block | None = None,
    ) -> tuple[Blob, ...]:
        """Append a layer with any number of tops."""
        if not self.target.has(layer.type):
            raise UnsupportedError(
                f"{self.target.name} has no layer type {layer.type}{_others(layer.type)}"
            )
        shapes = [blob.shape for blob in bottoms]
        for problem in layer.problems():
            if not problem.warning:
                raise UnsupportedError(f"{layer.type}: {problem.message}")
        if layer.legacy and self.target.dialect == "bvlc" and shapes and len(shapes[0]) > 4:
            raise UnsupportedError(
                f"BVLC's {layer.type} takes at most 4 axes; the bottom is {show(shapes[0])}"
            )
        try:
            wanted = layer.blob_shapes(shapes)
            found = layer.shapes(shapes, tops)
        except ShapeError as error:
            raise UnsupportedError(f"{layer.type}: {error.message}") from error
        given = [tuple(blob.shape) for blob in blobs]
        if given != [tuple(shape) for shape in wanted]:
            shown = ", ".join(map(show, given)) or "none"
            raise UnsupportedError(
                f"{layer.type} takes weights of {', '.join(map(show, wanted))}; found {shown}"
            )
        made = tuple(Blob(tuple(dim or 0 for dim in shape)) for shape in found)
        arrays = tuple(np.asarray(blob, np.float32) for blob in blobs)
        kept = Block() if source is None else source
        self.layers.append(Made(layer, tuple(bottoms), made, arrays, self._label, suffix, kept))
        return made

    def input(self, name: str, shape: tuple[int, ...]) -> Blob:
        """An input of the net."""
        self.begin(name)
        blob = self.add(Input((shape,)), ())
        blob.name = name
        return blob

    def constant(self, value: Array) -> Blob:
        """A blob with the values of a constant; equal ones are made once."""
        array = np.asarray(value, np.float32)
        key = (array.shape, array.tobytes())
        if key not in self._constants:
            label, self._label = self._label, f"constant{len(self._constants) or ''}"
            self._constants[key] = self._constant(array)
            self._label = label
        return self._constants[key]

    def _constant(self, array: Array) -> Blob:
        first = float(array.flat[0]) if array.size else 0.0
        if array.size and (array == array.flat[0]).all():
            filler = Block.of(type="constant", value=first)
            source = Block.of(dummy_data_param=Block.of(data_filler=filler if first else None))
            return self.add(DummyData((array.shape,), (first,)), (), source=source)
        if self.target.has("Parameter"):
            return self.add(Parameter(array.shape), (), (array,))
        zeros = self.add(DummyData((array.shape,), (0.0,)), (), suffix="zeros")
        return self.add(Bias(axis=0, num_axes=-1), [zeros], (array,))

    def copy(self, blob: Blob) -> Blob:
        """The same values under another name."""
        return self.add(Power(), [blob])

    def graph(self, name: str, outputs: Mapping[str, Blob]) -> Graph:
        """The net; ``outputs`` are its outputs by name, and all that is left unread is silenced."""
        for wanted, blob in outputs.items():
            blob.name = blob.name or wanted
        self.drop_unread(outputs.values())
        self._silence(outputs)
        self._name_blobs()
        graph = Graph(name, dialect=self.target.dialect)
        names = self._layer_names()
        for layer_name, made in zip(names, self.layers, strict=True):
            bottoms, tops = [b.name for b in made.bottoms], [b.name for b in made.tops]
            graph.add(layer_name, made.layer, bottoms, tops, made.source)
            if made.blobs:
                graph.stored[layer_name] = made.blobs
        return graph

    def drop_unread(self, outputs: Iterable[Blob]) -> None:
        """Remove layers of which nothing is read; inputs stay."""
        read = {id(blob) for blob in outputs}
        kept = []
        for made in reversed(self.layers):
            if made.layer.role is Role.INPUT or any(id(blob) in read for blob in made.tops):
                kept.append(made)
                read |= {id(blob) for blob in made.bottoms}
        self.layers = kept[::-1]

    def _silence(self, outputs: Mapping[str, Blob]) -> None:
        read = {id(blob) for made in self.layers for blob in made.bottoms}
        read |= {id(blob) for blob in outputs.values()}
        self.begin("silence")
        unread = [
            blob
            for made in self.layers
            if made.layer.role is not Role.INPUT
            for blob in made.tops
            if id(blob) not in read
        ]
        if unread:
            self.add_all(Silence(), unread, 0)

    def _name_blobs(self) -> None:
        taken = {blob.name for made in self.layers for blob in made.tops}
        for made in self.layers:
            for index, blob in enumerate(made.tops):
                if not blob.name:
                    base = "/".join(filter(None, (made.label, made.suffix)))
                    base += f":{index}" if index else ""
                    blob.name = _free(base, taken)
                    taken.add(blob.name)

    def _layer_names(self) -> list[str]:
        taken: set[str] = set()
        found = []
        for made in self.layers:
            wanted = "/".join(filter(None, (made.label, made.suffix)))
            name = _free(wanted, taken)
            if name != wanted and not made.suffix and made.label != self._label:
                self.renamed.append((name, f"another layer is called {wanted!r}"))
            taken.add(name)
            found.append(name)
        return found


def _free(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    return next(one for n in range(2, len(taken) + 3) if (one := f"{name}_{n}") not in taken)


def _others(type: str) -> str:
    """The targets that have a layer type, as a hint."""
    from prototxt_gen.from_onnx import TARGETS

    having = [name for name in TARGETS if layer_class(type) and Target(name).has(type)]
    return f"; --target {' or '.join(having)} does" if having else ""
