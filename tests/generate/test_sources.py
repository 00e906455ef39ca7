"""Numbers and names of generated nets, against where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.generate.blocks import build
from prototxt_gen.generate.solver import solver
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.zoo import preset
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.phase import State

#: The mean of each channel of CIFAR-10's training images, red, green, blue, of 1.
CIFAR_MEAN = (0.4914, 0.4822, 0.4465)


def spec(name: str, **keys: Any) -> Spec:
    return Spec.of({**preset(name), **keys})


def trained(name: str, phase: str = "TRAIN", **keys: Any) -> Graph:
    text = api.generate(name, phase="train_val", **keys)
    return api.load(Source(text.encode()), State(phase))  # type: ignore[arg-type]


def means(graph: Graph) -> list[float]:
    return list(graph.nodes[0].source.block("transform_param").get_list("mean_value", float))


def test_the_means_of_cifar() -> None:
    """Caffe reads blue, green, red, from 0 to 255; 0.48 times 255 is known to a tenth."""
    for phase in ("TRAIN", "TEST"):
        found = means(trained("resnet20", phase))
        assert found == pytest.approx([255 * mean for mean in CIFAR_MEAN[::-1]], abs=0.05)


def test_the_means_of_imagenet_are_those_of_published_nets(corpus: Path) -> None:
    theirs = api.load(corpus / "BVLC+caffe/models/bvlc_googlenet/train_val.prototxt")
    assert means(trained("resnet50")) == means(theirs) != []


def test_a_net_of_other_channels_has_no_means() -> None:
    assert means(trained("resnet50", input_shape=[1, 1, 224, 224])) == []


@pytest.mark.parametrize("name", ["resnet50", "wrn-28-10", "se-resnet50", "resnet20"])
def test_rates_are_those_of_published_nets(name: str, corpus: Path) -> None:
    """AlexNet's: a bias learns twice as fast, and does not decay."""
    theirs = api.load(corpus / "BVLC+caffe/models/bvlc_alexnet/train_val.prototxt")
    wanted = {
        tuple(param.get(field, float, 1.0) for field in ("lr_mult", "decay_mult"))
        for node in theirs.nodes
        if node.type in ("Convolution", "InnerProduct")
        for param in node.source.blocks("param")[1:]
    }
    assert wanted == {(2.0, 0.0)}
    biases = 0
    for node in trained(name, bias="all").nodes:
        if node.type not in ("Convolution", "InnerProduct"):
            continue
        params = [
            tuple(param.get(field, float, 1.0) for field in ("lr_mult", "decay_mult"))
            for param in node.source.blocks("param")
        ]
        assert params[0] == (1.0, 1.0)
        assert set(params[1:]) <= wanted
        biases += len(params) - 1
        assert node.params.has("bias_filler") == (len(params) > 1)
    assert biases > 1


def test_a_net_for_inference_has_no_rates() -> None:
    text = api.generate("resnet18")
    assert not any(word in text for word in ("param {\n    lr_mult", "filler", "decay_mult"))


def modules(blocks: tuple[int, ...], convs: int, projected: set[int]) -> set[str]:
    """The modules with weights of torchvision.models.resnet, as its state_dict has them."""
    found = {"conv1", "bn1", "fc"}
    for stage, count in enumerate(blocks, 1):
        for block in range(count):
            for number in range(1, convs + 1):
                found |= {f"layer{stage}.{block}.{kind}{number}" for kind in ("conv", "bn")}
        if stage in projected:
            found |= {f"layer{stage}.0.downsample.{number}" for number in (0, 1)}
    return found


