"""PyTorch's residual nets: their state dicts become caffemodels, and come back."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen import weights_torch as torch_nets
from prototxt_gen.cli import run
from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.arrays import read_arrays, write_arrays
from prototxt_gen.formats.binary.caffemodel import read_caffemodel
from prototxt_gen.graph.check import checked
from prototxt_gen.graph.weights import bound

State = dict[str, np.ndarray]

#: Blocks of each stage, convolutions of a block, and for a bottleneck groups and base width.
NETS = {
    "resnet18": ((2, 2, 2, 2), 2, 1, 64),
    "resnet34": ((3, 4, 6, 3), 2, 1, 64),
    "resnet50": ((3, 4, 6, 3), 3, 1, 64),
    "resnet101": ((3, 4, 23, 3), 3, 1, 64),
    "resnet152": ((3, 8, 36, 3), 3, 1, 64),
    "resnext50_32x4d": ((3, 4, 6, 3), 3, 32, 4),
    "resnext101_32x8d": ((3, 4, 23, 3), 3, 32, 8),
    "resnext101_64x4d": ((3, 4, 23, 3), 3, 64, 4),
    "wide_resnet50_2": ((3, 4, 6, 3), 3, 1, 128),
    "wide_resnet101_2": ((3, 4, 23, 3), 3, 1, 128),
}
#: Dense layers of each stage, and the channels that each adds.
DENSE = {
    "densenet121": ((6, 12, 24, 16), 32),
    "densenet161": ((6, 12, 36, 24), 48),
    "densenet169": ((6, 12, 32, 32), 32),
    "densenet201": ((6, 12, 48, 32), 32),
}
MOBILE = "mobilenet_v2"


def shapes(name: str, classes: int = 1000) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The parameters of a torchvision net: Conv2d, BatchNorm2d, Linear by their modules.

    This is torchvision.models.resnet, where the others are not meant.
    A bottleneck of ``planes`` is planes * base_width / 64 * groups wide, and has 4 * planes
    outputs; the first block of a stage has a downsample if size or channels change.
    """
    if name in DENSE:
        yield from densely(*DENSE[name], classes)
    if name == MOBILE:
        yield from mobile(classes)
    if name not in NETS:
        return
    blocks, convs, groups, base = NETS[name]
    yield "conv1.weight", (64, 3, 7, 7)
    yield from norm("bn1", 64)
    inputs = 64
    for stage, count in enumerate(blocks):
        planes = 64 * 2**stage
        outputs = planes * (4 if convs == 3 else 1)
        width = planes * base // 64 * groups
        for index in range(count):
            at = f"layer{stage + 1}.{index}"
            sizes = [(planes, inputs, 3, 3), (planes, planes, 3, 3)]
            if convs == 3:
                middle = (width, width // groups, 3, 3)
                sizes = [(width, inputs, 1, 1), middle, (outputs, width, 1, 1)]
            for number, size in enumerate(sizes, 1):
                yield f"{at}.conv{number}.weight", size
                yield from norm(f"{at}.bn{number}", size[0])
            if index == 0 and (stage or inputs != outputs):
                yield f"{at}.downsample.0.weight", (outputs, inputs, 1, 1)
                yield from norm(f"{at}.downsample.1", outputs)
            inputs = outputs
    yield "fc.weight", (classes, inputs)
    yield "fc.bias", (classes,)


def densely(stages: tuple[int, ...], growth: int, classes: int) -> Iterator[tuple[str, tuple]]:
    """The parameters of torchvision.models.densenet: a dense layer adds ``growth`` channels.

    Each begins with a norm of all that it reads, and is 4 times the growth wide inside.
    """
    channels = 2 * growth
    yield "features.conv0.weight", (channels, 3, 7, 7)
    yield from norm("features.norm0", channels)
    for stage, count in enumerate(stages, 1):
        for number in range(1, count + 1):
            at = f"features.denseblock{stage}.denselayer{number}"
            yield from norm(f"{at}.norm1", channels)
            yield f"{at}.conv1.weight", (4 * growth, channels, 1, 1)
            yield from norm(f"{at}.norm2", 4 * growth)
            yield f"{at}.conv2.weight", (growth, 4 * growth, 3, 3)
            channels += growth
        if stage < len(stages):
            yield from norm(f"features.transition{stage}.norm", channels)
            yield f"features.transition{stage}.conv.weight", (channels // 2, channels, 1, 1)
            channels //= 2
    yield from norm("features.norm5", channels)
    yield "classifier.weight", (classes, channels)
    yield "classifier.bias", (classes,)


def mobile(classes: int) -> Iterator[tuple[str, tuple]]:
    """The parameters of torchvision.models.mobilenet_v2, by the table of the paper."""
    yield "features.0.0.weight", (32, 3, 3, 3)
    yield from norm("features.0.1", 32)
    channels, number = 32, 0
    for factor, outputs, count in (
        *((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1)),
    ):
        for _ in range(count):
            number += 1
            wide, at, place = factor * channels, f"features.{number}.conv", 0
            if factor > 1:
                yield f"{at}.0.0.weight", (wide, channels, 1, 1)
                yield from norm(f"{at}.0.1", wide)
                place = 1
            yield f"{at}.{place}.0.weight", (wide, 1, 3, 3)
            yield from norm(f"{at}.{place}.1", wide)
            yield f"{at}.{place + 1}.weight", (outputs, wide, 1, 1)
            yield from norm(f"{at}.{place + 2}", outputs)
            channels = outputs
    yield "features.18.0.weight", (1280, 320, 1, 1)
    yield from norm("features.18.1", 1280)
    yield "classifier.1.weight", (classes, 1280)
    yield "classifier.1.bias", (classes,)


def norm(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for what in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{what}", (channels,)
    yield f"{name}.num_batches_tracked", ()


def state(name: str, classes: int = 1000) -> State:
    generator = np.random.default_rng(0)
    return {
        key: np.float32(7) if key.endswith("tracked") else value.astype(np.float32)
        for key, shape in shapes(name, classes)
        for value in [generator.random(shape, np.float32) + 0.5]
    }


def fitted(name: str, found: State) -> dict[str, list[np.ndarray]]:
    plain = {key: value for key, value in found.items() if not key.endswith("tracked")}
    return torch_nets.fit(torch_nets.net(name), plain)


@pytest.fixture(scope="module")
def small() -> State:
    return state("resnet18", 10)


@pytest.mark.parametrize(
    "architecture",
    [
        *(f"{zoo}/{name}" for name in (*NETS, *DENSE) for zoo in ("torchvision", "timm")),
        f"torchvision/{MOBILE}",
    ],
)
def test_names_and_shapes_are_those_of_the_net(architecture: str) -> None:
    name = architecture.partition("/")[2]
    wanted = {k: s for k, s in shapes(name) if not k.endswith("tracked")}
    zeros = {key: np.broadcast_to(np.float32(0), shape) for key, shape in wanted.items()}
    found = torch_nets.fit(torch_nets.net(architecture), zeros)
    assert sum(len(blobs) for blobs in found.values()) == len(wanted) + sum(
        key.endswith("running_var") for key in wanted
    ), "each BatchNorm has a factor besides"


def test_every_net_has_a_case() -> None:
    assert {name.partition("/")[2] for name in torch_nets.ARCHITECTURES} == {
        *(*NETS, *DENSE, MOBILE),
    }


def test_each_value_has_its_place() -> None:
    given = state("resnet18")
    made = fitted("torchvision/resnet18", given)
    mean, variance, factor = made["layer2.0.downsample.1"]
    assert np.array_equal(mean, given["layer2.0.downsample.1.running_mean"])
    assert np.array_equal(variance, given["layer2.0.downsample.1.running_var"])
    assert factor.tolist() == [1.0]
    scale = made["layer2.0.downsample.1.scale"]
    assert np.array_equal(scale[0], given["layer2.0.downsample.1.weight"])
    assert np.array_equal(scale[1], given["layer2.0.downsample.1.bias"])
    assert np.array_equal(made["fc"][1], given["fc.bias"])


def test_the_net_is_torchvisions() -> None:
    """The stride in the 3x3 convolution, a first pool that rounds down, and torch's eps."""
    net = torch_nets.net("torchvision/resnet50")
    layers: dict[str, Any] = {node.name: node.layer for node in net.nodes}
    assert layers["layer2.0.conv2"].stride == (2,) and layers["layer2.0.conv1"].stride == (1,)
    assert layers["layer2.0.bn2"].eps == 1e-5
    found = {ref.blob: shape for ref, shape in checked(net).blobs.items()}
    assert found["maxpool"] == (1, 64, 56, 56)


def change(given: State, **changes: np.ndarray | None) -> State:
    made = {**given, **{key.replace("__", "."): value for key, value in changes.items()}}
    return {key: value for key, value in made.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bn1__bias": None}, ["'bn1.bias' is missing; expected 64"]),
        (
            {"conv1__weight": np.zeros((64, 1, 7, 7))},
            ["'conv1.weight' is 64x1x7x7; expected 64x3x7x7"],
        ),
        ({"conv1__bias": np.zeros(64)}, ["'conv1.bias' belongs to no layer of ResNet-18"]),
        (
            {"fc__weight": np.zeros((7, 512)), "fc__bias": np.zeros(7)},
            [
                "'fc.weight' is 7x512; expected 10x512; give --classes 7",
                "'fc.bias' is 7; expected 10; give --classes 7",
            ],
        ),
        ({"fc__weight": np.zeros((10, 512, 1, 1))}, ["'fc.weight' is 10x512x1x1; expected 10x512"]),
        (
            {"bn1__weight": None, "bn1__gamma": np.zeros(64)},
            ["'bn1.weight' is missing; expected 64", "'bn1.gamma' belongs to no layer"],
        ),
    ],
)
def test_what_does_not_fit_is_named(small: State, changes: State, words: list[str]) -> None:
    given = {k: v for k, v in change(small, **changes).items() if not k.endswith("tracked")}
    with pytest.raises(WeightsError) as caught:
        torch_nets.fit(torch_nets.net("torchvision/resnet18", 10), given)
    found = [one.message for one in caught.value.diagnostics]
    assert len(found) == len(words)
    assert all(one.startswith(text) for one, text in zip(found, words, strict=True)), found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("torchvision/resnet5", "did you mean 'torchvision/resnet5"),
        ("resnext50", "did you mean 'resnext50_32x4d'?"),
        ("timm/seresnet50", "wide_resnet101_2"),
        ("resnext101_32x4d", "resnet18, resnet34"),
        ("mobilenetv2", "did you mean 'mobilenet_v2'?"),
        ("timm/mobilenet_v2", "torchvision/mobilenet_v2"),
    ],
)
def test_an_unknown_architecture_lists_all(name: str, words: str) -> None:
    with pytest.raises(WeightsError, match="unknown architecture") as caught:
        torch_nets.net(name)
    assert words in str(caught.value)


