"""What Caffe does to an old file when it reads it (upgrade_proto.cpp).

:func:`upgrade_net` does all of it in Caffe's order: V0 to V1, transformation fields of
data layers, V1 to V2, input fields, BatchNorm. Each step can also be called alone, and none
changes the block it is given; parts that a step leaves unchanged are shared with that block.
"""

from __future__ import annotations

from pathlib import PurePath

from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Sink
from prototxt_gen.document import Block, Field, Symbol
from prototxt_gen.formats.text.rewrite import Rewriter, changed, child_type, moved, shown
from prototxt_gen.formats.upgrade.frozen import is_frozen
from prototxt_gen.formats.upgrade.inputs import (
    needs_input_upgrade,
    shape_field,
    upgrade_input,
)
from prototxt_gen.formats.upgrade.v0 import TRANSFORM, needs_v0_upgrade, upgrade_v0
from prototxt_gen.formats.upgrade.v1 import (
    check_layer_and_layers,
    needs_v1_upgrade,
    upgrade_v1,
)

__all__ = [
    "needs_batch_norm_upgrade",
    "needs_data_upgrade",
    "needs_input_upgrade",
    "needs_solver_upgrade",
    "needs_upgrade",
    "needs_v0_upgrade",
    "needs_v1_upgrade",
    "upgrade_batch_norm",
    "upgrade_data",
    "upgrade_input",
    "upgrade_net",
    "upgrade_solver",
    "upgrade_v0",
    "upgrade_v1",
]

#: V1 data layer -> the sub-message with the deprecated fields.
DATA_PARAMETERS = {
    "DATA": "data_param",
    "IMAGE_DATA": "image_data_param",
    "WINDOW_DATA": "window_data_param",
}
TRANSFORM_FIELDS = tuple(TRANSFORM.values())
BATCH_NORM_PARAMS = 3
BATCH_NORM_ZEROS = ("lr_mult", "decay_mult")
SOLVER_TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}
SOLVER_NETS = ("net_param", "train_net_param", "test_net_param")


def needs_upgrade(root: Block, inputs: bool = True) -> bool:
    """Whether :func:`upgrade_net` would change this net."""
    return (
        needs_v1_upgrade(root)
        or (inputs and needs_input_upgrade(root))
        or needs_batch_norm_upgrade(root)
    )


def upgrade_net(
    root: Block, sink: Sink, inputs: bool = True, changes: list[str] | None = None
) -> Block:
    """The net as Caffe sees it after reading it (UpgradeNetAsNeeded).

    ``inputs=False`` leaves the input fields to the caller; ``changes`` gets a line for each
    step that is taken. What cannot be upgraded is reported, and the rest is upgraded anyway.
    """
    check_layer_and_layers(root, sink)
    said = changes if changes is not None else []
    net = Block(root, root.type, root.comments)
    if needs_v0_upgrade(net):
        said.append(f"{plural(len(net.blocks('layers')), 'V0 layer')} upgraded to V1")
        net = upgrade_v0(net, sink)
    if needs_data_upgrade(net):
        count = sum(bool(_deprecated_fields(layers)) for layers in net.blocks("layers"))
        said.append(f"transformations of {plural(count, 'data layer')} moved to transform_param")
        net = upgrade_data(net, sink)
    if needs_v1_upgrade(net):
        said.append(f"{plural(len(net.all('layers')), 'V1 layer')} upgraded to layer")
        net = upgrade_v1(net, sink)
    if inputs and needs_input_upgrade(net):
        shaped = net.has(shape_field(net))
        made = "upgraded to an Input layer" if shaped else "without a shape left out"
        said.append(f"{plural(len(net.all('input')), 'input')} {made}")
        net = upgrade_input(net, sink)
    if needs_batch_norm_upgrade(net):
        count = sum(_would_learn(layer) for layer in net.blocks("layer"))
        said.append(f"lr_mult and decay_mult of {plural(count, 'BatchNorm layer')} set to 0")
        net = upgrade_batch_norm(net)
    return net


def needs_data_upgrade(root: Block) -> bool:
    """Whether a V1 data layer has transformation fields outside transform_param.

    Only V1: Caffe neither moves nor reads these fields in a present-day ``layer``
    (NetNeedsDataUpgrade).
    """
    return any(_deprecated_fields(layers) for layers in root.blocks("layers"))


def _deprecated_fields(layers: Block) -> list[Field]:
    name = DATA_PARAMETERS.get(layers.get("type", str, ""))
    if name is None:
        return []
    return [field for field in layers.block(name) if field.name in TRANSFORM_FIELDS]


def upgrade_data(root: Block, sink: Sink) -> Block:
    """Move these fields to transform_param, where they win (UpgradeNetDataTransformation)."""
    return changed(root, "layers", lambda layers: _upgrade_transform(layers, sink))


