"""Small models in the forms in which PyTorch exports them: those in the folder models.

    python3 tests/from_onnx/export_models.py FOLDER

runs under any interpreter with torch; with torch 2 it writes the form of the dynamo exporter too,
and last leaves one file of those of a net that differ in nothing but the opset. Each file is called
NET.EXPORTER-OPSET.onnx. The weights are random.
"""

import sys
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

VERSION = ".".join(torch.__version__.split(".")[:2])
MODERN = int(VERSION.split(".")[0]) >= 2
OPSETS = (13, 17) if MODERN else (11, 13, 17)


class Fn(nn.Module):
    """A function of modules, as in ``Fn(lambda m, x: m.conv(x), conv=...)``."""

    def __init__(self, function, **modules):
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def conv(inputs, outputs, kernel=3, stride=1, group=1, act=nn.ReLU):
    """Conv, BatchNorm and an activation."""
    pad = kernel // 2
    parts = [
        nn.Conv2d(inputs, outputs, kernel, stride, pad, groups=group, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*parts, act()) if act else nn.Sequential(*parts)


class Residual(nn.Module):
    """A block of a ResNet, basic or bottleneck."""

    def __init__(self, inputs, outputs, stride, bottleneck):
        super().__init__()
        if bottleneck:
            width = outputs // 4
            first = [conv(inputs, width, 1), conv(width, width, 3, stride)]
            self.branch = nn.Sequential(*first, conv(width, outputs, 1, act=None))
        else:
            first = conv(inputs, outputs, 3, stride)
            self.branch = nn.Sequential(first, conv(outputs, outputs, 3, act=None))
        changes = stride != 1 or inputs != outputs
        self.downsample = conv(inputs, outputs, 1, stride, act=None) if changes else None

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        return F.relu(self.branch(x) + identity, inplace=True)


class ResNet(nn.Module):
    """The stem of a ResNet, three blocks, and the classifier."""

    def __init__(self, bottleneck):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 8, 7, 2), nn.MaxPool2d(3, 2, 1))
        blocks = [(8, 8, 1), (8, 16, 2), (16, 16, 1)]
        self.blocks = nn.Sequential(*(Residual(*block, bottleneck) for block in blocks))
        self.pool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        x = self.pool(self.blocks(self.stem(x)))
        return self.fc(torch.flatten(x, 1))


class Squeeze(nn.Module):
    """Squeeze and excitation: by 1x1 convolutions as in MobileNetV3, or by Linear as in SENet."""

    def __init__(self, channels, linear, gate):
        super().__init__()
        make = nn.Linear if linear else lambda i, o: nn.Conv2d(i, o, 1)
        self.linear = linear
        self.down, self.up = make(channels, 4), make(4, channels)
        self.gate = gate()

    def forward(self, x):
        n, c, _, _ = x.size()
        y = F.adaptive_avg_pool2d(x, 1)
        y = y.view(n, c) if self.linear else y
        y = self.gate(self.up(F.relu(self.down(y))))
        return x * (y.view(n, c, 1, 1) if self.linear else y)


class Inverted(nn.Module):
    """An inverted residual of MobileNetV2 or V3."""

    def __init__(self, channels, act, squeeze):
        super().__init__()
        wide = 2 * channels
        parts = [conv(channels, wide, 1, act=act), conv(wide, wide, 3, group=wide, act=act)]
        parts += [Squeeze(wide, False, nn.Hardsigmoid)] if squeeze else []
        self.branch = nn.Sequential(*parts, conv(wide, channels, 1, act=None))

    def forward(self, x):
        return x + self.branch(x)


def mobile(act, squeeze):
    stem = conv(3, 8, 3, 2, act=act)
    blocks = nn.Sequential(stem, Inverted(8, act, squeeze), conv(8, 12, 1, act=act))
    head = nn.Sequential(nn.Dropout(0.2), nn.Linear(12, 5))
    return Fn(lambda m, x: m.head(m.blocks(x).mean([2, 3])), blocks=blocks, head=head)


def vgg():
    features = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(True),
        nn.MaxPool2d(2, 2),
        conv(8, 8),
        nn.MaxPool2d(2),
    )
    sizes = [nn.Linear(8 * 4 * 4, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, 5)]
    return nn.Sequential(features, nn.AdaptiveAvgPool2d((4, 4)), nn.Flatten(), *sizes)


def unet(up):
    """One level down, one up, and the skip connection."""
    parts = {"first": conv(3, 8), "down": conv(8, 8, 3, 2), "up": up, "last": conv(16, 4)}

    def forward(m, x):
        skip = m.first(x)
        return m.last(torch.cat([m.up(m.down(skip)), skip], dim=1))

    return Fn(forward, **parts)


