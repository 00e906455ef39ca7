"""From a depth to the stages of a net, or to the nearest existing depths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from prototxt_gen.errors import SpecError
from prototxt_gen.generate.checks import MOST_CHANNELS, need_choice, need_range
from prototxt_gen.generate.forms import BLOCKS, DEPTHS

if TYPE_CHECKING:
    from prototxt_gen.generate.spec import Spec


def depth_of(spec: Spec) -> int:
    """The convolutions on the longest path, and the classifier.

    A stem counts as one. Dense blocks have a convolution between stages as well, and inverted
    ones may lack the first of theirs.
    """
    found = 2 + spec.blocks * len(spec.form.convs) + (1 if spec.last_width else 0)
    if spec.form.dense:
        found += len(spec.stages) - 1
    if spec.form.inverted:
        found -= sum(n for i, n in enumerate(spec.stages) if not spec.expansion(i))
    return found


def with_depth(
    depth: object, given: dict[str, object], values: Mapping[str, object]
) -> dict[str, object]:
    """The keys of a spec with stages and a block instead of a depth.

    ``given`` are the keys so far, ``values`` those that the user gave. Raises SpecError,
    with the nearest depths, for a depth that no net has.
    """
    depth = need_range("depth", depth, 1, MOST_CHANNELS)
    asked = given.get("block", "bottleneck")
    need_choice("block", asked, list(BLOCKS))
    if "stages" in given:
        raise SpecError(
            f"is given in addition to depth {depth}; expected one of them", path="stages"
        )
    if given.get("stem") == "cifar":
        return {**given, "stages": _cifar_stages(depth, str(asked))}
    if depth not in DEPTHS:
        raise SpecError(
            f"there is no ResNet-{depth}; {nearest(depth, list(DEPTHS))}; "
            "for any other net give stages and a block",
            path="depth",
        )
    stages, block = DEPTHS[depth]
    asked = values.get("block", block)
    if BLOCKS[str(asked)].convs != BLOCKS[block].convs:
        raise SpecError(
            f"is {asked!r}, but depth {depth} has {block} blocks; for any other net give stages "
            "and a block",
            path="block",
        )
    # Of MSRA's published nets, only ResNet-50 has a bias on conv1.
    bias = "conv1" if (depth, asked) == (50, "bottleneck") else "none"
    return {"bias": bias, "block": block, **given, "stages": stages}


def _cifar_stages(depth: int, block: str) -> tuple[int, ...]:
    """Three equal stages (arXiv 1512.03385, section 4.2)."""
    form = BLOCKS[block]
    convs, others = 3 * len(form.convs), 4 if form.dense else 2
    blocks, rest = divmod(depth - others, convs)
    if rest or blocks < 1:
        below = max(1, blocks)
        fitting = [others + convs * below, others + convs * (below + 1)]
        raise SpecError(
            f"a CIFAR net of {block} blocks has {others} + {convs}n layers; "
            f"{nearest(depth, fitting)}",
            path="depth",
        )
    return (blocks,) * 3


def sixths(family: str, depth: int) -> int:
    """The blocks of each of three stages, of two layers each, in a net of 6n + 4 layers.

    Raises SpecError with the nearest depths for any other.
    """
    blocks, rest = divmod(depth - 4, 6)
    if rest or blocks < 1:
        fitting = [4 + 6 * max(1, blocks), 4 + 6 * (max(1, blocks) + 1)]
        raise SpecError(f"a {family} has 4 + 6n layers; {nearest(depth, fitting)}", path="depth")
    return blocks


def nearest(number: int, known: Sequence[int]) -> str:
    """The part of a message that names the nearest known numbers."""
    below = max((n for n in known if n < number), default=None)
    above = min((n for n in known if n > number), default=None)
    found = [str(n) for n in (below, above) if n is not None]
    return f"the nearest {'is' if len(found) == 1 else 'are'} {' and '.join(found)}"
