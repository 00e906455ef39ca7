"""Write docs/residual.md: the presets with their counts, and what published nets they are."""

from __future__ import annotations

import sys
from pathlib import Path

from prototxt_gen.generate.blocks import build
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.zoo import PRESETS, preset
from prototxt_gen.summary import summarize

TARGET = Path(__file__).with_name("residual.md")
HEAD = """# The residual family

Made by `make docs`. A multiply-add is a weight times a value, of convolutions and inner products,
as torchvision counts them.

| preset | block | stages | parameters | multiply-adds |
|---|---|---|---:|---:|
"""
TAIL = """
## Published nets

What `gen` makes equals these files but for names: every blob is made in the same way from the same
inputs, with the same parameters. `deploy` files of soeaver's pool globally (`--global-pool`).

| file | spec |
|---|---|
| KaimingHe, ResNet-50, 101, 152 | `resnet50`, `resnet101`, `resnet152`; names included |
| soeaver, resnet50, resnet101 | `resnet50`, `resnet101` |
| soeaver, resnet18-priv | `resnet18-tv` |
| soeaver, resnet10-1x*W*d, resnet18-1x*W*d | `--stages 1,1,1,1` or `2,2,2,2`, `--block basic --width W --stem 3x3 --stem-width min(W, 64) --pool floor` |
| soeaver, resnext50-32x4d | `resnext50-32x4d` |
| soeaver, resnext26-32x4d-priv | `--stages 2,2,2,2` and the rest of `resnext50-32x4d` |
| soeaver, resnet101-v2 | `preresnet101` |
| yihui-he, CIFAR resnet-20, 32, 44, 110 | `resnet20`... with `--shortcut B --bias all --global-pool`, training |

Two differ:

| file | difference |
|---|---|
| yihui-he, CIFAR resnet-56 | `moving_average_fraction: 0.9` in BatchNorm, which is for training alone; its four sisters have Caffe's 0.999 |
| soeaver, resnet38a | another family: max pooling in front of each stage in place of a stride, and both kinds of blocks in one net |

## Forms

- **Shortcut A** takes every other pixel by a pooling of one pixel and a stride of 2, rounded down, and
  fills up with zeros: `Power` with a scale of 0, which fits any batch, behind `Concat`.
- **Squeeze-and-excitation** uses `InnerProduct` for its two 1x1 convolutions, since Caffe's `Scale` takes
  factors of (N, C) and not of (N, C, 1, 1). Weights are the same, and no fork's `Axpy` is needed.
- **Pre-activation**: the stem's activation serves the first block; a projection reads what is activated.
- **Dilation** is that of nets for segmentation in Caffe: every 3x3 of a stage, its first block included.
- **Rounding down** is `round_mode: FLOOR`, which Caffe 1.0 does not know; `--dialect caffe_priv` writes
  `ceil_mode: false` in its place.
"""


def page() -> str:
    """The whole page."""
    rows = []
    for name in PRESETS:
        spec = Spec.of(preset(name))
        found = summarize(build(spec).graph)
        stages = ", ".join(map(str, spec.stages))
        adds = f"{found.multiply_adds / 1e9:.2f} G"
        rows.append(f"| `{name}` | {spec.block} | {stages} | {found.parameters:,} | {adds} |\n")
    return HEAD + "".join(rows) + TAIL


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{TARGET}\n")
