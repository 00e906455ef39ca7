"""From a depth to the stages of a net, or to the nearest depth that there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prototxt_gen.errors import SpecError
from prototxt_gen.generate.checks import MOST_CHANNELS, need_choice, need_range
from prototxt_gen.generate.forms import BLOCKS, DEPTHS


def with_depth(
    depth: object, given: dict[str, object], values: Mapping[str, object]
) -> dict[str, object]:
    """The keys of a spec with stages and a block in place of a depth.

    ``given`` are the keys so far, ``values`` those that were asked for. Raises SpecError,
    with the nearest depths, for one that no net has.
    """
    depth = need_range("depth", depth, 1, MOST_CHANNELS)
    asked = given.get("block", "bottleneck")
    need_choice("block", asked, list(BLOCKS))
    if "stages" in given:
        raise SpecError(f"is given beside depth, which stands for it: {depth}", path="stages")
    if given.get("stem") == "cifar":
        return {**given, "stages": _cifar_stages(depth, str(asked))}
    if depth not in DEPTHS:
        raise SpecError(
            f"there is no ResNet-{depth}; {nearest(depth, list(DEPTHS))}, "
            "and stages with a block make any other",
            path="depth",
        )
    stages, block = DEPTHS[depth]
    asked = values.get("block", block)
    if BLOCKS[str(asked)].convs != BLOCKS[block].convs:
        raise SpecError(
            f"depth {depth} is made of {block} blocks, found {asked!r}; stages with a block "
            "make any other",
            path="block",
        )
    # MSRA published ResNet-50, alone among its nets, with a bias on conv1.
    bias = "conv1" if (depth, asked) == (50, "bottleneck") else "none"
    return {"bias": bias, "block": block, **given, "stages": stages}


def _cifar_stages(depth: int, block: str) -> tuple[int, ...]:
    """Three equal stages (arXiv 1512.03385, section 4.2)."""
    convs = 3 * len(BLOCKS[block].convs)
    blocks, rest = divmod(depth - 2, convs)
    if rest or blocks < 1:
        below = max(1, blocks)
        fitting = [2 + convs * below, 2 + convs * (below + 1)]
        raise SpecError(
            f"a CIFAR net of {block} blocks has 2 + {convs}n layers; {nearest(depth, fitting)}",
            path="depth",
        )
    return (blocks,) * 3


def nearest(number: int, known: Sequence[int]) -> str:
    """What to say of a number that is none of the known ones."""
    below = max((n for n in known if n < number), default=None)
    above = min((n for n in known if n > number), default=None)
    found = [str(n) for n in (below, above) if n is not None]
    return f"the nearest {'is' if len(found) == 1 else 'are'} {' and '.join(found)}"
