"""Each operator of a model as layers, or a reason against it.

A type of layer lifts an operator that it alone stands for (``Layer.lift``), and a rule one
that takes several layers. All refusals are reported together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module

from prototxt_gen.diagnostics import Diagnostic, Severity, Sink
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.from_onnx.model import Model, Op
from prototxt_gen.from_onnx.net import Blob, Net
from prototxt_gen.from_onnx.target import Target
from prototxt_gen.layers import MODULES
from prototxt_gen.layers.base import REGISTRY, Layer
from prototxt_gen.layers.parts.shapes import show

#: The blobs of the outputs, in order; None if the rule is not for this form of the operator.
Made = Blob | Sequence[Blob | None] | None
Rule = Callable[["Lifting", Op], Made]

#: The modules with rules, in the order in which those of one operator are tried.
MODULES_OF_RULES = (
    "arithmetic",
    "activations",
    "comparisons",
    "windows",
    "pools",
    "padding",
    "resize",
    "pixels",
    "shapes",
    "slicing",
    "matrices",
    "reductions",
    "norms",
    "sequence",
)
_RULES: dict[str, list[Rule]] = {}


def rule(*operators: str) -> Callable[[Rule], Rule]:
    """Register a rule for operators; its docstring says what they become."""

    def register(function: Rule) -> Rule:
        for name in operators:
            _RULES.setdefault(name, []).append(function)
        return function

    return register


@cache
def rules() -> dict[str, list[Rule]]:
    """All rules by operator."""
    for name in MODULES_OF_RULES:
        import_module(f"prototxt_gen.from_onnx.rules.{name}")
    return _RULES


def liftable() -> dict[str, list[type[Layer]]]:
    """The layer types that lift an operator, by its name."""
    for name in dict.fromkeys(MODULES.values()):
        import_module(f"prototxt_gen.layers.{name}")
    found: dict[str, list[type[Layer]]] = {}
    for cls in dict.fromkeys(REGISTRY.values()):
        for op in vars(cls).get("lifts", ()):  # not what its base lifts
            found.setdefault(op, []).append(cls)
    return found


class Lifting:
    """The model, the net that it becomes, and which value is which blob."""

    def __init__(self, model: Model, target: Target) -> None:
        self.model = model
        self.net = Net(target)
        self.blobs: dict[str, Blob] = {}
        self._liftable = liftable()
        self._rules = rules()
        self._makers, self._readers = model.makers(), model.readers()

    @property
    def target(self) -> Target:
        """The Caffe that the net is for."""
        return self.net.target

    def blob(self, name: str) -> Blob:
        """The blob of a value; a constant becomes one."""
        if name not in self.blobs:
            value = self.model.constants.get(name)
            if value is None:
                raise UnsupportedError(f"the value {name!r} is not computed by an earlier node")
            self.blobs[name] = self.net.constant(value)
        return self.blobs[name]

    def bottom(self, op: Op, index: int = 0) -> Blob:
        """The blob of an operator's input; raises UnsupportedError if it is not given."""
        if not op.has(index):
            raise UnsupportedError(f"its input {index} is not given")
        return self.blob(op.inputs[index])

    def maker(self, name: str) -> Op | None:
        """The operator that makes a value; None for an input or a constant."""
        return self._makers.get(name)

    def readers(self, name: str) -> list[Op]:
        """The operators that read a value, once for each reading."""
        return self._readers.get(name, [])

    def is_read(self, op: Op, index: int) -> bool:
        """Whether an operator has an output, and it is needed."""
        name = op.outputs[index] if index < len(op.outputs) else ""
        return bool(self.readers(name)) or name in self.model.outputs

    def run(self) -> None:
        """Lift every operator; raises UnsupportedError with all reasons."""
        for name, shape in self.model.inputs.items():
            self.blobs[name] = self.net.input(name, shape)
        sink, refused = Sink(), Counter[str]()
        lost: set[str] = set()
        for op in self.model.ops:
            if not lost.isdisjoint(op.inputs):
                lost.update(filter(None, op.outputs))
                continue
            kept = len(self.net.layers)
            try:
                self._lift(op)
            except UnsupportedError as error:
                del self.net.layers[kept:]
                refused[op.op_type] += 1
                sink.error("unsupported", f"{op.op_type}: {error.reason}", layer=op.label)
                lost.update(filter(None, op.outputs))
        if sink.errors:
            counts = ", ".join(f"{number} {name}" for name, number in refused.most_common())
            text = f"the model cannot become a net for {self.target.name}: {counts}"
            summary = Diagnostic("unsupported", Severity.NOTE, text, help=self._way_out(lost))
            raise UnsupportedError(text, diagnostics=[summary, *sink.errors])

    def _way_out(self, lost: set[str]) -> str | None:
        """How to convert what comes before the operators that are refused."""
        beyond = [op for op in self.model.ops if not lost.isdisjoint(op.outputs)]
        read = [name for op in beyond for name in op.inputs]
        ends = [name for name in self.model.outputs if name not in lost]
        ends += [name for name in read if name in self.blobs and name not in self.model.inputs]
        names = ",".join(dict.fromkeys(name for name in ends if self.maker(name) is not None))
        return f"--outputs {names} ends the net before them" if names else None

    def _lift(self, op: Op) -> None:
        for name in op.outputs:
            if 0 in self.model.shapes.get(name, ()):
                raise UnsupportedError(f"its output {name!r} is empty")
        self.net.begin(op.label)
        made = self._layer(op)
        if made is None:
            for one in self._rules.get(op.op_type, ()):
                made = one(self, op)
                if made is not None:
                    break
        if made is None:
            raise UnsupportedError("no layer of Caffe computes it, alone or with others")
        tops = [made] if isinstance(made, Blob) else list(made)
        # An operator that changes nothing gives its bottom the name of an output.
        outputs = self.model.outputs
        kept = {*outputs, *self.model.inputs}
        for index, name in enumerate(op.outputs):
            blob = tops[index] if index < len(tops) else None
            if not name:
                continue
            if blob is None:
                if self.is_read(op, index):
                    raise UnsupportedError(f"its output {name!r} has no counterpart in Caffe")
                continue
            self._need_shape(name, blob)
            self.blobs[name] = blob
            if not blob.name or (name in outputs and blob.name not in kept):
                blob.name = name

    def _layer(self, op: Op) -> Made:
        """The operator as one layer; one that the target lacks only if there is no rule."""
        for cls in self._liftable.get(op.op_type, ()):
            if not self.target.has(cls.type) and op.op_type in self._rules:
                continue
            try:
                lifted = cls.lift(op)
            except ShapeError:  # of a layer that no Caffe would make; a rule may know another
                continue
            if lifted is not None:
                bottoms = [self.bottom(op, index) for index in lifted.bottoms]
                tops = len([name for name in op.outputs if name])
                return self.net.add_all(lifted.layer, bottoms, tops, lifted.blobs)
        return None

    def _need_shape(self, name: str, blob: Blob) -> None:
        """A top has the shape that ONNX says; anything else is a bug of a rule."""
        shape = self.model.shapes.get(name)
        if shape is not None and None not in shape and tuple(shape) != blob.shape:
            raise UnsupportedError(
                f"its output {name!r} would be {show(blob.shape)}; the model says {show(shape)}"
            )
