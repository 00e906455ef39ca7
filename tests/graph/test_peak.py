"""The peak of activations, held against a simulation that looks at each layer by itself."""

from __future__ import annotations

import random

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.summary.memory import Memory


def drawn(seed: int) -> tuple[str, int, int]:
    """A random net of inputs, sums and layers in place; its peak and its total in bytes."""
    pick = random.Random(seed)
    sizes: dict[str, int] = {}
    steps: list[tuple[list[str], str]] = []  # what is read, what is written
    lines = []
    width = pick.choice([2, 3])
    for index in range(pick.randint(2, 14)):
        kind = pick.choice(["Input", "InnerProduct", "Eltwise", "ReLU"]) if sizes else "Input"
        # Caffe refuses a layer in place of what another has read.
        fresh = [name for name in sizes if not any(name in b for b, top in steps if top != name)]
        if kind == "ReLU" and not fresh:
            continue
        top, bottoms = f"t{index}", []
        if kind == "Input":
            size = pick.choice([width, 7, 11])
            lines.append(
                f'layer {{ name: "l{index}" type: "Input" top: "{top}" '
                f"input_param {{ shape {{ dim: [1, {size}] }} }} }}"
            )
        elif kind == "InnerProduct":
            bottoms, size = [pick.choice(list(sizes))], pick.choice([width, 20])
            lines.append(
                f'layer {{ name: "l{index}" type: "InnerProduct" bottom: "{bottoms[0]}" '
                f'top: "{top}" inner_product_param {{ num_output: {size} }} }}'
            )
        elif kind == "Eltwise":
            size = pick.choice(list(sizes.values()))
            bottoms = pick.choices([name for name in sizes if sizes[name] == size], k=2)
            read = " ".join(f'bottom: "{name}"' for name in bottoms)
            lines.append(f'layer {{ name: "l{index}" type: "Eltwise" {read} top: "{top}" }}')
        else:
            top = pick.choice(fresh)
            bottoms, size = [top], sizes[top]
            lines.append(f'layer {{ name: "l{index}" type: "ReLU" bottom: "{top}" top: "{top}" }}')
        sizes[top] = size
        steps.append((bottoms, top))
    first = {}
    for at, (bottoms, top) in enumerate(steps):
        first.setdefault(top, at if bottoms else 0)
    # A blob is an output if its last value is never read.
    peak = 0
    for now in range(len(steps)):
        alive = 0
        for name, size in sizes.items():
            touched = [at for at, (bottoms, top) in enumerate(steps) if name in (*bottoms, top)]
            written = [at for at, (_, top) in enumerate(steps) if top == name]
            last_write = max(written)
            read = any(at > last_write and name in bottoms for at, (bottoms, _) in enumerate(steps))
            end = touched[-1] if read else len(steps) - 1
            alive += size * (first[name] <= now <= end)
        peak = max(peak, alive)
    return "\n".join(lines), 4 * peak, 4 * sum(sizes.values())


@pytest.mark.parametrize("seed", range(60))
def test_the_peak_is_that_of_a_simulation(seed: int) -> None:
    text, peak, total = drawn(seed)
    found = api.summarize(Source(text.encode()))
    assert not [d for d in found.diagnostics if d.severity.value == "error"]
    assert (found.memory.peak, found.memory.total) == (peak, total)
    assert sum(found.memory.made) == total


def test_of_nothing() -> None:
    assert Memory() == (0, 0, "", ())


def test_published() -> None:
    """At the first residual sum of ResNet-50: both summands and their sum, 256 x 56 x 56 each."""
    found = api.summarize(Source(api.generate("resnet50").encode())).memory
    assert found.peak == 3 * 256 * 56 * 56 * 4
    assert found.peak_layer == "res2a"
