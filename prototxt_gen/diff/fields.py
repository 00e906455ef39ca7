"""What a layer says, as names and values: its parameters resolved, defaults left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Union

from prototxt_gen.document import Block, MessageType, Scalar, Symbol
from prototxt_gen.layers.base import Layer, Role, Weight
from prototxt_gen.layers.parts.phase import own_phase

#: A scalar, or a tuple of such; None for what is absent.
Plain = Union[bool, int, float, str, None, tuple["Plain", ...]]
_WIRING = ("name", "type", "bottom", "top")
_RULES = ("include", "exclude")
#: Weights are no part of a net; the others are read in a way of their own.
_APART = frozenset({*_WIRING, *_RULES, "phase", "loss_weight", "blobs"})
#: More blobs than a layer has, of which ``Layer.weights`` names those that there are.
_BLOBS = ((1, 1), *((1,),) * 4)


@dataclass(slots=True)
class Fields:
    """Values by their names, and the defaults of the names that have any."""

    values: dict[str, Plain] = field(default_factory=dict)
    defaults: dict[str, Plain] = field(default_factory=dict)

    def put(self, name: str, value: object, default: object = None) -> None:
        """Set a value, and what stands for it where it is absent."""
        self.values[name] = plain(value)
        self.defaults[name] = plain(default)

    def key(self) -> frozenset[tuple[str, Plain]]:
        """What is said: equal for two layers whose fields do not differ."""
        return frozenset(
            (name, value) for name, value in self.values.items() if value != self.defaults[name]
        )


def differences(a: Fields, b: Fields) -> Iterator[tuple[str, Plain, Plain]]:
    """The names whose values differ, with both values."""
    for name in dict.fromkeys((*a.values, *b.values)):
        default = a.defaults[name] if name in a.defaults else b.defaults[name]
        before, after = a.values.get(name, default), b.values.get(name, default)
        if before != after:
            yield name, before, after


def layer_fields(layer: Layer, source: Block, tops: int, *, rules: bool) -> Fields:
    """The fields of a layer but for its name and its wiring.

    ``rules`` asks for those that choose its states. Parameters of a known type are those that
    its dataclass has resolved; everything else is the block's.
    """
    found = Fields()
    modelled: Collection[str] = ()
    if layer.known:
        modelled = layer.models()
        for name, value in resolved(layer).items():
            found.put(name, value)
    weights = () if layer.parameter_free() else layer.weights(_BLOBS)
    if layer.param is not None and layer.known:
        params = source.block(layer.param)
        _flatten(found, params, "", modelled)
        _default_fillers(found, params, weights)
    _flatten(found, source, "", _APART | ({layer.param} if layer.param and layer.known else set()))
    _default_params(found, source, weights)
    _loss_weight(found, source, tops, is_loss=layer.role is Role.LOSS)
    if rules:
        for name in _RULES:
            words = sorted(set(map(_rule, source.blocks(name))))
            found.put(name, Symbol(" or ".join(words)) if words else None)
        found.put("phase", _symbol(own_phase(source)))
    return found


def block_fields(block: Block, without: Collection[str] = ()) -> Fields:
    """The fields of any message."""
    found = Fields()
    _flatten(found, block, "", without)
    return found


def untyped_fields(source: Block, tops: int) -> Fields:
    """The fields of a layer whose type does not count: those of its block."""
    found = Fields()
    _flatten(found, source, "", _APART)
    _loss_weight(found, source, tops, is_loss=False)
    return found


def resolved(layer: Layer) -> dict[str, Plain]:
    """The fields of a layer's dataclass by which two layers are compared."""
    fields: Any = layer
    return {
        one.name: plain(getattr(layer, one.name))
        for one in dataclasses.fields(fields)
        if one.compare
    }


def is_written(name: str, layer: Layer, other: Layer) -> bool:
    """Whether a field of the dataclass is one of the layer's own parameter message.

    Others are taken from elsewhere in the block, such as the values of fillers.
    """
    one: Any = layer
    changed: Layer = dataclasses.replace(one, **{name: getattr(other, name)})
    return changed.write() != layer.write()


def plain(value: object) -> Plain:
    """A value as it is compared, shown and written as JSON; NaN equals NaN."""
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    if isinstance(value, float) and not isfinite(value):
        return Symbol(value)  # JSON has no such numbers
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return repr(value)


def _flatten(found: Fields, block: Block, prefix: str, without: Collection[str]) -> None:
    """Add the fields of a block by their paths: ``param[0].lr_mult``."""
    type = block.type
    for name in dict.fromkeys(one.name for one in block):
        if name in without:
            continue
        values, path = block.all(name), prefix + name
        repeated = len(values) > 1 if type is None else type.repeated(name)
        blocks = [value for value in values if isinstance(value, Block)]
        if not blocks and repeated:
            found.put(path, tuple(values))
        elif not blocks:
            found.put(path, values[-1], _default(type, name))
        elif not repeated:
            _flatten(found, blocks[-1], f"{path}.", ())
        else:
            if name != "param":  # one that says nothing is the same as none
                found.put(f"number of {path}", len(blocks), 0)
            for index, one in enumerate(blocks):
                _flatten(found, one, f"{path}[{index}].", ())


def _default(type: MessageType | None, name: str) -> Scalar | None:
    return type.default(name) if type is not None and type.has_default(name) else None


def _default_fillers(found: Fields, params: Block, weights: Collection[Weight]) -> None:
    """Say of a filler that is absent how Caffe fills instead (``has_filler`` in its sources)."""
    for weight in weights:
        if weight.filler is not None:
            name = f"{weight.filler}.value"
            absent = 0.0 if params.has(weight.filler) else weight.value
            found.values.setdefault(name, absent)
            found.defaults[name] = 0.0


def _default_params(found: Fields, source: Block, weights: Collection[Weight]) -> None:
    """Say of a statistic without a ``param`` that Caffe does not learn it (LayerSetUp).

    Whether it would decay then says nothing either.
    """
    given = len(source.blocks("param"))
    for index, weight in enumerate(weights):
        if weight.statistic and index >= given:
            found.put(f"param[{index}].lr_mult", 0.0, 1.0)
        if weight.fixed:
            found.values.pop(f"param[{index}].decay_mult", None)


def _loss_weight(found: Fields, source: Block, tops: int, *, is_loss: bool) -> None:
    """Those that are given, else 1 for the first top of a loss (loss_layer.cpp)."""
    default = tuple(float(is_loss and index == 0) for index in range(tops))
    given = source.get_list("loss_weight", float) or default
    found.put("loss_weight", given if any(given) or given != default else None, None)


def _rule(rule: Block) -> str:
    """A rule in words; what it does not name is no condition."""
    words = [f"{name} {rule.get(name, str, '')}" for name in ("phase",) if rule.has(name)]
    words += [
        f"{name} {rule.get(name, int, 0)}" for name in ("min_level", "max_level") if rule.has(name)
    ]
    for name in ("stage", "not_stage"):
        words += [f"{name} {stage}" for stage in sorted(set(rule.get_list(name, str)))]
    return ", ".join(words) or "always"


def _symbol(value: str | None) -> Symbol | None:
    return None if value is None else Symbol(value)