def saved(path: Path, given: State, prefix: str = "") -> Path:
    """A safetensors file as that library writes a state dict: the counts are I64."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    content = b""
    for name, value in given.items():
        count = name.endswith("tracked")
        data = np.asarray(value, "<i8" if count else "<f4")
        places = [len(content), len(content) + data.nbytes]
        kind = "I64" if count else "F32"
        entry = {"dtype": kind, "shape": list(data.shape), "data_offsets": places}
        header[prefix + name] = entry
        content += data.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)
    return path


@pytest.mark.parametrize("prefix", ["", "module."])
def test_there_and_back(tmp_path: Path, small: State, prefix: str) -> None:
    source = saved(tmp_path / "a.safetensors", small, prefix)
    model, back = tmp_path / "net.caffemodel", tmp_path / "b.safetensors"
    arch = ("--arch", "torchvision/resnet18", "--classes", "10")
    assert run(["weights", "import", str(source), *arch, "-o", str(model)]) == 0
    assert run(["weights", "export", str(model), *arch, "-o", str(back)]) == 0
    found = read_arrays(back)
    wanted = {key: value for key, value in small.items() if not key.endswith("tracked")}
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        assert np.array_equal(found[name], value), name


def test_the_command_names_the_net(tmp_path: Path, small: State, capsys) -> None:
    source = saved(tmp_path / "a.safetensors", small)
    model, net = tmp_path / "n.caffemodel", tmp_path / "n.prototxt"
    arch = ("--arch", "timm/resnet18", "--classes", "10")
    assert run(["weights", "import", str(source), *arch, "-o", str(model)]) == 0
    command = capsys.readouterr().err.partition("`resnet-proto ")[2].partition("`")[0]
    assert command == "gen resnet18-tv --naming torchvision --classes 10"
    assert run([*command.split(), "-o", str(net)]) == 0
    bound(api.load(net), checked(api.load(net)), read_caffemodel(model).weights())


def test_a_factor_is_divided_out() -> None:
    net = torch_nets.net("torchvision/resnet18")
    stored = fitted("torchvision/resnet18", state("resnet18"))
    mean, variance, _ = stored["bn1"]
    wanted = {"mean": mean.copy(), "var": variance.copy()}
    stored["bn1"] = [mean * 4, variance * 4, np.full(1, 4, np.float32)]
    found = torch_nets.state_of(net, stored)
    assert np.array_equal(found["bn1.running_mean"], wanted["mean"])
    assert np.array_equal(found["bn1.running_var"], wanted["var"])
    stored["bn1"][2][0] = 0
    assert not torch_nets.state_of(net, stored)["bn1.running_var"].any()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["import", "a.npz", "-o", "m"], "expected a NET, or --arch"),
        (
            ["import", "a.npz", "n", "--arch", "timm/resnet18", "-o", "m"],
            "NET changes nothing with --arch",
        ),
        (
            ["export", "m", "--arch", "resnet18", "--dialect", "ssd", "-o", "a.npz"],
            "--dialect changes nothing with --arch",
        ),
        (["export", "m", "--classes", "3", "-o", "a.npz"], "--classes goes with --arch"),
        (
            ["export", "m", "--arch", "resnet18", "--phase", "TRAIN", "-o", "a.npz"],
            "--phase goes with NET",
        ),
        (
            ["import", "a.npz", "--arch", "resnet18", "--input-shape", "x=1", "-o", "m"],
            "--input-shape changes nothing with --arch",
        ),
        (["import", "a.pth", "--arch", "resnet18", "-o", "m.pth"], "cannot end in .pth"),
        (["import", "a.npz", "--arch", "resnet9", "-o", "m"], "unknown architecture"),
    ],
)
def test_wrong_usage(args: list[str], words: str, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", a=np.ones(1))
    assert run(["weights", *args]) == 2
    assert words in capsys.readouterr().err


def test_files_of_dense_nets_have_older_names(tmp_path: Path) -> None:
    """``norm.1`` in the files that torchvision downloads (models/densenet.py renames it)."""
    path, at = tmp_path / "a.npz", "features.denseblock1.denselayer2"
    write_arrays(path, {f"{at}.norm.1.running_mean": np.ones(2), f"{at}.conv.2.weight": np.ones(1)})
    assert set(torch_nets.read_state(path)) == {
        f"{at}.norm1.running_mean",
        f"{at}.conv2.weight",
    }


def test_the_classifier_of_any_net_tells_its_size() -> None:
    given = {k: v for k, v in state(MOBILE, 7).items() if not k.endswith("tracked")}
    with pytest.raises(WeightsError, match="give --classes 7"):
        torch_nets.fit(torch_nets.net(MOBILE), given)


def test_names_with_and_without_a_prefix_are_two_models(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_arrays(path, {"module.fc.bias": np.ones(2), "fc.bias": np.ones(2)})
    with pytest.raises(WeightsError, match=r"'fc.bias' twice, with and without 'module.'"):
        torch_nets.read_state(path)


def test_a_pickle_without_torch_says_what_is_missing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(WeightsError, match=r"pip install 'resnet-proto\[torch\]'"):
        torch_nets.read_state(tmp_path / "a.pth")


@pytest.mark.parametrize("version", ["1.13.1", "2.5.1+cu124"])
def test_no_pickle_is_given_to_a_torch_that_may_run_it(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(__version__=version))
    with pytest.raises(WeightsError, match=r"CVE-2025-32434.*2\.6"):
        torch_nets.read_state(tmp_path / "a.pth")


def test_pickles(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    path, given = tmp_path / "a.pth", {"module.fc.bias": torch.ones(2, dtype=torch.float16)}
    given["module.bn1.num_batches_tracked"] = torch.tensor(3)
    for wrapped in (given, {"state_dict": given, "epoch": 3}, {"model": given}):
        torch.save(wrapped, path)
        (item,) = torch_nets.read_state(path).items()
        assert item[0] == "fc.bias" and item[1].dtype == np.float32 and item[1].tolist() == [1, 1]
    for other, words in [
        (os.path.join, "no file of weights alone"),
        ([1], "holds a list"),
        ({"lr": 0.1}, "'lr' is a float"),
    ]:
        torch.save(other, path)
        with pytest.raises(WeightsError, match=words):
            torch_nets.read_state(path)
    path.write_bytes(b"no pickle")
    with pytest.raises(WeightsError, match="no file of weights alone"):
        torch_nets.read_state(path)
