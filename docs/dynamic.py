"""Write docs/dynamic.md: which deploy nets of public repositories may have free sizes.

With ``--prove`` each net that may is compared with the net converted at three sizes first.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs/dynamic.md"
CORPUS = Path(os.environ.get("PROTOTXT_CORPUS", ROOT / "../shared/corpus"))
sys.path[:0] = [str(ROOT / "tests")]

from to_onnx.free_nets import Freed, differences, freed, image_inputs  # noqa: E402
from to_onnx.strangers import deploy_nets  # noqa: E402

MOST = 1e-4  #: the difference from the net of one size, of an output's greatest value
HEAD = """\
# Free sizes

`convert --dynamic data=N,3,H,W` makes a model whose batch, height and width are free. It is
offered only where it is right for every size that the model is said to take. To find that, layers
compute their shapes and their ONNX with symbols: what is added, multiplied and divided stays a
formula, a comparison is decided for all sizes or narrows them, and what needs a number, such as the
weights of InnerProduct, is refused with the name of the layer.

- Convolutions, Deconvolution, poolings, normalizations and all that works on each place need
  nothing. Caffe's pooling rounds up: the pads at the end are such that rounding down gives as many
  windows, for any size. Only a mean over windows of which the last may lie outside of the map
  (a kernel that is smaller than the stride, without pads) is right for some sizes alone. These are
  said; the model is not for any others.
- Crop, Interp, Upsample, Reshape, PriorBox, DetectionOutput and the layers of regions compute
  sizes in the graph (Shape, Gather and arithmetic), and only those that they need. A cell of
  ROIPooling may have up to 2,047 pixels of a free map in each direction; a larger one is an error
  when the model runs.
- Layers that meet, such as Concat and Eltwise, may fit for some sizes alone: `H of 32 or more with
  H divisible by 32 (by 'concat5')`.
- InnerProduct, factors of places (Scale, Bias over height and width), literal sizes in Reshape,
  Interp and Upsample, SPP and the time of LSTM and RNN pin a size.

What a model takes is printed, is in `--report`, and in the model's metadata (`resnet-proto.sizes`):
each `from`, and every `step` from there on. `verify` computes the model at the net's own size and at
a smaller and a larger one; `run` scales a picture that is too small to the next larger size.

For a folder, `convert FOLDER --dynamic data=N,3,H,W` frees the sizes of each net that has the input;
with several `--dynamic` each net takes those of its own inputs. A net that has none of them, has
another number of sizes, or pins one, fails alone, with the reason in the table and in `--report`.

## Nets of public repositories

`python docs/dynamic.py` writes this page from a folder of prototxt files (`PROTOTXT_CORPUS`). Each
net is made with N, H and W free, else with H and W, else with N. With `--prove` what is free is
first compared with the net converted for that size, at three sizes, batches being 1, 3 and 8; the
tests do so for a net of each kind.

"""


def page(found: dict[str, Freed]) -> str:
    """The whole page."""
    places = sum("H" in one.ranges for one in found.values())
    batches = sum(bool(one.ranges) for one in found.values()) - places
    lines = [
        f"Of {len(found)} nets with pictures {places} may have a free height and width, "
        f"{batches} more a free batch.\n",
        '\n<div class="wide" markdown>\n',
        "\n| net | free | why no more |\n|---|---|---|\n",
    ]
    for name, one in found.items():
        taken = "; ".join(range_.text(symbol) for symbol, range_ in sorted(one.ranges.items()))
        path = name.replace("+", "/", 1)
        lines.append(f"| {path} | {taken or 'nothing'} | {'; '.join(one.pinned)} |\n")
    return HEAD + "".join(lines) + "\n</div>\n"


def made(*, prove: bool) -> dict[str, Freed]:
    """What may be free in each net; raises SystemExit where a net of one size differs."""
    found: dict[str, Freed] = {}
    for name, graph in deploy_nets(CORPUS):
        if not image_inputs(graph):
            continue
        found[name] = freed(graph)
        if not prove or not found[name].ranges:
            continue
        for sizes, apart in differences(graph, found[name]):
            if not apart <= MOST:
                sys.exit(f"{name}: differs by {apart} at {sizes}")
        print(f"{name}: compared")
    return found


if __name__ == "__main__":
    if not CORPUS.is_dir():
        print(f"no corpus in {CORPUS}: {TARGET} stays as it is")
        sys.exit()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        TARGET.write_text(page(made(prove="--prove" in sys.argv)), "utf-8")
    print(TARGET)
