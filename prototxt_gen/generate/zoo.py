"""The named nets, each as the keys of a spec.

``resnet50`` and its like are in MSRA's form, ``resnet50-tv`` in torchvision's: the stride
in the 3x3 convolution, the stem's pooling with a pad and rounded down, no bias on conv1.
``mobilenet-v2`` has ReLU, as published for Caffe, and ``mobilenet-v2-tv`` torchvision's ReLU6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prototxt_gen._nearest import nearest as meant
from prototxt_gen.errors import SpecError
from prototxt_gen.generate.checks import shown
from prototxt_gen.generate.depths import nearest, sixths
from prototxt_gen.generate.forms import DEPTHS
from prototxt_gen.generate.kin import Keys, dense_cifar, densely_connected, mobile

#: Of bottlenecks, and of any block.
TORCHVISION: Keys = {
    "stride_at": "3x3",
    "pool": "floor",
    "bias": "none",
    "dilation": "torchvision",
}
TORCHVISION_BASIC: Keys = {key: TORCHVISION[key] for key in ("pool", "bias", "dilation")}
_SE_RATIO = 16
_LONGEST_NAME = (
    40  #: of a preset; longer names, with numbers of thousands of digits, are not looked up
)


def preset(name: str) -> Keys:
    """The keys of a preset, however its name is spelt: ``ResNet50``, ``WRN-16-8``.

    Raises SpecError with the nearest names or depths.
    """
    if len(name) <= _LONGEST_NAME:
        found = PRESETS.get(name) or PRESETS.get(_BY_SPELLING.get(_spelling(name), ""))
        if found is not None:
            return dict(found)
        for family in _FAMILIES:
            for spelt in (name.lower().replace("_", "-"), _spelling(name)):
                if match := family.pattern.fullmatch(spelt):
                    return family.make(*map(int, match.groups()))
    close = _close(name) if len(name) <= _LONGEST_NAME else None
    hint = f"; did you mean {close!r}?" if close else "; `gen --list` shows all"
    raise SpecError(f"unknown preset {shown(name)}{hint}", path="preset")


def _spelling(name: str) -> str:
    """A name without case and without separators, save those between numbers.

    Other names of a family become the one that presets have.
    """
    plain = re.sub(r"[\s_./-]+", "-", name.strip().lower())
    plain = re.sub(r"(?<![0-9])-|-(?![0-9])", "", plain)
    for other, ours in _OTHER_NAMES.items():
        plain = re.sub(other, ours, plain)
    return plain


def _close(name: str) -> str | None:
    """The preset that was meant: one that the name begins, shortens, or has with few slips."""
    asked = _spelling(name)
    family = [one for spelt, one in _BY_SPELLING.items() if asked and spelt.startswith(asked)]
    found = family or _slipped(asked, _BY_SPELLING) or _shortened(asked)
    if not found:
        starts = {spelt[: len(asked) + n]: one for n in (1, 0) for spelt, one in _REVERSED}
        found = _slipped(asked, starts)
    return found[0] if found else None


def _slipped(asked: str, known: Mapping[str, str]) -> list[str]:
    return [known[one] for one in meant(asked, known)]


def _shortened(asked: str) -> list[str]:
    """The presets of ``r50`` or ``dense121``: the first letters of a family, and its numbers."""
    parts = re.fullmatch(r"([a-z]+)([0-9].*)", asked)
    if parts is None:
        return []
    form = re.compile(rf"{parts[1]}[a-z]*{re.escape(parts[2])}")
    return [one for spelt, one in _BY_SPELLING.items() if form.match(spelt)]


def _imagenet(depth: int, **keys: Any) -> Keys:
    stages, block = DEPTHS[depth]
    # The width is a preset's own: with another stem it stays.
    return {"stages": list(stages), "block": block, "width": 64, **keys}


def _cifar(depth: int, block: str, convs: int, **keys: Any) -> Keys:
    stages = [(depth - 2) // (3 * convs)] * 3
    return {"stages": stages, "block": block, "stem": "cifar", "width": 16, **keys}


def _wide(depth: int, factor: int) -> Keys:
    """WRN-depth-factor (Zagoruyko and Komodakis, arXiv 1605.07146): 6n + 4 layers."""
    blocks = sixths("WRN", depth)
    if factor < 1:
        raise SpecError("is 0 in a WRN; expected at least 1", path="width_factor")
    return {
        "stages": [blocks] * 3,
        "block": "preact-basic",
        "stem": "cifar",
        "width": 16,
        "width_factor": factor,
        "name": f"WRN-{depth}-{factor}",
    }


def _resnext(depth: int, groups: int, width: int, **keys: Any) -> Keys:
    form = {**TORCHVISION, **keys}
    return _imagenet(depth, cardinality=groups, base_width=width, **form)


def _senet() -> Keys:
    """SENet-154 (Hu et al., arXiv 1709.01507, appendix)."""
    return _imagenet(
        152,
        cardinality=64,
        base_width=4,
        stem="3x3",
        stem_width=128,
        stride_at="3x3",
        se=_SE_RATIO,
        classifier_dropout=0.2,
        name="SENet-154",
    ) | {"block": "senet"}


#: ArcFace's nets for faces (arXiv 1801.07698, deepinsight/insightface).
_IRESNETS = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 14, 3], 100: [3, 13, 30, 3]}


def _improved(depth: int, stages: list[int]) -> Keys:
    return {
        "stages": stages,
        "block": "ir",
        "width": 64,
        "stem": "flat",
        "head": "embedding",
        "classes": 512,
        "input_shape": [1, 3, 112, 112],
        "name": f"IResNet-{depth}",
    }


def _small() -> Iterator[tuple[str, Keys]]:
    """Depths that others added: one block, or two bottlenecks, in each stage."""
    yield "resnet10", {"stages": [1, 1, 1, 1], "block": "basic", "width": 64}
    yield "resnet10-tv", {"stages": [1, 1, 1, 1], "block": "basic", "width": 64} | TORCHVISION_BASIC
    yield "resnet26", {"stages": [2, 2, 2, 2], "block": "bottleneck", "width": 64}
    yield "resnet26-tv", {"stages": [2, 2, 2, 2], "block": "bottleneck", "width": 64} | TORCHVISION


def _deep_stem() -> Iterator[tuple[str, Keys]]:
    """He et al. (arXiv 1812.01187): C has three 3x3 in its stem, D pools on its shortcuts too."""
    for depth in (50, 101, 152):
        keys = {**TORCHVISION, "stem": "3x3"}
        yield f"resnet{depth}c", _imagenet(depth, name=f"ResNet-{depth}-C", **keys)
        keys["shortcut"] = "avgpool"
        yield f"resnet{depth}d", _imagenet(depth, name=f"ResNet-{depth}-D", **keys)


def _table() -> Iterator[tuple[str, Keys]]:
    yield from _small()
    for depth in (18, 34, 50, 101, 152, 200):
        bias = {"bias": "conv1"} if depth == 50 else {}
        yield f"resnet{depth}", _imagenet(depth, **bias)
        form = TORCHVISION_BASIC if DEPTHS[depth][1] == "basic" else TORCHVISION
        yield f"resnet{depth}-tv", _imagenet(depth, **form)
    yield from _deep_stem()
    for depth in (50, 101, 152, 200, 269):
        yield (
            f"preresnet{depth}",
            _imagenet(depth) | {"block": "preact-bottleneck", "stride_at": "3x3"},
        )
    for depth in (164, 1001):
        yield f"preresnet{depth}", _cifar(depth, "preact-bottleneck", 3)
    for depth in (164, 1001):
        yield f"resnet{depth}", _cifar(depth, "bottleneck", 3, stride_at="3x3")
    for depth in (20, 32, 44, 56, 110, 1202):
        yield f"resnet{depth}", _cifar(depth, "basic", 2, shortcut="A")
    for depth, factor in ((16, 8), (28, 10), (40, 4)):
        yield f"wrn-{depth}-{factor}", _wide(depth, factor)
    for depth in (50, 101):
        name = f"WRN-{depth}-2"
        yield f"wrn{depth}-2", _imagenet(depth, base_width=128, name=name, **TORCHVISION)
    for depth, groups, width in (
        *((50, 32, 4), (101, 32, 4), (101, 32, 8), (101, 64, 4), (152, 32, 4)),
    ):
        yield f"resnext{depth}-{groups}x{width}d", _resnext(depth, groups, width)
    for groups in (8, 16):
        keys = {"cardinality": groups, "base_width": 64, "width": 64, "stride_at": "3x3"}
        yield f"resnext29-{groups}x64d", _cifar(29, "bottleneck", 3, **keys)
    for depth in (50, 101, 152):
        yield f"se-resnet{depth}", _imagenet(depth, se=_SE_RATIO)
    for depth in (50, 101):
        # SENet's stem pools without a pad, and rounds up.
        keys = {"se": _SE_RATIO, "pool": "ceil", "dilation": "stage"}
        yield f"se-resnext{depth}-32x4d", _resnext(depth, 32, 4, **keys)
    yield "senet154", _senet()
    for depth, stages in _IRESNETS.items():
        yield f"iresnet{depth}", _improved(depth, stages)
    for depth in (18, 34):
        yield f"plain{depth}", _imagenet(depth) | {"block": "plain"}
    for depth in (20, 32, 44, 56, 110):
        yield f"plain{depth}", _cifar(depth, "plain", 2)
    yield from mobile()
    yield from densely_connected()


#: Every preset, in the order in which they are listed.
PRESETS: dict[str, Keys] = dict(_table())


#: How others call a family of ours.
_OTHER_NAMES = {
    r"^wideresnet|^wideresidualnetwork": "wrn",
    r"^(preact|preactivation)resnet": "preresnet",
    r"^resnet(\d+)v2$": r"preresnet\1",
    r"^seresidual": "seres",
    r"^(se)?resnet-": r"\1resnet",
    r"^arcface(resnet|r)?": "iresnet",
    r"^mobilenetv2-?1(-0)?$": "mobilenetv2",
}
_BY_SPELLING = {_spelling(name): name for name in PRESETS}
_REVERSED = tuple(reversed(_BY_SPELLING.items()))  #: of names with one beginning the first is kept


class _Family:
    """Names in the form of a preset's: what they mean, or why there is no such net."""

    def __init__(self, pattern: str, make: Callable[..., Keys]) -> None:
        self.pattern = re.compile(pattern)
        self.make = make