def shuffle(m, x):
    """ShuffleNet's unit: halves, and groups interleaved."""
    a, b = x.chunk(2, dim=1)
    x = torch.cat((a, m.branch(b)), dim=1)
    n, c, h, w = x.size()
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)


def last_step(m, x):
    return m.fc(m.lstm(x)[0][:, -1])


def resized(**how):
    return Fn(lambda m, x: F.interpolate(m.conv(x), **how), conv=nn.Conv2d(3, 4, 3, padding=1))


def after(function):
    """A function of a convolution's top, between which nothing can be left out."""
    return Fn(lambda m, x: function(m.conv(x)), conv=nn.Conv2d(3, 8, 3, padding=1))


def attention(m, x):
    q, k, v = m.qkv(x).chunk(3, dim=-1)
    return torch.softmax(q @ k.transpose(-2, -1) / 8**0.5, dim=-1) @ v


IMAGE = (1, 3, 16, 16)
ROWS = (2, 12)
STEPS = (1, 6, 8)
#: How each net is made, and the shape of its input.
NETS = {
    "basic": (lambda: ResNet(False), (1, 3, 32, 32)),
    "bottleneck": (lambda: ResNet(True), (1, 3, 32, 32)),
    "mobilenet_v2": (lambda: mobile(nn.ReLU6, False), IMAGE),
    "mobilenet_v3": (lambda: mobile(nn.Hardswish, True), IMAGE),
    "efficientnet": (lambda: mobile(nn.SiLU, True), IMAGE),
    "vgg": (vgg, IMAGE),
    "unet_transpose": (lambda: unet(nn.ConvTranspose2d(8, 8, 2, 2)), IMAGE),
    "unet_nearest": (lambda: unet(nn.Upsample(scale_factor=2)), IMAGE),
    "unet_bilinear": (lambda: unet(nn.Upsample(scale_factor=2, mode="bilinear")), IMAGE),
    "transpose_odd": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.ConvTranspose2d(4, 4, 4, 2, 1, groups=2)),
        IMAGE,
    ),
    "align_corners": (
        lambda: resized(scale_factor=2, mode="bilinear", align_corners=True),
        (1, 3, 5, 5),
    ),
    "resize_to": (lambda: resized(size=(32, 32), mode="nearest"), IMAGE),
    "senet": (lambda: nn.Sequential(conv(3, 8), Squeeze(8, True, nn.Sigmoid)), IMAGE),
    "adaptive": (
        lambda: after(
            lambda x: (
                torch.flatten(F.adaptive_avg_pool2d(x, (2, 4)), 1)
                + torch.flatten(F.adaptive_max_pool2d(x, 1), 1).repeat(1, 8)
            )
        ),
        IMAGE,
    ),
    "shuffle": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 1), Fn(shuffle, branch=conv(4, 4))),
        IMAGE,
    ),
    "pixel_shuffle": (lambda: nn.Sequential(nn.Conv2d(3, 12, 1), nn.PixelShuffle(2)), IMAGE),
    "lstm": (
        lambda: Fn(last_step, lstm=nn.LSTM(8, 5, batch_first=True), fc=nn.Linear(5, 3)),
        STEPS,
    ),
    "bilstm": (
        lambda: Fn(lambda m, x: m.lstm(x)[0], lstm=nn.LSTM(8, 5, bidirectional=True)),
        STEPS,
    ),
    "layer_norm": (lambda: nn.Sequential(nn.Linear(12, 8), nn.LayerNorm(8), nn.Linear(8, 3)), ROWS),
    "group_norm": (lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8)), IMAGE),
    "instance_norm": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.InstanceNorm2d(8, affine=True), nn.ReLU()),
        IMAGE,
    ),
    "max_pool_ceil": (lambda: after(nn.MaxPool2d(3, 2, ceil_mode=True)), IMAGE),
    "avg_pool": (lambda: after(nn.AvgPool2d(3, 2, 1)), IMAGE),
    "avg_pool_no_pad": (
        lambda: after(nn.AvgPool2d(3, 2, 1, count_include_pad=False)),
        IMAGE,
    ),
    "pad": (
        lambda: Fn(lambda m, x: m.conv(F.pad(x, (0, 1, 0, 1))), conv=nn.Conv2d(3, 4, 3, 2)),
        IMAGE,
    ),
    "split": (
        lambda: after(lambda x: torch.cat([p * k for k, p in enumerate(x.split([2, 3, 3], 1))], 1)),
        IMAGE,
    ),
    "chunk": (lambda: after(lambda x: torch.mul(*x.chunk(2, 1))), IMAGE),
    "glu": (lambda: after(lambda x: F.glu(x, 1)), IMAGE),
    "slice": (lambda: after(lambda x: x[:, 2:6, 1:-1, :8]), IMAGE),
    "view": (lambda: after(lambda x: x.view(x.size(0), -1)), IMAGE),
    "reshape": (
        lambda: after(lambda x: x.reshape(x.shape[0], x.shape[1], x.shape[2] * x.shape[3])),
        IMAGE,
    ),
    "mean": (lambda: after(lambda x: x.mean(dim=(2, 3), keepdim=True) + x.mean(1, True)), IMAGE),
    "silu": (lambda: after(F.silu), IMAGE),
    "mish": (lambda: after(F.mish), IMAGE),
    "gelu": (lambda: after(F.gelu), IMAGE),
    "hardswish": (lambda: after(lambda x: F.hardswish(x) + F.hardsigmoid(x)), IMAGE),
    "activations": (
        lambda: Fn(
            lambda m, x: m.prelu(
                F.leaky_relu(F.elu(x), 0.1) + F.softplus(x) + torch.tanh(x) * torch.sigmoid(x)
            ),
            prelu=nn.PReLU(3),
        ),
        IMAGE,
    ),
    "clamp": (
        lambda: after(lambda x: x.clamp(-0.5, 0.5) + x.clamp(min=0.1) + F.hardtanh(x)),
        IMAGE,
    ),
    "arithmetic": (
        lambda: after(
            lambda x: ((x * 2 - 1).abs() + 1).sqrt() / 3 + x.exp().pow(2) - 1 / (x * x + 1)
        ),
        IMAGE,
    ),
    "extremes": (lambda: after(lambda x: torch.maximum(*x.chunk(2, 1)) - x.amax(1, True)), IMAGE),
    "softmax": (lambda: after(lambda x: F.softmax(x, 1)), IMAGE),
    "log_softmax": (lambda: nn.Sequential(nn.Linear(12, 5), nn.LogSoftmax(1)), ROWS),
    "normalize": (lambda: after(lambda x: F.normalize(x, dim=1)), IMAGE),
    "lrn": (lambda: after(nn.LocalResponseNorm(5)), IMAGE),
    "conv1d": (
        lambda: nn.Sequential(nn.Conv1d(6, 4, 3, padding=1), nn.BatchNorm1d(4), nn.ReLU()),
        STEPS,
    ),
    "argmax": (lambda: after(lambda x: x.argmax(1)), IMAGE),
    "rows": (lambda: nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2)), STEPS),
    "attention": (lambda: Fn(attention, qkv=nn.Linear(8, 24)), STEPS),
}


