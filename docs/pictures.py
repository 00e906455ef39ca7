"""Draw the pictures of the site into docs/pictures, with `resnet-proto draw`'s own code."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.draw.forms import drawn
from prototxt_gen.draw.picture import Drawing, picture
from prototxt_gen.graph.check import check

FOLDER = Path(__file__).with_name("pictures")
SSD = Path(__file__).with_name("how-to") / "migrate.md"
#: Blocks alone, the second of a net: the preset, and the shape that it reads.
BLOCKS = {
    "plain": ("plain20", (16, 32, 32)),
    "basic": ("resnet20", (16, 32, 32)),
    "bottleneck": ("resnet50", (256, 56, 56)),
    "preact": ("preresnet50", (256, 56, 56)),
    "wide": ("wrn50-2", (256, 56, 56)),
    "resnext": ("resnext50-32x4d", (256, 56, 56)),
    "se": ("se-resnet50", (256, 56, 56)),
}


def pictures() -> Iterator[tuple[str, bytes]]:
    """The name and the SVG of each."""
    first = unit(api.generate("resnet50"), "2a", (64, 56, 56))
    yield "block", svg(first, Drawing(direction="LR"))
    yield "resnet20", svg(api.generate("resnet20", classes=4), Drawing(blocks=True))
    for name, (preset, shape) in BLOCKS.items():
        yield name, svg(unit(api.generate(preset), "2b", shape), Drawing())
    found = re.search(r'title="ssd.prototxt"\n(.*?)^ *```', SSD.read_text("utf-8"), re.S | re.M)
    assert found is not None
    yield "ssd", svg(found[1], Drawing())


def svg(text: str, how: Drawing) -> bytes:
    """The picture of a net."""
    graph = api.load(Source(text.encode()))
    return drawn(picture(graph, check(graph, Sink()), how), "svg")


def unit(text: str, number: str, shape: tuple[int, ...]) -> str:
    """A net of the layers of one block, which reads the blob of a shape."""
    layers = re.split(r"^(?=layer \{)", text, flags=re.M)[1:]
    kept = [
        re.sub(r"^#.*\n", "", layer, flags=re.M)
        for layer in layers
        if re.search(rf'^  name: "[a-z]*_?{number}(_|")', layer, re.M)
    ]
    tops = set(re.findall(r'^  top: "(.*)"', "".join(kept), re.M))
    (bottom,) = set(re.findall(r'^  bottom: "(.*)"', "".join(kept), re.M)) - tops
    dims = " ".join(f"dim: {size}" for size in (1, *shape))
    start = f'name: "block {number}" layer {{ name: "{bottom}" type: "Input" top: "{bottom}"'
    return f"{start} input_param {{ shape {{ {dims} }} }} }}\n{''.join(kept)}"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, data in pictures():
        (FOLDER / f"{name}.svg").write_bytes(data)
        sys.stdout.write(f"{FOLDER / name}.svg\n")