def _upgrade_transform(layers: Block, sink: Sink) -> Block:
    deprecated = {field.name: field for field in _deprecated_fields(layers)}
    if not deprecated:
        return layers
    source = layers.field(DATA_PARAMETERS[layers.get("type", str, "")])
    target = layers.field("transform_param")
    type = child_type(layers.type, "transform_param")
    out = Rewriter(layers.type)
    for field in layers:
        if field is target and isinstance(field.value, Block):
            out.keep(field, value=_with_fields(layers, field.value, deprecated, sink))
        elif field is source and isinstance(field.value, Block):
            left = Block(field.value, field.value.type, field.value.comments)
            left.remove(*TRANSFORM_FIELDS)
            out.keep(field, value=left)
            if target is None:
                place = (field.start, field.value_start, field.end)
                out.keep(Field("transform_param", Block(deprecated.values(), type), *place))
        else:
            out.keep(field)
    return out.finish(layers.comments)


def _with_fields(layers: Block, old: Block, fields: dict[str, Field], sink: Sink) -> Block:
    out = Rewriter(old.type)
    for field in old:
        if field.name not in fields:
            out.keep(field)
            continue
        out.drop(field)
        winner = fields[field.name]
        if winner.value != field.value:
            sink.warning(
                "transform-overridden",
                f"{field.name} {field.value!r} in transform_param is overridden by "
                f"{winner.value!r} in {DATA_PARAMETERS[layers.get('type', str, '')]}",
                span=field.span,
                layer=layers.get("name", str, "") or None,
            )
    for field in fields.values():
        out.keep(field)
    return out.finish(old.comments)


def needs_batch_norm_upgrade(root: Block) -> bool:
    """Whether a BatchNorm with three ``param`` would learn its statistics.

    Caffe (NetNeedsBatchNormUpgrade) only looks for three ``param``, so it upgrades a net again.
    """
    return any(_would_learn(layer) for layer in root.blocks("layer"))


def _would_learn(layer: Block) -> bool:
    if layer.get("type", str, "") != "BatchNorm":
        return False
    params = layer.blocks("param")
    return len(params) == BATCH_NORM_PARAMS and not all(
        is_frozen(param, BATCH_NORM_ZEROS) for param in params
    )


def upgrade_batch_norm(root: Block) -> Block:
    """Set lr_mult and decay_mult of such a layer's ``param`` to 0 (UpgradeNetBatchNorm)."""
    return changed(root, "layer", _freeze_layer)


def _freeze_layer(layer: Block) -> Block:
    return changed(layer, "param", _freeze) if _would_learn(layer) else layer


def _freeze(param: Block) -> Block:
    frozen = Block(
        (moved(f, f.name, 0.0) if f.name in BATCH_NORM_ZEROS else f for f in param),
        param.type,
        param.comments,
    )
    for name in BATCH_NORM_ZEROS:
        if not param.has(name):
            frozen.add(name, 0.0)
    return frozen


def needs_solver_upgrade(root: Block) -> bool:
    """Whether :func:`upgrade_solver` would change this solver, apart from its path."""
    return root.has("solver_type") or any(
        needs_upgrade(net) for name in SOLVER_NETS for net in root.blocks(name)
    )


def upgrade_solver(
    root: Block, sink: Sink, path: str | None = None, changes: list[str] | None = None
) -> Block:
    """The solver with ``type`` for ``solver_type`` (UpgradeSolverType), its nets upgraded.

    ``changes`` gets a line for each step that is taken.
    Caffe also gives a solver without snapshot_prefix its file's name without the suffix;
    so does this function where ``path`` is given. (Caffe's other rule, for a prefix
    that is a directory, depends on the machine that trains and is not applied.)
    """
    said = changes if changes is not None else []
    out = Rewriter(root.type)
    for field in root:
        if field.name == "solver_type":
            said.append(f"solver_type {shown(field.value)} upgraded to type")
            _upgrade_solver_type(field, root, out, sink)
        elif field.name in SOLVER_NETS and isinstance(field.value, Block):
            inner: list[str] = []
            out.keep(field, value=_upgrade_solver_net(field, field.value, sink, inner))
            said.extend(f"{field.name}: {line}" for line in inner)
        else:
            out.keep(field)
    solver = out.finish(root.comments)
    if path is not None and not solver.has("snapshot_prefix"):
        solver.add("snapshot_prefix", str(PurePath(path).with_suffix("")))
    return solver


def _upgrade_solver_type(field: Field, root: Block, out: Rewriter, sink: Sink) -> None:
    new = root.field("type")
    if new is not None:
        message = (
            f"solver_type {shown(field.value)} and type {new.value!r} are both set; expected one"
        )
        sink.error("solver-type-twice", message, span=field.span)
        out.drop(field)
    elif isinstance(field.value, Symbol) and field.value in SOLVER_TYPES:
        out.keep(field, "type", SOLVER_TYPES[field.value])
    else:
        message = f"solver_type is {shown(field.value)}; expected one of {', '.join(SOLVER_TYPES)}"
        sink.error("solver-unknown-type", message, span=field.value_span)
        out.drop(field)


def _upgrade_solver_net(field: Field, net: Block, sink: Sink, changes: list[str]) -> Block:
    """Caffe upgrades only nets in separate files, and finds no layers in an old one."""
    if needs_v1_upgrade(net):
        sink.warning(
            "solver-old-net",
            f"{field.name} has layers, which Caffe does not upgrade inside a solver: it "
            "trains a net without layers; expected layer",
            span=field.name_span,
        )
    return upgrade_net(net, sink, changes=changes)
