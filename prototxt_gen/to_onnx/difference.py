"""The first difference between a model at hand and one that was just exported.

What does not change what a model computes, or what its parts are called, is not compared: the
order of nodes and of initializers, descriptions, inferred shapes, the version of the format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import onnx
from onnx import helper, numpy_helper

from prototxt_gen._words import plural
from prototxt_gen.to_onnx.export import Array, Exported
from prototxt_gen.to_onnx.source import same_bits

_OURS = ("", "ai.onnx")


def difference(found: onnx.ModelProto, made: Exported, unread: Mapping[str, Array]) -> str | None:
    """What is first different in ``found``, as one line; None where all is equal.

    ``unread`` are the weights that it does not have itself.
    """
    return next(_differences(found, made, unread), None)


def _differences(
    found: onnx.ModelProto, made: Exported, unread: Mapping[str, Array]
) -> Iterator[str]:
    stored = made.skeleton
    yield from _interface(found, stored)
    yield from _nodes(found.graph, stored.graph)
    yield from _initializers(found.graph, made, unread)


def _interface(found: onnx.ModelProto, stored: onnx.ModelProto) -> Iterator[str]:
    if found.functions or found.graph.sparse_initializer or found.training_info:
        yield "the model has functions, sparse weights or training, stored none"
    opset, wanted = (_opset(model) for model in (found, stored))
    if opset != wanted:
        yield f"the opset is {opset}, stored {wanted}"
    for kind in ("input", "output"):
        ours = {value.name: _type(value.type) for value in getattr(found.graph, kind)}
        theirs = {value.name: _type(value.type) for value in getattr(stored.graph, kind)}
        yield from _of_tables(kind, ours, theirs)
        if list(ours) != list(theirs):
            yield f"the {kind}s are {_listed(ours)}, stored {_listed(theirs)}"


def _nodes(found: onnx.GraphProto, stored: onnx.GraphProto) -> Iterator[str]:
    ours, theirs = _by_name(found.node), _by_name(stored.node)
    for name in theirs:
        if name in ours:
            yield from _of_nodes(name, ours[name], theirs[name])
        else:
            yield f"node {name}: gone"
    for name in ours:
        if name not in theirs:
            yield f"node {name}: new"
    if len(found.node) != len(stored.node):
        yield f"it has {plural(len(found.node), 'node')}, stored {len(stored.node)}"


def _of_nodes(name: str, ours: onnx.NodeProto, theirs: onnx.NodeProto) -> Iterator[str]:
    if (ours.op_type, ours.domain) != (theirs.op_type, theirs.domain):
        yield f"node {name}: it is {ours.op_type}, stored {theirs.op_type}"
    for kind in ("input", "output"):
        own, kept = list(getattr(ours, kind)), list(getattr(theirs, kind))
        if own != kept:
            yield f"node {name}: its {kind}s are {_listed(own)}, stored {_listed(kept)}"
    tables = [{a.name: a for a in node.attribute} for node in (ours, theirs)]
    for key in dict.fromkeys((*tables[1], *tables[0])):
        a, b = (table.get(key) for table in tables)
        if a is None or b is None or not _same_attribute(a, b):
            yield f"node {name}: attribute {key} is {_shown(a)}, stored {_shown(b)}"


def _same_attribute(ours: onnx.AttributeProto, theirs: onnx.AttributeProto) -> bool:
    if ours.type == theirs.type == onnx.AttributeProto.TENSOR:
        a, b = numpy_helper.to_array(ours.t), numpy_helper.to_array(theirs.t)
        return a.shape == b.shape and a.dtype == b.dtype and same_bits(a, b)
    pair = [onnx.AttributeProto(), onnx.AttributeProto()]
    for copy, original in zip(pair, (ours, theirs), strict=True):
        copy.CopyFrom(original)
        copy.ClearField("doc_string")
    texts = {copy.SerializeToString(deterministic=True) for copy in pair}
    return len(texts) == 1


def _initializers(
    found: onnx.GraphProto, made: Exported, unread: Mapping[str, Array]
) -> Iterator[str]:
    ours = {tensor.name: tensor for tensor in found.initializer}
    for tensor in made.skeleton.graph.initializer:
        own = ours.get(tensor.name)
        if own is None:
            yield f"initializer {tensor.name}: gone"
            continue
        kinds = [(one.data_type, list(one.dims)) for one in (own, tensor)]
        if kinds[0] != kinds[1]:
            yield f"initializer {tensor.name}: it is {_kind(own)}, stored {_kind(tensor)}"
            continue
        value = unread.get(own.name)
        value = numpy_helper.to_array(own) if value is None else value
        if not same_bits(value, made.values[tensor.name]):
            yield f"initializer {tensor.name}: its values are others than the net would give it"
    if len(found.initializer) != len(made.values):
        new = [name for name in ours if name not in made.values]
        yield f"initializer {new[0] if new else 'names'}: new"


def _of_tables(what: str, ours: dict[str, str], theirs: dict[str, str]) -> Iterator[str]:
    for name, kind in theirs.items():
        if name not in ours:
            yield f"{what} {name}: gone"
        elif ours[name] != kind:
            yield f"{what} {name}: it is {ours[name]}, stored {kind}"
    for name in ours:
        if name not in theirs:
            yield f"{what} {name}: new"


def _opset(model: onnx.ModelProto) -> int:
    return next((one.version for one in model.opset_import if one.domain in _OURS), 0)


def _by_name(nodes: Iterable[onnx.NodeProto]) -> dict[str, onnx.NodeProto]:
    return {node.name or next(iter(node.output), ""): node for node in nodes}


def _type(type: onnx.TypeProto) -> str:
    tensor = type.tensor_type
    dims = [d.dim_param if d.HasField("dim_param") else str(d.dim_value) for d in tensor.shape.dim]
    return f"{_name(tensor.elem_type)} {'x'.join(dims)}".strip()


def _name(kind: int) -> str:
    """A type of elements, in words; one that ONNX does not have by its number."""
    known = kind in onnx.TensorProto.DataType.values()
    return onnx.TensorProto.DataType.Name(kind).lower() if known else f"type {kind}"


def _kind(tensor: onnx.TensorProto) -> str:
    return f"{_name(tensor.data_type)} {'x'.join(map(str, tensor.dims))}".strip()


def _shown(attribute: onnx.AttributeProto | None) -> str:
    if attribute is None:
        return "absent"
    value: Any = helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        return _kind(value)
    if isinstance(value, bytes):
        return repr(value.decode("utf-8", "replace"))
    return str(list(value)) if attribute.type >= onnx.AttributeProto.FLOATS else str(value)


def _listed(names: Iterable[str]) -> str:
    return "[" + ", ".join(names) + "]"