def _refuse(prefix: str, suffix: str = "") -> Callable[..., Keys]:
    def make(depth: int) -> Keys:
        pattern = re.compile(rf"{re.escape(prefix)}(\d+){re.escape(suffix)}")
        known = sorted(int(m[1]) for m in map(pattern.fullmatch, PRESETS) if m)
        name = f"{prefix}{depth}{suffix}"
        raise SpecError(f"there is no {name}; {nearest(depth, known)}", path="preset")

    return make


def _refuse_resnext(prefix: str) -> Callable[..., Keys]:
    def make(*_: int) -> Keys:
        known = [name for name in PRESETS if name.startswith(prefix)]
        raise SpecError(
            f"there is no such {prefix}; expected {', '.join(known)}, or --cardinality and "
            "--base-width for any other",
            path="preset",
        )

    return make


_FAMILIES = (
    _Family(r"wrn-(\d+)-(\d+)", _wide),
    _Family(r"resnet(\d+)", _refuse("resnet")),
    _Family(r"resnet(\d+)-?c", _refuse("resnet", "c")),
    _Family(r"resnet(\d+)-?d", _refuse("resnet", "d")),
    _Family(r"resnet(\d+)-?tv", _refuse("resnet", "-tv")),
    _Family(r"preresnet(\d+)", _refuse("preresnet")),
    _Family(r"plain(\d+)", _refuse("plain")),
    _Family(r"se-?resnet(\d+)", _refuse("se-resnet")),
    _Family(r"wrn(\d+)-2", _refuse("wrn", "-2")),
    _Family(r"senet-?(\d+)", _refuse("senet")),
    _Family(r"iresnet(\d+)", _refuse("iresnet")),
    _Family(r"densenet(\d+)", _refuse("densenet")),
    _Family(r"densenet-?bc-?(\d+)-(\d+)", dense_cifar),
    _Family(r"resnext(\d+)-(\d+)x(\d+)d", _refuse_resnext("resnext")),
    _Family(r"se-?resnext(\d+)-(\d+)x(\d+)d", _refuse_resnext("se-resnext")),
)
