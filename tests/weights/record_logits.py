"""Record what PyTorch makes of residual nets: ``logits.json``, 16 numbers for each.

    python3 tests/weights/record_logits.py

runs under any interpreter that has torch and torchvision (Debian's python3-torchvision), and
nothing of this project. Weights and the image are those of ``seeding.py``; the nets compute in
float64, so that the numbers depend on no machine. ``Variant`` has the nets that torchvision lacks,
written after their papers: C and D of arXiv 1812.01187, SE of arXiv 1709.01507, and MSRA's form of
arXiv 1512.03385, whose parameters have the names that ``gen --naming torchvision`` gives.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torchvision
from seeding import image, parameter
from torch import nn

CLASSES = 16
SHAPE = (1, 3, 64, 64)


class Variant(nn.Module):
    """A residual net of bottlenecks that is not torchvision's."""

    def __init__(self, stages, *, deep=False, average=False, se=0, msra=False, groups=1, base=64):
        super().__init__()
        self.deep = deep
        if deep:
            for number, (inputs, outputs) in enumerate(((3, 32), (32, 32), (32, 64)), 1):
                stride = 2 if number == 1 else 1
                conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
                self.add_module(f"conv{number}", conv)
                self.add_module(f"bn{number}", nn.BatchNorm2d(outputs))
        else:
            self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=msra and not se)
            self.bn1 = nn.BatchNorm2d(64)
        # Caffe's pooling has no pad there, and rounds up.
        ceil = msra or se > 0
        self.maxpool = nn.MaxPool2d(3, 2, padding=0 if ceil else 1, ceil_mode=ceil)
        inputs = 64
        for stage, count in enumerate(stages):
            planes, blocks = 64 << stage, []
            for index in range(count):
                stride = 2 if stage and not index else 1
                width = planes * base // 64 * groups
                first = (msra and stride) or 1
                block = Bottleneck(
                    inputs, width, planes * 4, (first, stride // first), groups, se, average
                )
                blocks.append(block)
                inputs = planes * 4
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, CLASSES)

    def forward(self, x):
        for number in (1, 2, 3) if self.deep else (1,):
            conv, norm = getattr(self, f"conv{number}"), getattr(self, f"bn{number}")
            x = torch.relu(norm(conv(x)))
        x = self.maxpool(x)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return self.fc(x.mean((2, 3)))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with strides in the first two, and what stands beside and behind them."""

    def __init__(self, inputs, width, outputs, strides, groups, se, average):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, strides[0], bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, strides[1], padding=1, groups=groups, bias=False)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.halves = average and max(strides) > 1
        if inputs != outputs or max(strides) > 1:
            stride = 1 if self.halves else max(strides)
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(outputs))
        else:
            self.downsample = None
        self.se = se
        if se:
            self.se_down = nn.Linear(outputs, outputs // se)
            self.se_up = nn.Linear(outputs // se, outputs)

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        if self.se:
            gate = torch.relu(self.se_down(y.mean((2, 3))))
            y = y * torch.sigmoid(self.se_up(gate))[:, :, None, None]
        if self.halves:
            x = nn.functional.avg_pool2d(x, 2, 2)
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


FIFTY, HUNDRED = (3, 4, 6, 3), (3, 4, 23, 3)


def theirs(name: str, **keys: object) -> Callable[[], nn.Module]:
    return lambda: getattr(torchvision.models, name)(num_classes=CLASSES, **keys)


def variant(stages: tuple[int, ...], **keys: object) -> Callable[[], nn.Module]:
    return lambda: Variant(stages, **keys)


#: By the words of ``gen`` that make the same net.
NETS = {
    **{f"resnet{depth}-tv": theirs(f"resnet{depth}") for depth in (18, 34, 50, 101, 152)},
    "resnext50-32x4d": theirs("resnext50_32x4d"),
    "resnext101-32x8d": theirs("resnext101_32x8d"),
    "resnext101-64x4d": theirs("resnext101_64x4d"),
    "wrn50-2": theirs("wide_resnet50_2"),
    "wrn101-2": theirs("wide_resnet101_2"),
    **{
        f"{preset} --output-stride {stride}": theirs(
            name, replace_stride_with_dilation=[False, stride == 8, True]
        )
        for preset, name in (
            ("resnet50-tv", "resnet50"),
            ("resnet101-tv", "resnet101"),
            ("resnext50-32x4d", "resnext50_32x4d"),
        )
        for stride in (8, 16)
    },
    **{f"densenet{depth}": theirs(f"densenet{depth}") for depth in (121, 161, 169, 201)},
    "mobilenet-v2-tv": theirs("mobilenet_v2"),
    "resnet50": variant(FIFTY, msra=True),
    "resnet50c": variant(FIFTY, deep=True),
    "resnet50d": variant(FIFTY, deep=True, average=True),
    "resnet101d": variant(HUNDRED, deep=True, average=True),
    "se-resnet50": variant(FIFTY, se=16, msra=True),
    "se-resnext50-32x4d": variant(FIFTY, se=16, groups=32, base=4),
}


def logits(net: nn.Module) -> list[float]:
    state = {
        name: torch.from_numpy(parameter(name, tuple(value.shape)))
        for name, value in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    net.load_state_dict(state, strict=False)
    with torch.no_grad():
        found = net.eval().double()(torch.from_numpy(image(SHAPE)).double())
    return [float(f"{value:.8g}") for value in found[0].numpy()]


def main() -> None:
    found = {name: logits(make()) for name, make in NETS.items()}
    made = {
        "versions": {
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "numpy": np.__version__,
        },
        "shape": SHAPE,
        "logits": found,
    }
    lines = re.sub(r"\s+(?=[-\d\]])", " ", json.dumps(made, indent=1))
    Path(__file__).with_name("logits.json").write_text(lines + "\n")


if __name__ == "__main__":
    main()