def randomized(net):
    """The net for inference, with statistics and factors that are not all alike."""
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        if getattr(module, "weight", None) is not None and module.weight.ndim == 1:
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return net.eval()


def write(net, x, path, dynamo, opset):
    more = {"dynamo": dynamo} if MODERN else {}
    names = {"input_names": ["input"], "output_names": ["output"]}
    if dynamo:
        torch.onnx.export(net, (x,), path, **names, **more, external_data=False, verbose=False)
    else:
        torch.onnx.export(net, (x,), path, opset_version=opset, **names, **more)


def without_places(path):
    """Remove what tells of this machine: stack traces of the dynamo exporter."""
    import onnx

    model = onnx.load(path)
    for node in model.graph.node:
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    for function in model.functions:
        del function.metadata_props[:]
        for node in function.node:
            del node.metadata_props[:]
    onnx.save(model, path)


def form(model):
    """What the operators of a model are, whatever the opset, and whatever values are called."""
    names = {}

    def number(name):
        return names.setdefault(name, len(names)) if name else None

    return tuple(
        (
            node.op_type,
            tuple(map(number, node.input)),
            tuple(map(number, node.output)),
            tuple(sorted(a.SerializeToString() for a in node.attribute)),
        )
        for graph in [model.graph, *model.functions]
        for node in graph.node
    )


def prune(folder):
    """Remove files whose form another file of the net has."""
    import onnx

    seen = set()
    for path in sorted(Path(folder).glob("*.onnx"), reverse=True):
        key = path.name.partition(".")[0], form(onnx.load(path))
        if key in seen:
            path.unlink()
        seen.add(key)


def main(folder):
    warnings.simplefilter("ignore")
    forms = [(f"torch{VERSION}", False, opset) for opset in OPSETS]
    forms += [(f"dynamo{VERSION}", True, 18)] if MODERN else []
    for name, (make, shape) in NETS.items():
        for exporter, dynamo, opset in forms:
            torch.manual_seed(0)
            net = randomized(make())
            path = Path(folder) / f"{name}.{exporter}-{opset}.onnx"
            try:
                write(net, torch.randn(*shape), str(path), dynamo, opset)
            except Exception as error:
                print(f"{path.name}: {str(error).strip().splitlines()[0]}")
                path.unlink(missing_ok=True)
                continue
            if dynamo:
                without_places(str(path))
    if MODERN:
        prune(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
