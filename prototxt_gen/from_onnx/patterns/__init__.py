"""Several operators that stand for one, as exporters write them.

A pattern looks at the last operator of a group. It returns one that computes the same from the
group's inputs, and those that nothing reads any more are removed; None if it does not match.
Each pattern has a case in ``tests/from_onnx``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module

from prototxt_gen.from_onnx.model import Model, Op, number

Pattern = Callable[[Op, "View"], Op | None]

#: The modules with patterns; those of one operator are tried in this order.
MODULES_OF_PATTERNS: tuple[str, ...] = (
    "activations",
    "lines",
    "scales",
    "windows",
    "pixels",
    "response",
    "orders",
    "shapes",
    "norms",
    "reductions",
    "sequence",
    "torch",
)
_EARLY: dict[str, list[Pattern]] = {}
_LATE: dict[str, list[Pattern]] = {}


def pattern(*last: str, late: bool = False) -> Callable[[Pattern], Pattern]:
    """Register a pattern by its last operator; its docstring is the formula.

    ``late`` ones are for plain arithmetic, which is a part of what the others look for.
    """

    def register(function: Pattern) -> Pattern:
        for name in last:
            (_LATE if late else _EARLY).setdefault(name, []).append(function)
        return function

    return register


@cache
def patterns() -> tuple[dict[str, list[Pattern]], ...]:
    """All patterns by their last operator, the early ones and the late ones."""
    for name in MODULES_OF_PATTERNS:
        import_module(f"prototxt_gen.from_onnx.patterns.{name}")
    return _EARLY, _LATE


class View:
    """Who makes and who reads each value of a model, while groups are replaced."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._makers = model.makers()
        self._readers = model.readers()
        self._outputs = set(model.outputs)
        self._ops: list[Op | None] = [*model.ops]
        self._places = {id(op): place for place, op in enumerate(model.ops)}

    def has(self, op: Op) -> bool:
        """Whether an operator is still there."""
        return id(op) in self._places

    def finish(self) -> None:
        """Give the model the operators that are left."""
        self.model.ops = [op for op in self._ops if op is not None]

    def maker(self, name: str, *types: str) -> Op | None:
        """The operator of one of the types that makes a value; None if another one does."""
        op = self._makers.get(name)
        return op if op is not None and op.op_type in types else None

    def inner(self, name: str, *types: str) -> Op | None:
        """The same, if the value has no other reader and can go."""
        return self.maker(name, *types) if self.is_inner(name) else None

    def part(self, name: str, *types: str) -> Op | None:
        """The same, if our own conversion did not write it for another layer than its reader."""
        maker = self.inner(name, *types)
        own = self.model.producer == "resnet-proto"
        if maker is None or (own and maker.label != self._readers[name][0].label):
            return None
        return maker

    def is_inner(self, name: str) -> bool:
        """Whether a value has one reader and is no output of the model."""
        return len(self._readers.get(name, ())) == 1 and name not in self._outputs

    def readers(self, name: str) -> list[Op]:
        """The operators that read a value, once for each reading."""
        return list(self._readers.get(name, ()))

    def is_output(self, name: str) -> bool:
        """Whether a value is an output of the model."""
        return name in self._outputs

    def scalar(self, name: str) -> float | None:
        """The number that a value is, if it is a constant of one element."""
        value = self.model.constants.get(name)
        return number(value.flat[0]) if value is not None and value.size == 1 else None

    def replace(self, old: Op, new: Op) -> None:
        """Put an operator in the place of another; what only that one needed goes."""
        self._places[id(new)] = self._places.pop(id(old))
        self._ops[self._places[id(new)]] = new
        for name in filter(None, new.inputs):
            self._readers.setdefault(name, []).append(new)
        for name in filter(None, new.outputs):
            self._makers[name] = new
        self._release(old)

    def _release(self, old: Op) -> None:
        gone = [old]
        while gone:
            op = gone.pop()
            for name in filter(None, op.inputs):
                readers = self._readers[name]
                readers.remove(op)
                maker = self._makers.get(name)
                if not readers and maker is not None and not self._is_needed(maker):
                    self._ops[self._places.pop(id(maker))] = None
                    gone.append(maker)

    def _is_needed(self, op: Op) -> bool:
        return any(self._readers.get(name) or name in self._outputs for name in op.outputs)


def pairs(op: Op) -> Iterator[tuple[str, str]]:
    """The inputs of an operator whose two may change places, in both orders."""
    if len(op.inputs) == 2:
        a, b = op.inputs
        yield a, b
        yield b, a


def with_number(op: Op | None, view: View) -> tuple[str, float] | None:
    """The computed input of an operator, and the number that the other one is."""
    for x, other in pairs(op) if op is not None else ():
        value = view.scalar(other)
        if value is not None and view.scalar(x) is None and _keeps_shape(view, op, x):
            return x, value
    return None


def _keeps_shape(view: View, op: Op | None, x: str) -> bool:
    shapes = view.model.shapes
    return op is not None and x in shapes and shapes[x] == shapes.get(op.outputs[0])


def fuse(model: Model) -> None:
    """Replace every group that a pattern knows."""
    for known in patterns():
        _fuse(model, known)


def _fuse(model: Model, known: dict[str, list[Pattern]]) -> None:
    view = View(model)
    for op in model.ops:
        current, found = op, view.has(op)
        while found:
            found = False
            for one in known.get(current.op_type, ()):
                made = one(current, view)
                if made is not None:
                    view.replace(current, made)
                    current, found = made, True
                    break
    view.finish()
