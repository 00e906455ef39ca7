"""V0 nets (``layers { layer { type: "conv" kernelsize: 3 } }``) become V1 nets.

The tables say what ``UpgradeV0LayerParameter`` (upgrade_proto.cpp) does: where each field
of a V0 layer goes, and which types have it. Padding layers are merged first, as
``UpgradeV0PaddingLayers`` does. What Caffe only logs as not fully compatible is a
warning here; what it stops at is an error.
"""

from __future__ import annotations

from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Sink
from prototxt_gen.document import Block, Field, Symbol
from prototxt_gen.formats.text.rewrite import Rewriter, moved, shown

#: V0 type -> V1 type (UpgradeV0LayerType).
TYPES = {
    "accuracy": "ACCURACY",
    "bnll": "BNLL",
    "concat": "CONCAT",
    "conv": "CONVOLUTION",
    "data": "DATA",
    "dropout": "DROPOUT",
    "euclidean_loss": "EUCLIDEAN_LOSS",
    "flatten": "FLATTEN",
    "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT",
    "im2col": "IM2COL",
    "images": "IMAGE_DATA",
    "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING",
    "relu": "RELU",
    "sigmoid": "SIGMOID",
    "softmax": "SOFTMAX",
    "softmax_loss": "SOFTMAX_LOSS",
    "split": "SPLIT",
    "tanh": "TANH",
    "window_data": "WINDOW_DATA",
}

#: V0 type -> the sub-message that its parameters move to.
PARAMETERS = {
    "concat": "concat_param",
    "conv": "convolution_param",
    "data": "data_param",
    "dropout": "dropout_param",
    "hdf5_data": "hdf5_data_param",
    "images": "image_data_param",
    "infogain_loss": "infogain_loss_param",
    "innerproduct": "inner_product_param",
    "lrn": "lrn_param",
    "pool": "pooling_param",
    "window_data": "window_data_param",
}

#: V0 field -> its name there, and the types that have it.
MOVES: dict[str, tuple[str, tuple[str, ...]]] = {
    "num_output": ("num_output", ("conv", "innerproduct")),
    "biasterm": ("bias_term", ("conv", "innerproduct")),
    "weight_filler": ("weight_filler", ("conv", "innerproduct")),
    "bias_filler": ("bias_filler", ("conv", "innerproduct")),
    "pad": ("pad", ("conv", "pool")),
    "kernelsize": ("kernel_size", ("conv", "pool")),
    "group": ("group", ("conv",)),
    "stride": ("stride", ("conv", "pool")),
    "pool": ("pool", ("pool",)),
    "dropout_ratio": ("dropout_ratio", ("dropout",)),
    "local_size": ("local_size", ("lrn",)),
    "alpha": ("alpha", ("lrn",)),
    "beta": ("beta", ("lrn",)),
    "k": ("k", ("lrn",)),
    "source": ("source", ("data", "hdf5_data", "images", "infogain_loss", "window_data")),
    "batchsize": ("batch_size", ("data", "hdf5_data", "images", "window_data")),
    "rand_skip": ("rand_skip", ("data", "images")),
    "shuffle_images": ("shuffle", ("images",)),
    "new_height": ("new_height", ("images",)),
    "new_width": ("new_width", ("images",)),
    "concat_dim": ("concat_dim", ("concat",)),
    "det_fg_threshold": ("fg_threshold", ("window_data",)),
    "det_bg_threshold": ("bg_threshold", ("window_data",)),
    "det_fg_fraction": ("fg_fraction", ("window_data",)),
    "det_context_pad": ("context_pad", ("window_data",)),
    "det_crop_mode": ("crop_mode", ("window_data",)),
}

#: V0 field -> its name in transform_param. Caffe moves these for any type.
TRANSFORM = {
    "scale": "scale",
    "meanfile": "mean_file",
    "cropsize": "crop_size",
    "mirror": "mirror",
}

REPEATED = ("blobs", "blobs_lr", "weight_decay")
#: The fields of the net that Caffe keeps; it drops the rest (input_shape, state, debug_info).
NET_FIELDS = ("name", "input", "input_dim", "force_backward")
PADDED = ("conv", "pool")


def needs_v0_upgrade(root: Block) -> bool:
    """Whether any entry of ``layers`` is V0 (NetNeedsV0ToV1Upgrade)."""
    return any(layers.has("layer") for layers in root.blocks("layers"))


def upgrade_v0(root: Block, sink: Sink) -> Block:
    """A V0 net as a V1 net (UpgradeV0Net)."""
    paddings = _merge_paddings(root, sink)
    out = Rewriter(root.type)
    for field in root:
        if id(field) in paddings.gone:
            out.drop(field)
        elif field.name == "layers" and isinstance(field.value, Block):
            value = paddings.merged.get(id(field), field.value)
            out.keep(field, value=_upgrade_connection(value, field, sink))
        elif field.name in NET_FIELDS:
            out.keep(field)
        else:
            if field.name != "layer":  # reported as layer-and-layers
                _ignored(field, "a net with V0 layers", None, sink)
            out.drop(field)
    return out.finish(root.comments)


class _Paddings:
    """The padding layers to leave out, and the changed layers after them."""

    def __init__(self) -> None:
        self.gone: set[int] = set()
        self.merged: dict[int, Block] = {}


