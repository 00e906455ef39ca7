"""Weights between nets that are equal but for names: which layer is which, and the numbers."""

from __future__ import annotations

import random
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.diff.counterparts import counterparts
from prototxt_gen.document import Block
from prototxt_gen.errors import GraphError
from prototxt_gen.formats.text.printer import print_block
from prototxt_gen.graph.check import checked
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import named
from prototxt_gen.graph.sample import seeded
from prototxt_gen.weights import make

TESTS = Path(__file__).parents[1]
PUBLISHED: list[dict[str, Any]] = yaml.safe_load(
    (TESTS / "generate" / "published.yml").read_text("utf-8")
)["equal"]
GOLDEN = sorted((TESTS / "golden" / "graphs").glob("*/*.prototxt"))
INPUT = 'layer { name: "d" type: "Input" top: "d" input_param { shape { dim: [1, 4, 6, 6] } } }\n'


def graph(text: str) -> Graph:
    return api.load(Source(text.encode(), "net"))


def conv(name: str, bottom: str, outputs: int = 4) -> str:
    return (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}"\n'
        f"  convolution_param {{ num_output: {outputs} kernel_size: 1 }} }}\n"
    )


def total(name: str, *bottoms: str) -> str:
    reads = " ".join(f'bottom: "{one}"' for one in bottoms)
    return f'layer {{ name: "{name}" type: "Eltwise" {reads} top: "{name}" }}\n'


def renamed(net: Graph, seed: int) -> tuple[Graph, dict[str, str]]:
    """The same net with other names for its layers and blobs, and the layers' new names."""
    chance = random.Random(seed)
    layers = {node.name: f"layer{chance.random()}" for node in net.nodes}
    blobs = {ref.blob: f"blob{chance.random()}" for n in net.nodes for ref in (*n.bottoms, *n.tops)}
    made = Graph("renamed", input_form=net.input_form, dialect=net.dialect)
    for node in net.nodes:
        source = Block(f for f in node.source if f.name not in ("name", "bottom", "top"))
        bottoms = [blobs[ref.blob] for ref in node.bottoms]
        tops = [blobs[ref.blob] for ref in node.tops]
        made.add(layers[node.name], node.layer, bottoms, tops, source)
    return made, layers


def copied(a: Graph, b: Graph) -> None:
    """Give the second net the weights of the first."""
    names = counterparts(a, b).names
    b.stored = {names[old]: blobs for old, blobs in a.stored.items() if old in names}


def data_of(net: Graph) -> np.ndarray[Any, Any]:
    (data,) = seeded(net, named(checked(net), net.inputs)).values()
    return data


def outputs(net: Graph, data: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    (ref,) = net.inputs
    found = api.run(net, {ref.blob: data})
    return [found[one.blob] for one in net.outputs]


# --- which layer is which --------------------------------------------------------------------


@pytest.mark.parametrize("file", GOLDEN, ids=[f"{f.parent.name}-{f.stem}" for f in GOLDEN])
def test_golden_nets_under_any_names(file: Path) -> None:
    net = api.load(file)
    for seed in range(3):
        other, layers = renamed(net, seed)
        found = counterparts(net, other)
        assert found.left == (0, 0)
        for old, new in found.names.items():
            assert layers[old] == new
        assert found.names.keys() == {n.name for n in net.nodes if not n.layer.parameter_free()}


@pytest.mark.parametrize("entry", PUBLISHED, ids=[Path(e["file"]).stem for e in PUBLISHED])
def test_published_nets_and_ours(
    corpus: Path, entry: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["gen", *shlex.split(entry["gen"])]) == 0
    ours = graph(capsys.readouterr().out)
    theirs = api.load(corpus / entry["file"])
    there, back = counterparts(theirs, ours), counterparts(ours, theirs)
    assert {new: old for old, new in there.names.items()} == back.names
    assert there.left[::-1] == back.left
    learning = [n.name for n in ours.nodes if not n.layer.parameter_free()]
    assert set(there.names.values()) == set(learning)


def test_branches_that_differ_behind_are_told_apart() -> None:
    text = INPUT + conv("a", "d") + conv("b", "d") + conv("c", "b") + total("s", "a", "c")
    other = INPUT + conv("x", "d") + conv("y", "d") + conv("z", "x") + total("t", "z", "y")
    assert counterparts(graph(text), graph(other)).names == {"a": "y", "b": "x", "c": "z"}


def test_branches_that_are_equal_are_taken_in_any_order() -> None:
    text = INPUT + conv("a", "d") + conv("b", "d") + total("s", "a", "b")
    a, b = graph(text), graph(text.replace('"a"', '"x"').replace('"b"', '"a"'))
    a.stored = make(a, "random")
    copied(a, b)
    data = data_of(a)
    assert np.allclose(outputs(a, data)[0], outputs(b, data)[0], atol=1e-5)


def test_equal_outputs_are_told_apart_by_names_alone() -> None:
    text = INPUT + conv("a", "d") + conv("b", "d")
    assert counterparts(graph(text), graph(text)).names == {"a": "a", "b": "b"}
    turned = INPUT + conv("b", "d") + conv("a", "d")
    assert counterparts(graph(text), graph(turned)).names == {"a": "a", "b": "b"}
    other = text.replace('"a"', '"x"')
    with pytest.raises(GraphError, match="'a' and 'b' are alike, so that only their names"):
        counterparts(graph(text), graph(other))


def test_equal_inputs_are_told_apart_by_names_alone() -> None:
    two = INPUT + INPUT.replace('"d"', '"e"')
    text = two + conv("a", "d") + conv("b", "e") + total("s", "a", "b")
    turned = two + conv("x", "e") + conv("y", "d") + total("s", "x", "y")
    assert counterparts(graph(text), graph(turned)).names == {"a": "y", "b": "x"}
    with pytest.raises(GraphError, match="'d' and 'e' are alike"):
        counterparts(graph(text), graph(turned.replace('"e"', '"f"')))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("num_output: 5", "num_output: 6", "'b' (Convolution), reads 'a'"),
        ('bottom: "a"', 'bottom: "d"', "'b' (Convolution), reads 'a'"),
        ("kernel_size: 1", "kernel_size: 1 dilation: 2", "'a' (Convolution), reads 'd'"),
    ],
)
def test_the_first_difference_is_named(old: str, new: str, words: str) -> None:
    text = INPUT + conv("a", "d") + conv("b", "a", 5)
    with pytest.raises(GraphError) as caught:
        counterparts(graph(text), graph(text.replace(old, new)))
    assert f"first layer of the first net that does not fit: {words}" in caught.value.message


