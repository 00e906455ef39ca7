"""What the page about two nets says, and the command that writes it."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from report.test_page import Seen, hostile

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.report.page import as_pair_html
from prototxt_gen.report.pair import Asked, Pair, pair
from prototxt_gen.weights import make, save

UNIT = """input: "x" input_shape { dim: [1, 8, 14, 14] }
layer { name: "a" type: "Convolution" bottom: "x" top: "a"
        convolution_param { num_output: 8 kernel_size: 3 pad: 1 } }
layer { name: "r" type: "ReLU" bottom: "a" top: "a" }
layer { name: "s" type: "Eltwise" bottom: "x" bottom: "a" top: "s" }
"""
LAST = 'layer { name: "p" type: "Pooling" bottom: "s" top: "p" pooling_param { kernel_size: 2 } }\n'


def made(a: str, b: str, **options: object) -> Pair:
    graphs = [api.load(Source(text.encode(), "net")) for text in (a, b)]
    return pair(*graphs, Asked(("a.prototxt", "b.prototxt"), **options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def residual() -> Pair:
    return made(api.generate("plain34"), api.generate("resnet34"))


def marked(svg: str) -> dict[str, str]:
    """The keys of the boxes with a mark."""
    found = re.findall(r'<g id="[ab]-box&#45;(n\d+)" class="node \w+ is&#45;(\w+)">', svg)
    return dict(found)


def test_the_marks_of_the_pictures_are_those_of_the_layers(residual: Pair) -> None:
    first, second = residual.sides
    assert set(first.marks) == {"", "rewired"} and set(second.marks) == {"", "added", "rewired"}
    added = [layer.name for layer, m in zip(second.layers, second.marks, strict=True) if m]
    assert {"res2a", "res3a_branch1", "bn3a_branch1", "res5c_relu"} <= set(added)
    boxes = marked(second.sketch.svg)
    # A sum with its ReLU is a box, and a projection of three layers one.
    assert set(boxes.values()) == {"added"} and len(boxes) == 16 + 3
    assert set(marked(first.sketch.svg).values()) == {"rewired"}
    for side in residual.sides:
        keys = {layer.box for layer, m in zip(side.layers, side.marks, strict=True) if m}
        assert keys == set(marked(side.sketch.svg))
    ids = re.findall(r' id="([^"]+)"', first.sketch.svg + second.sketch.svg)
    assert len(ids) == len(set(ids))


def test_partners_are_each_others(residual: Pair) -> None:
    first, second = residual.sides
    for index, other in enumerate(first.partners):
        assert other is not None and second.partners[other] == index
        assert first.layers[index].name == second.layers[other].name
    lonely = [at for at, one in enumerate(second.partners) if one is None]
    assert len(lonely) == 25 == residual.counts["added"]


def test_the_totals_are_those_of_the_summaries(residual: Pair) -> None:
    sums = [api.summarize(Source(api.generate(f"{n}34").encode())) for n in ("plain", "resnet")]
    found = {total.name: total for total in residual.totals}
    for name in ("parameters", "statistics", "multiply-adds"):
        wanted = tuple(getattr(one, name.replace("-", "_")) for one in sums)
        assert found[name].values == wanted
    # Three projections: 64 x 128, 128 x 256 and 256 x 512 weights, and two values a channel.
    more = found["parameters"].values[1] - found["parameters"].values[0]
    assert more == 64 * 128 + 128 * 256 + 256 * 512 + 2 * (128 + 256 + 512)
    assert found["activations at their peak"].values == tuple(one.memory.peak for one in sums)


def test_a_row_has_both_values() -> None:
    found = made(UNIT, UNIT.replace("num_output: 8", "num_output: 8 bias_term: false") + LAST)
    (changed, added) = found.rows
    assert (changed.mark, changed.first, changed.second) == ("changed", 1, 1)
    assert changed.fields == (("bias_term", "true", "false"),)
    assert (added.mark, added.first, added.name) == ("added", None, "p")
    assert added.about == "Pooling 2×2, max"
    html = as_pair_html(found).decode()
    assert "<dt>bias_term</dt><dd>true</dd><dd>false</dd>" in html


def test_a_box_to_which_a_layer_is_added_is_changed() -> None:
    more = UNIT.replace(
        'name: "s"', 'name: "t" type: "TanH" bottom: "a" top: "a" }\nlayer { name: "s"'
    )
    found = made(UNIT, more)
    assert marked(found.sides[1].sketch.svg) == {"n1": "changed"}
    assert found.sides[1].marks[3] == "added"


def test_equal_units_that_differ_otherwise_are_drawn_apart() -> None:
    net = api.generate("resnet101")
    other = net.replace('name: "res4b7_branch2a"', 'name: "another"', 1)
    for side in made(net, other, blocks=True).sides:
        frames = re.findall(
            r">(res4b\d+) …</text>\s*<text[^>]*>(res4b\d+) &#160;× (\d+)<", side.sketch.svg
        )
        assert frames == [("res4b1", "res4b6", "6"), ("res4b8", "res4b22", "15")]


def test_equal_nets_have_no_row() -> None:
    found = made(UNIT, UNIT.replace("kernel_size: 3", "kernel_h: 3 kernel_w: 3"))
    assert found.rows == () and found.same
    assert "There is no difference." in as_pair_html(found).decode()
    renamed = made(UNIT, UNIT.replace('"a"', '"b"'), structure=True)
    assert renamed.same and "no difference but for names" in as_pair_html(renamed).decode()
    unfit = made(UNIT, UNIT + LAST, structure=True)
    assert "first layer of the second net that does not fit: " in unfit.lines[1]
    assert [row.mark for row in unfit.rows] == ["added"]


def test_hostile_names_become_text() -> None:
    plain = Seen(as_pair_html(made(UNIT, UNIT.replace("num_output: 8", "num_output: 4"))).decode())
    html = as_pair_html(made(hostile(), UNIT)).decode()
    seen = Seen(html)
    assert {tag for tag, _ in seen.found} - {tag for tag, _ in plain.found} <= {"rect", "path"}
    assert not any(name.startswith("on") for _, attrs in seen.found for name in attrs)
    assert len([tag for tag, _ in seen.found if tag == "script"]) == 3
    for tag, attrs in seen.found:
        assert tag not in ("link", "img", "iframe", "object", "base", "form")
        assert "src" not in attrs and (attrs.get("href") or "#").startswith("#")
    assert not any(ord(c) < 32 and c not in "\n\t" for c in html)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nets")
    (folder / "a.prototxt").write_text(UNIT)
    (folder / "b.prototxt").write_text(UNIT + LAST)
    graph = api.load(Source(UNIT.encode()))
    graph.stored = make(graph, "random")
    save(graph, graph.stored, folder / "a.caffemodel")
    (folder / "a.onnx").write_bytes(api.to_onnx(graph).SerializeToString())
    return folder


@pytest.mark.parametrize(
    ("words", "two"),
    [
        (["a.prototxt", "b.prototxt"], True),
        (["a.prototxt", "a.caffemodel"], False),
        (["a.prototxt", "a.caffemodel", "--compare"], True),
        (["a.caffemodel", "b.prototxt", "--structure"], True),
        (["a.prototxt", "a.onnx", "--phase", "TRAIN"], True),
        (["a.onnx", "a.onnx", "--no-blocks"], True),
    ],
)
def test_what_the_second_file_is(
    words: list[str], two: bool, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    assert run(["report", *words, "-o", "out.html"]) == 0
    page = (files / "out.html").read_text("utf-8")
    assert ('<body class="pair">' in page) == two
    assert ('<section id="weights">' in page) != two


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-", "-"], "both nets are standard input"),
        (["a.prototxt", "--structure"], "--structure is for two nets"),
        (["a.prototxt", "a.caffemodel", "--structure"], "--structure is for two nets"),
        (["a.prototxt", "--compare"], "--compare needs a second file"),
        (["a.onnx", "a.onnx", "--phase", "TRAIN"], "--phase is for a Caffe net"),
        (["a.prototxt", "none.prototxt"], "none.prototxt: No such file"),
        (["a.prototxt", "b.prototxt", "-o", "b.prototxt"], "would overwrite an input"),
        (["a.prototxt", "b.prototxt", "--input-shape", "y=1,2"], "no input 'y'"),
    ],
)
def test_what_cannot_be_compared(
    words: list[str],
    said: str,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(files)
    assert run(["report", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err


def test_one_of_the_nets_from_a_pipe(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    for words in (["-"], ["-", str(files / "b.prototxt")], [str(files / "b.prototxt"), "-"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(UNIT.encode())))
        assert run(["report", *words]) == 0
        assert b"standard input" in capsysbinary.readouterr().out


def test_view_shows_two(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webbrowser.open", lambda uri: True)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run(["view", str(files / "a.prototxt"), str(files / "b.prototxt")]) == 0
    (path,) = tmp_path.glob("*/net.html")
    assert '<body class="pair">' in path.read_text("utf-8")
