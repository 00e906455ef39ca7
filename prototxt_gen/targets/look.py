"""A model looked at, op by op, by what a runtime takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import onnx
from onnx import TensorProto, helper, shape_inference

from prototxt_gen.targets import facts
from prototxt_gen.targets.facts import Rule, Target
from prototxt_gen.targets.parts import (
    DOMAINS,
    at_another_opset,
    bodies,
    called,
    functions_of,
    missing,
    name_of,
    nodes_in,
    unknown,
)
from prototxt_gen.to_onnx.export import OLDEST_OPSET

_FUNCTIONS = "nobody has tried functions of a model's own"
_SMALL = 1 << 10  #: bytes of a constant that is looked at


@dataclass(frozen=True, slots=True)
class Finding:
    """What is said of some nodes of one op: a verdict of ``facts``, or ``yes``."""

    op: str
    verdict: str
    nodes: tuple[str, ...]
    why: str = ""
    change: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All that is said of a model for a target."""

    target: Target
    opset: int
    findings: tuple[Finding, ...]

    @property
    def loads(self) -> bool:
        """Whether the runtime loads the model."""
        return all(one.verdict != "no" for one in self.findings)

    @property
    def right(self) -> bool:
        """Whether it loads the model and computes the same."""
        return self.loads and all(one.verdict != "differs" for one in self.findings)

    @property
    def sure(self) -> bool:
        """Whether that does not depend on the values."""
        return all(one.verdict != "may" for one in self.findings)

    @property
    def tried(self) -> bool:
        """Whether each op is one that somebody has tried, or that documents tell of."""
        untried = (self.target.because, _FUNCTIONS)
        return all(one.verdict != "may" or one.why not in untried for one in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "target": self.target.name,
            "title": self.target.title,
            "tried": self.target.tried or None,
            "opset": self.opset,
            "loads": self.loads,
            "right": self.right,
            "sure": self.sure,
            "ops": [{**asdict(one), "nodes": list(one.nodes)} for one in self.findings],
        }


def look(model: onnx.ModelProto, target: Target) -> Report:
    """What a runtime makes of a model; the model's weights may be absent."""
    opset = next((o.version for o in model.opset_import if o.domain in DOMAINS), 0)
    view = _View(model, opset)
    grouped: dict[tuple[str, ...], list[str]] = {}
    for node in nodes_in(model.graph):
        for inner in _looked_at(node, target, view):
            found = list(_findings(inner, target, view)) or [("yes", "", "", "")]
            for key in found:
                grouped.setdefault((name_of(inner), *key), []).append(node.name or node.output[0])
    findings = [
        Finding(op, verdict, tuple(nodes), why, change, source)
        for (op, verdict, why, change, source), nodes in grouped.items()
    ]
    return Report(target, opset, (*_of_model(model), *_of_opset(opset, target), *findings))


def _looked_at(node: onnx.NodeProto, target: Target, view: _View) -> Iterator[onnx.NodeProto]:
    """The node, or what it stands for where the runtime takes functions of a model's own."""
    function = called(node, view.functions)
    if function is None or target.functions != "yes":
        yield node
    if function is not None and target.functions != "no":
        yield from bodies(function, view.functions)


def _of_model(model: onnx.ModelProto) -> Iterator[Finding]:
    """That no runtime can load a model, since a part of it is missing."""
    for node, why in missing(model):
        name = node.name or next(iter(node.output), node.op_type)
        yield Finding("model", "no", (), f"it is not valid ONNX: node {name!r}: {why}")


def _of_opset(opset: int, target: Target) -> Iterator[Finding]:
    least, most = target.opsets
    if not least <= opset <= most:
        why = f"{target.title} takes opsets {least} to {most}; the model has {opset}"
        change = f"convert with --opset {min(max(opset, least, OLDEST_OPSET), most)}"
        # What is older than is promised may go well, by the op.
        verdict = "no" if opset > most or not target.tried else "may"
        yield Finding("opset", verdict, (), why, change, target.source)


def _findings(
    node: onnx.NodeProto, target: Target, view: _View
) -> Iterator[tuple[str, str, str, str]]:
    name = name_of(node)
    impossible = _impossible(node, target, view)
    if impossible:
        yield "no", impossible, "", target.source
        return
    if target.rest:
        rest = facts.target(target.rest)
        none = [one for one in _findings(node, rest, view) if one[0] == "no"]
        if none:
            _, why, change, source = none[0]
            yield "no", f"{rest.title}, which computes the rest: {why}", change, source
            return
    for rule in target.rules:
        if (name in rule.op or "*" in rule.op) and view.holds(rule, node):
            yield rule.verdict, rule.why, rule.change, rule.source or target.source
            if rule.verdict == "no":
                return
    if name not in target.ops and not any(name in rule.op for rule in target.rules):
        if called(node, view.functions) is not None:
            yield "may", _FUNCTIONS, "", target.source
        else:
            yield target.otherwise, target.because, "", target.source


def _impossible(node: onnx.NodeProto, target: Target, view: _View) -> str:
    """Why a runtime cannot have an op, whichever it has; empty if it may."""
    name, own = name_of(node), node.domain in DOMAINS
    if name in target.ops and not (own and target.schemas):
        return ""
    if called(node, view.functions) is not None:
        return "it has no functions of a model's own" if target.functions == "no" else ""
    if own:
        why = "" if name in target.ops else unknown(name, view.opset)
        return why or (at_another_opset(name, view.opset) if target.schemas else "")
    if target.otherwise != "no" and not target.rest and node.domain not in target.domains:
        return f"it has no ops of {node.domain}"
    return ""


