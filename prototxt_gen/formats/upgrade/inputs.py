"""``input`` with ``input_shape`` or ``input_dim`` becomes an Input layer before the others."""

from __future__ import annotations

from typing import Literal

from prototxt_gen.diagnostics import Sink
from prototxt_gen.document import Block, Field
from prototxt_gen.formats.text.rewrite import Rewriter, child_type, moved

AXES = 4  #: input_dim lists num, channels, height and width of each input
INPUT_FIELDS = ("input", "input_shape", "input_dim")


def needs_input_upgrade(root: Block) -> bool:
    """Whether the net has ``input`` fields (NetNeedsInputUpgrade)."""
    return root.has("input")


def upgrade_input(root: Block, sink: Sink) -> Block:
    """Input fields as one Input layer named "input" (UpgradeNetInput).

    Caffe drops an ``input`` without any shape: legacy weight files have such. Where
    shapes are missing it reads past the end of the list; here that is an error, and the
    net keeps its input fields.
    """
    if not needs_input_upgrade(root):
        return root
    groups = _shapes(root, sink)
    if groups is None:
        return root
    layer = _input_layer(root, groups) if groups else None
    used = {id(f) for group in groups for f in group}
    out = Rewriter(root.type)
    for field in root:
        if layer is not None and field.name in ("input", "layer"):
            out.keep(layer)
            layer = None
        if field.name not in INPUT_FIELDS:
            out.keep(field)
        elif id(field) not in used and (not groups or field.name != "input"):
            out.drop(field)
    return out.finish(root.comments)


def shape_field(root: Block) -> Literal["input_shape", "input_dim"]:
    """The field that gives inputs their shapes; of both, Caffe reads input_shape."""
    return "input_dim" if root.has("input_dim") and not root.has("input_shape") else "input_shape"


def _shapes(root: Block, sink: Sink) -> list[list[Field]] | None:
    """The fields that give each input its shape; empty without any, None for too few."""
    inputs = [f for f in root if f.name == "input"]
    name = shape_field(root)
    given = [f for f in root if f.name == name]
    if not given:
        _warn(sink, inputs[0], "input without input_shape or input_dim is dropped")
        return []
    if name == "input_shape":
        for field in [f for f in root if f.name == "input_dim"][:1]:
            _warn(sink, field, "input_dim is ignored, since there is also input_shape")
    each = AXES if name == "input_dim" else 1
    if not _fits(sink, given, each * len(inputs), name, len(inputs)):
        return None
    return [given[each * i : each * (i + 1)] for i in range(len(inputs))]


def _fits(sink: Sink, fields: list[Field], expected: int, name: str, inputs: int) -> bool:
    """Whether there are enough; Caffe ignores those that are too many."""
    found = len(fields)
    if found == expected:
        return True
    message = f"{found} {name} for {inputs} input; expected {expected}"
    if found > expected:
        _warn(sink, fields[expected], f"{message}, the rest is ignored")
        return True
    rule = "input-shape-count" if name == "input_shape" else "input-dim-count"
    sink.error(rule, message, span=fields[-1].span)
    return False


def _warn(sink: Sink, field: Field, message: str) -> None:
    sink.warning("input-ignored-field", message, span=field.span)


def _input_layer(root: Block, groups: list[list[Field]]) -> Field:
    """The layer in place of the inputs; what comes before them comes before it."""
    type = child_type(root.type, "layer")
    param_type = child_type(type, "input_param")
    shape_type = child_type(param_type, "shape")
    inputs = [f for f in root if f.name == "input"]
    shapes = [
        _inside(group[0], "shape")
        if group[0].name == "input_shape"
        else _spanning("shape", Block((_inside(f, "dim") for f in group), shape_type), group)
        for group in groups
    ]
    tops = [_inside(f, "top") for f in inputs]
    tops[0].comments = ()
    first = inputs[0]
    place = (first.start, first.value_start, first.end)
    head = [Field("name", "input", *place), Field("type", "Input", *place)]
    param = _spanning("input_param", Block(shapes, param_type), shapes)
    layer = _spanning("layer", Block([*head, *tops, param], type), inputs)
    layer.comments = first.comments
    return layer


def _inside(field: Field, name: str) -> Field:
    """The field one level deeper, without the blank lines of the top level."""
    return moved(field, name, comments=tuple(c for c in field.comments if c is not None))


def _spanning(name: str, value: Block, fields: list[Field]) -> Field:
    return Field(name, value, fields[0].start, fields[0].start, fields[-1].end)
