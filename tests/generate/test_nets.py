"""Generated nets are the published ones, and weigh what is published."""

import time
from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block
from prototxt_gen.errors import SpecError
from prototxt_gen.formats.reader import read_text
from prototxt_gen.generate.blocks import build
from prototxt_gen.generate.forms import DEPTHS
from prototxt_gen.generate.spec import Spec
from prototxt_gen.graph.infer import infer, total_cost


def message(data: bytes) -> Block:
    source = Source(data)
    sink = Sink(source)
    root = read_text(source, sink).root
    assert not sink.diagnostics
    return root


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_the_published_nets_are_reproduced(depth: int, corpus: Path) -> None:
    file = f"KaimingHe+deep-residual-networks/prototxt/ResNet-{depth}-deploy.prototxt"
    assert message(api.generate(depth=depth).encode()) == message((corpus / file).read_bytes())


# torchvision's counts; MSRA's ResNet-50 has 64 biases more, on conv1.
@pytest.mark.parametrize(
    ("depth", "parameters"),
    [
        (18, 11_689_512),
        (34, 21_797_672),
        (50, 25_557_032 + 64),
        (101, 44_549_160),
        (152, 60_192_808),
    ],
)
def test_parameters_are_those_published(depth: int, parameters: int) -> None:
    graph = build(Spec.of({"depth": depth})).graph
    sink = Sink()
    assert total_cost(graph, infer(graph, sink)).parameters == parameters


def test_the_first_block_of_resnet_50_has_msras_names() -> None:
    names = [block.get("name", str, "") for block in message(_resnet50()).blocks("layer")]
    start = names.index("conv1")
    assert names[start : start + 21] == [
        "conv1",
        "bn_conv1",
        "scale_conv1",
        "conv1_relu",
        "pool1",
        "res2a_branch1",
        "bn2a_branch1",
        "scale2a_branch1",
        "res2a_branch2a",
        "bn2a_branch2a",
        "scale2a_branch2a",
        "res2a_branch2a_relu",
        "res2a_branch2b",
        "bn2a_branch2b",
        "scale2a_branch2b",
        "res2a_branch2b_relu",
        "res2a_branch2c",
        "bn2a_branch2c",
        "scale2a_branch2c",
        "res2a",
        "res2a_relu",
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"depth": depth, "classes": 7, "width": 8, "input_shape": [2, 1, 97, 64], "name": "é\n"}
        for depth in DEPTHS
    ]
    + [
        {"stages": [1], "block": "basic"},
        {"stages": [1, 30, 1], "width": 4},
        {"stages": [2, 2, 2, 2, 2, 2], "width": 3, "block": "basic", "bias": "all"},
    ],
)
def test_any_spec_makes_a_net_without_findings(values: dict[str, object]) -> None:
    text = api.generate(values)
    assert api.validate(Source(text.encode())) == []
    names = [block.get("name", str, "") for block in message(text.encode()).blocks("layer")]
    assert len(set(names)) == len(names)


def test_keys_beside_a_depth_change_the_net() -> None:
    root = message(
        api.generate(depth=18, classes=10, width=16, input_shape=[4, 1, 64, 32]).encode()
    )
    assert root.get_list("input_dim", int) == (4, 1, 64, 32)
    last = next(b for b in root.blocks("layer") if b.get("type", str, "") == "InnerProduct")
    assert last.get("name", str, "") == "fc10"
    pool5 = next(b for b in root.blocks("layer") if b.get("name", str, "") == "pool5")
    window = pool5.block("pooling_param")
    assert (window.get("kernel_h", int, 0), window.get("kernel_w", int, 0)) == (2, 1)


def test_time_grows_linearly_with_depth() -> None:
    # Of ten times the blocks; what is quadratic takes a hundred times as long.
    times = []
    for blocks in (100, 1000):
        start = time.process_time()
        text = api.generate(stages=[blocks] * 3, block="basic", width=4)
        times.append(time.process_time() - start)
        assert text.count('"Eltwise"') == 3 * blocks
    assert times[1] < 40 * times[0]


@pytest.mark.parametrize(
    ("values", "path", "words"),
    [
        ({"depth": 51}, "depth", "nearest are 50 and 101"),
        ({"depth": 7}, "depth", "nearest is 18"),
        ({"depth": True}, "depth", "whole number"),
        ({"depth": "50"}, "depth", "whole number"),
        ({"depth": 50, "block": "basic"}, "block", "depth 50 has bottleneck blocks"),
        ({"depth": 50, "stages": [1]}, "stages", "in addition to depth"),
        ({"depth": 50, "classes": 0}, "classes", "is 0; expected 1"),
        ({"depth": 50, "classes": 1 << 40}, "classes", "expected 1 to"),
        ({"depth": 50, "clases": 10}, "clases", "did you mean 'classes'"),
        ({"depth": 50, "input_shape": [3, 224, 224]}, "input_shape", "expected 4"),
        ({"depth": 50, "input_shape": [1, 3, 2, 2]}, "input_shape", "too small"),
        ({"depth": 50, "folded": 1}, "folded", "true or false"),
        ({"depth": 50, "name": 3}, "name", "a text"),
        ({"stages": [3, 0]}, "stages[1]", "is 0"),
        ({"stages": [3, 1.5]}, "stages[1]", "whole number"),
        ({"stages": []}, "stages", "a list"),
        ({"stages": 3}, "stages", "a list"),
        ({"stages": [10**9]}, "stages", "expected at most"),
        ({"stages": [1] * 64}, "width", "exceed"),
        ({"stages": [1], "block": "botleneck"}, "block", "did you mean 'bottleneck'"),
        ({"classes": 10}, "", "no depth"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_entry(
    values: dict[str, object], path: str, words: str
) -> None:
    with pytest.raises(SpecError) as caught:
        api.generate(values)
    assert caught.value.path == path
    assert words in str(caught.value)


def _resnet50() -> bytes:
    return api.generate(depth=50).encode()


@pytest.mark.parametrize(("classes", "measured"), [(5, [None]), (6, [None, 5])])
def test_the_best_five_of_five_classes_are_not_measured(
    classes: int, measured: list[int | None]
) -> None:
    """Accuracy takes a top_k of the number of classes at most, and one equal to it is always 1."""
    text = api.generate("resnet20", phase="train_val", classes=classes)
    graph = api.load(Source(text.encode()))
    found = [n.params.get("top_k", int, None) for n in graph.nodes if n.type == "Accuracy"]
    assert [None if top == 1 else top for top in found] == measured