def _merge_paddings(root: Block, sink: Sink) -> _Paddings:
    """Find what each padding layer pads (UpgradeV0PaddingLayers).

    A bottom that nothing produces stops Caffe here. The graph check reports it in the same
    words for every kind of net, so it is passed over here.
    """
    result = _Paddings()
    producers: dict[str, Block] = {}
    for field in root:
        if field.name != "layers" or not isinstance(field.value, Block):
            continue
        layers = field.value
        if _v0_type(layers) == "padding":
            result.gone.add(id(field))
        for bottom in layers.get_list("bottom", str):
            source = producers.get(bottom)
            if source is not None and _v0_type(source) == "padding":
                merged = _merge_padding(field, layers, source, sink)
                if merged is not None:
                    result.merged[id(field)] = merged
                break
        producers.update(dict.fromkeys(layers.get_list("top", str), layers))
    return result


def _merge_padding(field: Field, layers: Block, padding: Block, sink: Sink) -> Block | None:
    """The layer with the pad and the bottom of the padding layer before it."""
    inner, source = layers.block("layer"), padding.block("layer")
    name, source_name = inner.get("name", str, ""), source.get("name", str, "")
    problems = (
        (
            _v0_type(layers) not in PADDED,
            f'a layer of type "{_v0_type(layers)}" reads padding layer {source_name!r}; '
            'expected "conv" or "pool"',
        ),
        (
            len(layers.all("bottom")) != 1,
            f"{len(layers.all('bottom'))} bottoms, of which one is padded; expected 1",
        ),
        (
            len(padding.all("bottom")) != 1 or len(padding.all("top")) != 1,
            f"padding layer {source_name!r} has "
            f"{plural(len(padding.all('bottom')), 'bottom')} and "
            f"{plural(len(padding.all('top')), 'top')}; expected one of each",
        ),
    )
    for failed, message in problems:
        if failed:
            sink.error("v0-padding", message, span=field.name_span, layer=name or None)
            return None
    own, bottom = inner.field("pad"), padding.field("bottom")
    pad = source.get("pad", int, 0)
    if own is not None and own.value != pad:
        sink.warning(
            "v0-padding",
            f"pad {shown(own.value)} is overridden by pad {pad} of padding layer {source_name!r}",
            span=own.span,
            layer=name or None,
        )
    padded = Block(
        (moved(f, "pad", pad) if f.name == "pad" else f for f in inner), inner.type, inner.comments
    )
    if own is None:
        given = source.field("pad")
        place = (given.start, given.value_start, given.end) if given else ()
        padded.fields.append(Field("pad", pad, *place))
    values = {"layer": padded, "bottom": bottom.value if bottom else ""}
    return Block(
        (moved(f, f.name, values.get(f.name)) for f in layers), layers.type, layers.comments
    )


def _v0_type(layers: Block) -> str:
    return layers.block("layer").get("type", str, "")


def _upgrade_connection(layers: Block, place: Field, sink: Sink) -> Block:
    """One entry of ``layers``: the V0 layer inside it moves up (UpgradeV0LayerParameter)."""
    if not layers.has("layer"):
        sink.error(
            "v0-and-v1-layers",
            "a V1 layer in a net with V0 layers, which Caffe empties; expected layer { ... }",
            span=place.name_span,
            layer=layers.get("name", str, "") or None,
        )
        return layers
    v0 = layers.field("layer")
    name = layers.block("layer").get("name", str, "") or None
    out = Rewriter(layers.type)
    for field in layers:
        if field is v0 and isinstance(field.value, Block):
            for inner in out.unwrap(field, field.value):
                _move(inner, field.value, name, out, sink)
        elif field.name in ("bottom", "top"):
            out.keep(field)
        else:
            _ignored(field, "a V0 layer, outside layer { ... }", name, sink)
            out.drop(field)
    return out.finish(layers.comments)


def _move(field: Field, layer: Block, name: str | None, out: Rewriter, sink: Sink) -> None:
    """Put one field of a V0 layer where it belongs."""
    type = layer.get("type", str, "")
    if field.name in REPEATED:
        out.keep(field)
    elif layer.field(field.name) is not field:  # of a singular field, the last one counts
        out.drop(field)
    elif field.name == "type":
        out.keep(field, value=_upgrade_type(field, name, sink))
    elif field.name == "name" or (field.name, type) == ("hdf5_output_param", "hdf5_output"):
        out.keep(field)
    elif field.name in TRANSFORM:
        out.wrap(field, "transform_param", TRANSFORM[field.name])
    elif field.name in MOVES and type in MOVES[field.name][1]:
        _not_negative(field, name, sink)
        out.wrap(field, PARAMETERS[type], MOVES[field.name][0])
    else:
        if not type or type in TYPES:  # an unknown type is one problem, not ten
            _ignored(field, f'a layer of type "{type}"', name, sink)
        out.drop(field)


def _upgrade_type(field: Field, name: str | None, sink: Sink) -> str:
    """The V1 type; an unknown one stays as it is, so that it can still be shown."""
    found = field.value if isinstance(field.value, str) else ""
    if found in TYPES:
        return Symbol(TYPES[found])
    sink.error(
        "v0-unknown-type",
        f'unknown V0 layer type "{found}"; expected one of {", ".join(sorted(TYPES))}',
        span=field.value_span,
        layer=name,
    )
    return found


def _not_negative(field: Field, name: str | None, sink: Sink) -> None:
    """new_height and new_width are signed in V0 only; Caffe lets -1 become 4294967295."""
    signed = field.name in ("new_height", "new_width")
    if signed and isinstance(field.value, int) and field.value < 0:
        sink.error(
            "v0-value",
            f"{field.name} is {field.value}; expected 0 or more",
            span=field.value_span,
            layer=name,
        )


def _ignored(field: Field, where: str, layer: str | None, sink: Sink) -> None:
    sink.warning(
        "v0-ignored-field",
        f"Caffe ignores {field.name} in {where}; the upgrade leaves it out",
        span=field.span,
        layer=layer,
    )
