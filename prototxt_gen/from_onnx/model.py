"""An ONNX graph as the lifting sees it: operators, constants and shapes, all resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.parts.onnx_operands import number as number

Array = np.ndarray[Any, np.dtype[Any]]
_MISSING: Any = object()


@dataclass(eq=False)
class Op:
    """One operator of a model; its inputs and outputs are names of values, '' if absent.

    An ``op_type`` that ONNX does not have stands for several operators that a pattern joined.
    """

    op_type: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]
    model: Model
    name: str = ""

    @property
    def label(self) -> str:
        """The name to call it by."""
        return self.name or next((name for name in self.outputs if name), self.op_type)

    @property
    def opset(self) -> int:
        """The version of ONNX's operators."""
        return self.model.opset

    def attribute(self, name: str, default: Any = None) -> Any:
        """The value of an attribute."""
        return self.attributes.get(name, default)

    def has(self, index: int) -> bool:
        """Whether an input is given."""
        return index < len(self.inputs) and bool(self.inputs[index])

    def constant(self, index: int) -> Array | None:
        """The value of an input, if it is a constant."""
        return self.model.constants.get(self.inputs[index]) if self.has(index) else None

    def need_constant(self, index: int, what: str) -> Array:
        """The value of an input; raises UnsupportedError if it is computed."""
        value = self.constant(index)
        if value is None:
            raise UnsupportedError(f"its {what} are computed from the inputs; expected a constant")
        return value

    def setting(self, name: str, index: int, default: Any = _MISSING) -> Any:
        """An attribute that became an input in a later opset, as a list or a number.

        Raises UnsupportedError if it is computed, or lacks and has no default.
        """
        if name in self.attributes:
            return self.attributes[name]
        if self.has(index):
            return self.need_constant(index, name).tolist()
        if default is _MISSING:
            raise UnsupportedError(f"its {name} are not given")
        return default

    def shape(self, index: int = 0) -> tuple[int, ...]:
        """The shape of an input; raises UnsupportedError if it is not known."""
        return self.model.shape(self.inputs[index])

    def kind(self, index: int = 0) -> str:
        """What numpy calls the type of an input."""
        return self.model.kind(self.inputs[index])

    def top_shape(self, index: int = 0) -> tuple[int, ...]:
        """The shape of an output; raises UnsupportedError if it is not known."""
        return self.model.shape(self.outputs[index])

    def instead(
        self,
        kind: str,
        inputs: list[str],
        attributes: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> Op:
        """Another operator for the same outputs, with this one's name unless one is given."""
        label = self.name if name is None else name
        return Op(kind, inputs, self.outputs, attributes or {}, self.model, label)

    def add_constant(self, what: str, value: Array) -> str:
        """A new constant of the model, named after this operator; its name."""
        return self.model.add_constant(f"{self.outputs[0]}/{what}", value)


@dataclass(eq=False)
class Model:
    """A model: inputs that are not constants, operators in order, and what is known of values."""

    name: str = ""
    opset: int = 0
    producer: str = ""
    inputs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    shapes: dict[str, tuple[int | None, ...]] = field(default_factory=dict)
    #: What numpy calls the type of a value, where it is no float32.
    kinds: dict[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    #: What was done to the model that its user should know: the operator, its type, what.
    notes: list[tuple[str, str, str]] = field(default_factory=list)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a value; raises UnsupportedError if it is not known."""
        if name in self.constants:
            return tuple(self.constants[name].shape)
        found = self.shapes.get(name)
        if found is None:
            raise UnsupportedError(f"the shape of {name!r} is not known")
        known = tuple(dim for dim in found if dim is not None)
        if len(known) < len(found):
            raise UnsupportedError(
                f"the shape of {name!r} depends on values; give the shapes of the inputs with "
                "--input-shape, if these leave it open"
            )
        return known

    def kind(self, name: str) -> str:
        """What numpy calls the type of a value."""
        if name in self.constants:
            return self.constants[name].dtype.name
        return self.kinds.get(name, "float32")

    def makers(self) -> dict[str, Op]:
        """The operator that makes each value."""
        return {name: op for op in self.ops for name in op.outputs if name}

    def readers(self) -> dict[str, list[Op]]:
        """The operators that read each value, once for each reading."""
        found: dict[str, list[Op]] = {}
        for op in self.ops:
            for name in op.inputs:
                if name:
                    found.setdefault(name, []).append(op)
        return found

    def add_constant(self, name: str, value: Array) -> str:
        """A new constant; its name, which is another where a value has the name already."""
        taken = self.constants.keys() | self.shapes.keys() | self.inputs.keys()
        label, number = name, 1
        while label in taken:
            number += 1
            label = f"{name}_{number}"
        self.constants[label] = value
        return label

    def drop_unread(self) -> None:
        """Remove operators none of whose outputs are needed."""
        wanted = set(self.outputs)
        kept = []
        for op in reversed(self.ops):
            if not wanted.isdisjoint(op.outputs):
                kept.append(op)
                wanted.update(filter(None, op.inputs))
        self.ops = kept[::-1]

    def rename(self, value: str, output: str) -> bool:
        """Whether a value that nothing reads could be given the name of an output."""
        maker = next((op for op in self.ops if value in op.outputs), None)
        read = value in self.outputs or any(value in op.inputs for op in self.ops)
        if maker is None or read:
            return False
        maker.outputs = [output if name == value else name for name in maker.outputs]
        if value in self.kinds:
            self.kinds[output] = self.kinds[value]
        return True

    def replace(self, old: str, new: str) -> None:
        """Read another value wherever one is read."""
        for op in self.ops:
            op.inputs = [new if name == old else name for name in op.inputs]