def test_shared_weights_are_no_others() -> None:
    text = INPUT + conv("a", "d") + conv("b", "a")
    shared = text.replace("convolution_param", 'param { name: "w" } convolution_param')
    with pytest.raises(GraphError, match="not equal but for names"):
        counterparts(graph(text), graph(shared))
    assert counterparts(graph(shared), graph(shared.replace('"w"', '"v"'))).names


# --- numbers, by the command -----------------------------------------------------------------


def written(path: Path, net: Graph) -> Path:
    from prototxt_gen.graph.write import write

    path.write_text(print_block(write(net).root, 0))
    return path


def test_the_numbers_of_a_published_net_and_ours(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = next(e for e in PUBLISHED if "resnet10-1x32d" in e["file"])
    theirs, ours = corpus / entry["file"], tmp_path / "ours.prototxt"
    assert run(["gen", *shlex.split(entry["gen"]), "-o", str(ours)]) == 0
    a, b, back = (tmp_path / name for name in ("a.caffemodel", "b.caffemodel", "back.caffemodel"))
    assert run(["weights", "init", str(theirs), "--how", "random", "-o", str(a)]) == 0
    there = ["weights", "copy", str(a), str(ours), "--by-structure", str(theirs), "-o", str(b)]
    assert run(there) == 0
    out, err = capsys.readouterr()
    assert "43 of 43 layers matched" in err
    assert re.search(
        r"^res1_conv1_bn +bn2a_branch2a +matched$|^bn2a_branch2a +res1_conv1_bn +", out, re.M
    )
    home = ["weights", "copy", str(b), str(theirs), "--by-structure", str(ours), "-o", str(back)]
    assert run(home) == 0
    assert run(["weights", "diff", str(a), str(back)]) == 0
    first, second = api.read_caffe(theirs, a), api.read_caffe(ours, b)
    data = data_of(first)
    for one, other in zip(outputs(first, data), outputs(second, data), strict=True):
        assert np.array_equal(one, other)


def test_a_caffemodel_tells_its_own_net(tmp_path: Path) -> None:
    text = INPUT + conv("a", "d") + conv("b", "a", 5)
    model, net, target = tmp_path / "m", tmp_path / "n.prototxt", tmp_path / "t"
    written(tmp_path / "a.prototxt", graph(text))
    assert run(["weights", "init", str(tmp_path / "a.prototxt"), "-o", str(model)]) == 0
    written(net, renamed(graph(text), 0)[0])
    copy = ["weights", "copy", str(model), str(net), "-o", str(target), "--by-structure"]
    assert run([*copy, str(model)]) == 0


def test_a_table_that_nobody_reads_on_costs_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, model, target = tmp_path / "n.prototxt", tmp_path / "m", tmp_path / "t"
    written(net, graph(INPUT + conv("a", "d")))
    assert run(["weights", "init", str(net), "-o", str(model)]) == 0

    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("prototxt_gen.cli.weights.print_table", closed)
    assert run(["weights", "copy", str(model), str(net), "-o", str(target)]) == 0
    assert target.is_file()


def test_what_does_not_go_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = INPUT + conv("a", "d") + conv("b", "a", 5)
    net = written(tmp_path / "a.prototxt", graph(text))
    other = written(
        tmp_path / "o.prototxt", graph(text.replace('"a"', '"x"').replace('"b"', '"y"'))
    )
    more = written(tmp_path / "l.prototxt", graph(text + conv("c", "b")))
    model, target = tmp_path / "m", tmp_path / "t"
    assert run(["weights", "init", str(net), "-o", str(model)]) == 0
    copy = ["weights", "copy", str(model), "-o", str(target), "--by-structure"]
    assert run([*copy, str(net), str(other), "--map", "a=x"]) == 2
    assert "--map is for layers that are found by name" in capsys.readouterr().err
    assert run([*copy, str(other), str(other)]) == 2
    assert f"{model} has weights for no layer of {other}" in capsys.readouterr().err
    assert run([*copy, str(net), str(more)]) == 0
    err = capsys.readouterr().err
    assert f"the net has 1 layer that {net} does not have" in err
    assert "2 of 3 layers matched" in err
    # A caffemodel has its net.
    assert run([*copy, str(model), str(model)]) == 0
    assert "2 of 2 layers matched" in capsys.readouterr().err
    assert run([*copy, str(model), str(tmp_path / "none")]) == 2