@pytest.mark.parametrize(
    ("name", "blocks", "convs", "projected"),
    [
        ("resnet18-tv", (2, 2, 2, 2), 2, {2, 3, 4}),
        ("resnet50-tv", (3, 4, 6, 3), 3, {1, 2, 3, 4}),
        ("resnext101-32x8d", (3, 4, 23, 3), 3, {1, 2, 3, 4}),
    ],
)
def test_names_are_torchvisions(
    name: str, blocks: tuple[int, ...], convs: int, projected: set[int]
) -> None:
    graph = build(spec(name, naming="torchvision")).graph
    weighted = ("Convolution", "BatchNorm", "InnerProduct")
    assert {node.name for node in graph.nodes if node.type in weighted} == modules(
        blocks, convs, projected
    )
    types = {node.name: node.type for node in graph.nodes}
    assert types["layer2.0.downsample.0"] == "Convolution"
    assert types["layer2.0.downsample.1"] == "BatchNorm"
    assert {types["maxpool"], types["avgpool"]} == {"Pooling"}


@pytest.mark.parametrize("name", ["resnet50", "resnet101", "resnet152"])
def test_names_are_msras(name: str, corpus: Path) -> None:
    depth = name.removeprefix("resnet")
    file = f"KaimingHe+deep-residual-networks/prototxt/ResNet-{depth}-deploy.prototxt"
    theirs = [node.name for node in api.load(corpus / file).nodes if node.bottoms]
    ours = [node.name for node in build(spec(name)).graph.nodes if node.bottoms]
    assert ours == theirs


@pytest.mark.parametrize(
    ("name", "read", "batch"),
    [
        ("resnet50", 32, 256),
        ("resnet50", 64, 256),
        ("resnet50", 256, 256),
        ("resnet50", 1, 7),
        ("resnet20", 128, 128),
        ("resnet20", 64, 128),
        ("resnet20", 32, 96),
    ],
)
def test_a_step_sees_its_whole_batch(name: str, read: int, batch: int) -> None:
    """iter_size batches of what the data layer reads; 1 is Caffe's default, and not written."""
    found = solver(spec(name, train_batch=read), "n", batch=batch)
    assert found.get("iter_size", int, 1) * read == batch
    assert found.has("iter_size") == (read != batch)


@pytest.mark.parametrize(("name", "images"), [("resnet50", 50_000), ("resnet20", 10_000)])
def test_a_test_sees_every_image_once(name: str, images: int) -> None:
    data = trained(name, "TEST").nodes[0].source.block("data_param")
    assert (
        solver(spec(name), "n").get("test_iter", int, 0) * data.get("batch_size", int, 0) == images
    )


def test_the_schedule_of_cifar_is_that_of_a_published_solver(corpus: Path) -> None:
    from prototxt_gen.diagnostics import Sink
    from prototxt_gen.formats.reader import read_text

    file = corpus / "yihui-he+resnet-cifar10-caffe/resnet-20/solver.prototxt"
    source = Source(file.read_bytes())
    theirs, ours = read_text(source, Sink(source)).root, solver(spec("resnet20"), "n")
    for name in ("test_iter", "test_interval", "base_lr", "display", "max_iter", "lr_policy"):
        assert ours.all(name) == theirs.all(name), name
    for name in ("gamma", "momentum", "weight_decay", "stepvalue", "solver_mode"):
        assert ours.all(name) == theirs.all(name), name


def test_a_label_map_stands_where_detectors_have_theirs(corpus: Path) -> None:
    """In the data layers of SSD's nets, which have such a field."""
    file = corpus / "NVIDIA+caffe/models/VGGNet/coco/SSD_300x300/train.prototxt"
    (theirs,) = (one for one in api.load(file, State("TRAIN")).nodes if one.type == "AnnotatedData")
    for phase in ("TRAIN", "TEST"):
        keys = {"dialect": "nvcaffe", "training": {"label_map": "map.prototxt"}}
        ours = trained("resnet18", phase, **keys).nodes[0]
        assert ours.type == "AnnotatedData"
        for message in ("data_param", "annotated_data_param"):
            has = {field.name for field in ours.source.block(message)}
            assert has <= {field.name for field in theirs.source.block(message)}
        found = ours.source.block("annotated_data_param").get("label_map_file", str, "")
        assert found == "map.prototxt"
