"""Write docs/dynamic.md: which deploy nets of public repositories may have free sizes.

With ``--prove`` each net that may is first compared with the net converted at three sizes, unless
that was done with the same net, the same version and the same model: benchmarks/dynamic.json has
what was compared.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs/dynamic.md"
COMPARED = ROOT / "benchmarks/dynamic.json"
CORPUS = Path(os.environ.get("PROTOTXT_CORPUS", ROOT / "../shared/corpus"))
sys.path[:0] = [str(ROOT / "tests")]

from to_onnx.free_nets import Freed, differences, freed, image_inputs  # noqa: E402
from to_onnx.strangers import deploy_nets  # noqa: E402

from prototxt_gen._version import __version__  # noqa: E402
from prototxt_gen.graph.graph import Graph  # noqa: E402

MOST = 1e-4  #: the difference from the net of one size, of an output's greatest value
_CLUSTERS = (
    ("coverage", "bboxes"),
    "up to `--outputs coverage,bboxes`: the Python layer behind them is not known",
)
_DETECTNET = "NVIDIA+caffe/examples/kitti/detectnet_network"
#: Nets that cannot be computed as a whole, at any size: the blobs to stop at, and why.
PARTS = {
    f"{_DETECTNET}.prototxt": _CLUSTERS,
    f"{_DETECTNET}-2classes.prototxt": _CLUSTERS,
    "soeaver+caffe-model/det/rfcn/models/coco/resnext101-32x4d/"
    "deploy_rfcn_coco_resnext101-32x4d-merge.prototxt": (
        ("cls_prob_pre", "bbox_pred"),
        "up to `--outputs cls_prob_pre,bbox_pred`: cls_prob_reshape has 21 classes "
        "where there are 81, which fits only where the regions are a multiple of 7",
    ),
}
HEAD = """\
# Free sizes

`convert --dynamic data=N,3,H,W` makes a model whose batch, height and width are free. It is
offered only where it is right for every size that the model is said to take. To find that, layers
compute their shapes and their ONNX with symbols: what is added, multiplied and divided stays a
formula, a comparison is decided for all sizes or narrows them, and what needs a number, such as the
weights of InnerProduct, is refused with the name of the layer.

- Convolutions, Deconvolution, poolings, normalizations and all that works on each place need
  nothing. Caffe's pooling rounds up: the pads at the end are such that rounding down gives as many
  windows, for any size. Where the last window of a mean lies outside of the map (a kernel that is
  smaller than the stride, without pads), what Caffe divides by is computed in the graph.
- Crop, Interp, Upsample, Reshape, SPP, PriorBox, DetectionOutput and the layers of regions compute
  sizes in the graph (Shape, Gather and arithmetic), and only those that they need. The grid of SPP
  has windows as large as the map asks for: it is padded to whole windows, and each is reduced. A
  cell of ROIPooling may have up to 2,047 pixels of a free map in each direction; a larger one is an
  error when the model runs.
- Layers that meet, such as Concat and Eltwise, may fit for some sizes alone: `H of 32 or more with
  H divisible by 32 (by 'concat5')`. So may a mask: `pad_out` of Upsample fits what was pooled if
  that is odd.
- A literal size in Reshape follows where there is no choice, which the report says: of 1x18xHxW,
  `dim: [1, 2, 63, 9]` at 7 by 9 is `[1, 2, -1, 0]`. A size that is divided into two numbers is a
  choice, and is refused.
- InnerProduct, factors of places (Scale, Bias over height and width), what meets a literal size of
  Interp or a constant, masks for a literal size, the batch of proposals and the time of LSTM and RNN
  pin a size.

`make fuzz` compares random nets of layers with windows and shapes with the net of each size that is
said. What is said may be too narrow: a single size below all others, such as 4 for SPP of three
levels, which takes 6 and more, is left out.

Two axes that have to be equal, such as those of two inputs of Eltwise or of a square map, want one
name: `--dynamic data=1,3,S,S`.

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


@dataclass(frozen=True)
class Row:
    """A net, what may be free in it, and the greatest difference at three sizes, if it is known."""

    freed: Freed
    key: str  #: of the net, the version and the model
    apart: float | None = None


def page(rows: dict[str, Row]) -> str:
    """The whole page."""
    freeable = {name: row for name, row in rows.items() if row.freed.ranges}
    places = sum("H" in row.freed.ranges for row in freeable.values())
    known = [row.apart for row in freeable.values() if row.apart is not None]
    missing = [name for name, row in freeable.items() if row.apart is None]
    lines = [
        f"Of {len(rows)} nets with pictures {places} may have a free height and width, "
        f"{len(freeable) - places} more a free batch. {_compared(known, missing)}\n",
        '\n<div class="wide" markdown>\n',
        "\n| net | free | why no more |\n|---|---|---|\n",
    ]
    for name, row in rows.items():
        ranges = sorted(row.freed.ranges.items())
        taken = "; ".join(range_.text(symbol) for symbol, range_ in ranges)
        path = name.replace("+", "/", 1)
        notes = [*([PARTS[name][1]] if name in PARTS else []), *row.freed.pinned]
        notes += ["not compared yet"] if name in missing else []
        lines.append(f"| {path} | {taken or 'nothing'} | {'; '.join(notes)} |\n")
    return HEAD + "".join(lines) + "\n</div>\n"


def _compared(known: list[float], missing: list[str]) -> str:
    """How many nets were compared."""
    all_of_them = len(known) + len(missing)
    which = f"All {all_of_them}" if not missing else f"{len(known)} of these {all_of_them}"
    apart = max(known, default=0)
    most = f"differ by at most {apart:.0e} of an output's greatest value".replace("e-0", "e-")
    words = most if apart else "are equal to the last bit"
    return (
        f"{which} were compared at three sizes with the net converted for that size: they {words}."
    )


def made(*, prove: bool) -> dict[str, Row]:
    """What may be free in each net; raises SystemExit where a net of one size differs."""
    known: dict[str, Any] = json.loads(COMPARED.read_text("utf-8")) if COMPARED.exists() else {}
    rows: dict[str, Row] = {}
    for name, graph in deploy_nets(CORPUS):
        if not image_inputs(graph):
            continue
        found = freed(graph, PARTS.get(name, ((), ""))[0])
        text = (CORPUS / name).read_bytes() + f"{__version__} {found.model}".encode()
        key = hashlib.sha256(text).hexdigest()[:16]
        before = known.get(name, {})
        apart = before["apart"] if before.get("key") == key else None
        if prove and found.ranges and apart is None:
            apart = proved(name, graph, found)
            known[name] = {"key": key, "apart": apart}
            COMPARED.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")
        rows[name] = Row(found, key, apart)
    return rows


def proved(name: str, graph: Graph, found: Freed) -> float:
    """The greatest difference at three sizes; raises SystemExit where it is too great."""
    outputs, _ = PARTS.get(name, ((), ""))
    most = 0.0
    for sizes, apart in differences(graph, found, outputs):
        if not apart <= MOST:
            sys.exit(f"{name}: differs by {apart} at {sizes}")
        most = max(most, apart)
    print(f"{name}: compared", flush=True)
    return most


if __name__ == "__main__":
    if not CORPUS.is_dir():
        print(f"no corpus in {CORPUS}: {TARGET} stays as it is")
        sys.exit()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        TARGET.write_text(page(made(prove="--prove" in sys.argv)), "utf-8")
    print(TARGET)