class _View:
    """What is known of a model's values."""

    def __init__(self, model: onnx.ModelProto, opset: int) -> None:
        self.opset = opset
        graph = model.graph
        nodes = list(nodes_in(graph))
        self.functions = functions_of(model)
        self.constants = {tensor.name for tensor in graph.initializer}
        self.constants |= {n.output[0] for n in nodes if n.op_type == "Constant"}
        self.read = {name for node in nodes for name in node.input}
        self.read |= {value.name for value in graph.output}
        self.types: dict[str, onnx.TypeProto.Tensor] = {}
        inferred = _inferred(model)
        for value in (*inferred.input, *inferred.value_info, *inferred.output):
            self.types[value.name] = value.type.tensor_type
        self.shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
        for name, told in self.types.items():
            if told.HasField("shape"):
                self.shapes[name] = [dim.dim_value for dim in told.shape.dim]
        self.numbers = {tensor.name: tensor.data_type for tensor in graph.initializer}
        self.makers = {name: node.op_type for node in nodes for name in node.output}
        self.values = {tensor.name: _values(tensor) for tensor in graph.initializer}
        for node in nodes:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.values[node.output[0]] = _values(node.attribute[0].t)

    def holds(self, rule: Rule, node: onnx.NodeProto) -> bool:
        """Whether all conditions of a rule hold for a node."""
        opset, given = self.opset, {one.name: one for one in node.attribute}
        return (
            (not rule.since or opset >= rule.since)
            and (not rule.before or opset < rule.before)
            and (not rule.has or rule.has in given)
            and (not rule.output or self._is_read(node, rule.output))
            and (not rule.computed or self._is_computed(node, rule.computed))
            and (not rule.type or self._type(node) == rule.type)
            and (not rule.axes_apart or _apart(self._axes(node, given), rule.axes_apart))
            and (not rule.spatial or self._rank(node) - 2 in rule.spatial)
            and (not rule.negative or self._all(node, rule.negative, lambda one: one < 0))
            and (not rule.zero or self._all(node, rule.zero, lambda one: one == 0))
            and (not rule.above or self._all(node, rule.above[0], rule.above[1].__lt__))
            and (not rule.not_ones or _not_ones(given.get(rule.not_ones)))
            and (not rule.version or _version(node, opset) >= rule.version)
            and (not rule.after or self.makers.get(_input(node, 0)) == rule.after)
        )

    def _is_read(self, node: onnx.NodeProto, index: int) -> bool:
        return index < len(node.output) and node.output[index] in self.read

    def _is_computed(self, node: onnx.NodeProto, index: int) -> bool:
        name = _input(node, index)
        return bool(name) and name not in self.constants

    def _all(self, node: onnx.NodeProto, index: int, holds: Callable[[Any], bool]) -> bool:
        """Whether something holds for all values of an input that is a small constant."""
        value = self.values.get(_input(node, index))
        return value is not None and all(holds(one) for one in value.ravel().tolist())

    def _rank(self, node: onnx.NodeProto) -> int:
        return len(self.shapes.get(_input(node, 0), ()))

    def _type(self, node: onnx.NodeProto) -> str:
        name = _input(node, 0)
        number = self.types[name].elem_type if name in self.types else self.numbers.get(name, 0)
        return TensorProto.DataType.Name(number).lower()

    def _axes(
        self, node: onnx.NodeProto, given: Mapping[str, onnx.AttributeProto]
    ) -> Sequence[int]:
        """The axes that a node reduces, but for those of size 1."""
        if "axes" in given:
            axes = list(helper.get_attribute_value(given["axes"]))
        else:
            values = self.values.get(_input(node, 1))
            axes = [] if values is None else [int(one) for one in values]
        shape = self.shapes.get(_input(node, 0), [])
        return sorted(axis % len(shape) for axis in axes if shape and shape[axis] != 1)


def _inferred(model: onnx.ModelProto) -> onnx.GraphProto:
    """The graph with the types of its values, where they can be known."""
    try:
        return shape_inference.infer_shapes(model).graph
    except (shape_inference.InferenceError, ValueError):
        # An operator of another domain, or a model that one message cannot hold.
        return model.graph


def _values(tensor: onnx.TensorProto) -> Any:
    """The values of a tensor that is small, and in the model; else None."""
    data = (tensor.raw_data, tensor.float_data, tensor.int64_data, tensor.int32_data)
    if tensor.ByteSize() > _SMALL or not any(map(len, data)):
        return None
    return onnx.numpy_helper.to_array(tensor)


def _input(node: onnx.NodeProto, index: int) -> str:
    return str(node.input[index]) if index < len(node.input) else ""


def _not_ones(given: onnx.AttributeProto | None) -> bool:
    return given is not None and any(value != 1 for value in helper.get_attribute_value(given))


def _version(node: onnx.NodeProto, opset: int) -> int:
    """The opset in which an op got the form that it has in this one; 0 if it is not ONNX's."""
    try:
        return int(onnx.defs.get_schema(node.op_type, opset).since_version)
    except onnx.defs.SchemaError:
        return 0


def _apart(axes: Sequence[int], least: int) -> bool:
    """Whether axes are so many, and not all neighbours."""
    return len(axes) >= least and list(axes) != list(range(axes[0], axes[0] + len(axes)))
