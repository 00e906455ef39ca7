"""The summary of a net: what is counted, what is not known, and why."""

import csv
import io
import json
import re
import sys
from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.cli.summary import _COLUMNS
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import ParseError, PrototxtError, ShapeError
from prototxt_gen.graph.phase import State
from prototxt_gen.summary.columns import COLUMNS
from prototxt_gen.summary.groups import stage_name, unit_name

SHARED = """name: "twins"
layer { name: "a" type: "Input" top: "a" input_param { shape { dim: [2, 3] } } }
layer { name: "b" type: "Input" top: "b" input_param { shape { dim: [2, 3] } } }
layer { name: "x" type: "InnerProduct" bottom: "a" top: "x" param { name: "w" } param { name: "c" }
  inner_product_param { num_output: 4 } }
layer { name: "y" type: "InnerProduct" bottom: "b" top: "y" param { name: "w" } param { name: "c" }
  inner_product_param { num_output: 4 } }
layer { name: "bn" type: "BatchNorm" bottom: "y" top: "y" }
layer { name: "sum" type: "Eltwise" bottom: "x" bottom: "y" top: "sum" }
"""

DATA = """layer { name: "d" type: "Data" top: "x" top: "l" data_param { batch_size: 4 } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 5 kernel_size: 3 bias_term: false } }
layer { name: "g" type: "Pooling" bottom: "c" top: "g" pooling_param { global_pooling: true } }
layer { name: "f" type: "InnerProduct" bottom: "g" top: "f" inner_product_param { num_output: 2 } }
"""


def test_a_shared_weight_counts_once_and_statistics_apart() -> None:
    summary = api.summarize(Source(SHARED.encode()))
    assert summary.parameters == 3 * 4 + 4
    assert summary.statistics == 4 + 4 + 1
    assert summary.multiply_adds == 2 * (2 * 3 * 4)
    # a, b, x, y, sum; BatchNorm works in place
    assert summary.activations == 4 * (6 + 6 + 8 + 8 + 8)
    assert summary.complete


def test_what_the_data_decide_is_not_known_and_said_to_be_so() -> None:
    summary = api.summarize(Source(DATA.encode()))
    rows = {row.name: row for row in summary.rows}
    assert rows["d"].shapes == ((4, None, None, None), (4,))
    assert rows["d"].reason is not None
    assert rows["c"].shapes == ((4, 5, None, None),)
    assert rows["f"].shapes == ((4, 2),)
    assert [row.name for row in summary.rows if row.reason] == ["d"]
    assert not summary.complete


def test_a_given_shape_makes_it_known() -> None:
    summary = api.summarize(Source(DATA.encode()), input_shapes={"x": (1, 3, 8, 8)})
    assert summary.complete
    assert summary.parameters == 5 * 3 * 3 * 3 + 2 * 5 + 2
    assert summary.multiply_adds == 5 * 3 * 3 * 3 * 6 * 6 + 2 * 5


def test_a_shape_for_what_is_no_input_is_refused() -> None:
    with pytest.raises(ShapeError, match="no input 'y'; it has l, x"):
        api.summarize(Source(DATA.encode()), input_shapes={"y": (1,)})


def test_a_solver_is_no_net() -> None:
    with pytest.raises(ParseError, match="this is a SolverParameter; expected a net"):
        api.summarize(Source(b'net: "x" base_lr: 0.1'))


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text(api.generate(depth=50))
    assert run(["summary", "--json", str(file)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parameters"] == 25_557_032 + 64
    assert found["complete"] is True
    assert len(found["layers"]) == 229
    assert found["layers"][1]["weights"] == [[64, 3, 7, 7], [64]]
    assert found["layers"][-1]["shapes"] == [[1, 1000]]


def test_the_table_ends_where_caffe_would_refuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text(DATA.replace("num_output: 5", "num_output: 5 group: 2"))
    assert run(["summary", str(file), "--input-shape", "x=1,3,8,8"]) == 2
    out, err = capsys.readouterr()
    assert "1x3x8x8" in out
    assert "? c: num_output 5 is not divisible by group 2" in out
    assert f"{file}:3:" in err


def test_phases_stages_and_levels() -> None:
    text = SHARED + (
        'layer { name: "t" type: "ReLU" bottom: "sum" top: "t" include { phase: TRAIN } }\n'
        'layer { name: "s" type: "ReLU" bottom: "sum" top: "s" include { stage: "deploy" } }\n'
        'layer { name: "l" type: "ReLU" bottom: "sum" top: "l" include { min_level: 2 } }\n'
    )

    def last(state: State) -> list[str]:
        rows = api.summarize(Source(text.encode()), state=state).rows
        return [row.name for row in rows if row.name in "tsl"]

    assert last(State()) == []
    assert last(State("TRAIN")) == ["t"]
    assert last(State("TEST", frozenset({"deploy"}))) == ["s"]
    assert last(State("TEST", level=3)) == ["l"]


@pytest.mark.parametrize("value", ["x", "x=", "=1", "x=1,y", "x=-1", "x=99999999999"])
def test_a_shape_that_is_none_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["summary", "-", "--input-shape", value]) == 2
    assert "--input-shape" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("columns", "gone", "names"),
    [
        (60, "type, bottoms, tops, window and field", "res2a_branch2a_relu 1x64x56x56"),
        (80, "bottoms, tops, window and field", "res2a_branch2a_relu ReLU"),
        (120, "bottoms", "res2a_branch2a_relu ReLU"),
        (160, "", "res2a_branch2a_relu ReLU"),
    ],
)
def test_a_narrow_terminal_has_whole_names_rather_than_every_column(
    columns: int,
    gone: str,
    names: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(api.generate("resnet18"))
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert run(["summary", str(net)]) == 0
    out, err = capsys.readouterr()
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out).splitlines()
    assert names in re.sub(" +", " ", "\n".join(lines))
    table = lines[: lines.index("")]
    assert max(map(len, table)) <= columns
    assert len(table) == 90 + 2  # a line for each layer: no cell is broken
    words = f"the terminal is too narrow for {gone}; a wider one or a pipe has them\n"
    assert err == (words if gone else "")


BATCH = SHARED.replace("dim: [2, 3]", "dim: [6, 3]")


def test_one_image_and_the_batch() -> None:
    summary = api.summarize(Source(BATCH.encode()))
    assert summary.batch == 6
    assert summary.image is not None
    adds, memory = summary.image
    assert adds * 6 == summary.multiply_adds == 2 * 6 * 3 * 4
    assert memory.peak * 6 == summary.memory.peak
    # b and x, or x, y and sum
    assert summary.memory.peak == 4 * 6 * (4 + 4 + 4)
    assert summary.memory.peak_layer == "sum"
    assert summary.weight_bytes == 4 * (16 + 9)


def test_a_batch_that_a_layer_has_written_is_changed_with_it() -> None:
    text = (
        'layer { name: "a" type: "Input" top: "a" input_param { shape { dim: [4, 6] } } }\n'
        'layer { name: "r" type: "Reshape" bottom: "a" top: "r" '
        "reshape_param { shape { dim: [4, 2, 3] } } }\n"
        'layer { name: "f" type: "InnerProduct" bottom: "r" top: "f" '
        "inner_product_param { num_output: 2 } }\n"
    )
    summary = api.summarize(Source(text.encode()))
    assert (summary.batch, summary.multiply_adds) == (4, 48)
    assert summary.image is not None
    assert summary.image[0] == 12


def test_stages_and_units_sum_their_layers() -> None:
    summary = api.summarize(Source(api.generate("resnet50").encode()))
    stages = summary.grouped(1)
    assert [row.name for row in stages] == [
        *("input", "conv1", "pool1", "res2", "res3", "res4", "res5", "pool5", "fc1000")
    ]
    units = {row.name: row for row in summary.grouped(2)}
    assert len(units) == 5 + 3 + 4 + 6 + 3
    assert units["res5c"].parameters == 2048 * 512 * 2 + 512 * 512 * 9 + 2 * (512 * 2 + 2048)
    for rows in (stages, units.values(), summary.grouped(None)):
        assert sum(row.parameters or 0 for row in rows) == summary.parameters
        assert sum(row.multiply_adds or 0 for row in rows) == summary.multiply_adds
        assert sum(row.activations for row in rows) == summary.activations
    assert stages[5].bottoms == ("res3d",)


@pytest.mark.parametrize(
    ("layer", "unit", "stage"),
    [
        ("res4b22_branch2a", "res4b22", "res4"),
        ("conv1_1", "conv1_1", "conv1"),
        ("inception_3a/1x1", "inception_3a", "inception_3"),
        ("layer1.0.conv1", "layer1.0", "layer1"),
        ("/layer1/layer1.0/conv1/Conv", "layer1.0", "layer1"),
        ("conv2_1/dw", "conv2_1", "conv2"),
        ("fc1000", "fc1000", "fc1000"),
        ("prob", "prob", "prob"),
        ("/", "/", "/"),
    ],
)
def test_what_names_say(layer: str, unit: str, stage: str) -> None:
    assert unit_name(layer) == unit
    assert stage_name(unit) == stage


@pytest.fixture
def r18(tmp_path: Path) -> Path:
    file = tmp_path / "net.prototxt"
    file.write_text(api.generate("resnet18"))
    return file


def test_forms(r18: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["summary", str(r18), "--depth", "1", "--columns", "name,shape,multiply-adds,share"]
    assert run([*chosen, "--format", "csv"]) == 0
    found = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert found[0] == ["name", "shape", "multiply-adds", "share"]
    assert found[2] == ["conv1", "1x64x112x112", "118013952", "6.5"]
    assert run([*chosen, "--format", "tsv"]) == 0
    assert [line.split("\t") for line in capsys.readouterr().out.splitlines()] == found
    assert run([*chosen, "--format", "markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["| layer | shape | multiply-adds | share |", "| --- | --- | --: | --: |"]
    assert "| conv1 | 1x64x112x112 | 118,013,952 | 6.5 % |" in lines
    assert run([*chosen[:4], "--format", "json"]) == 0
    groups = json.loads(capsys.readouterr().out)["groups"]
    assert [group["name"] for group in groups] == [row[0] for row in found[1:]]
    assert groups[1]["layers"] == ["conv1", "bn_conv1", "scale_conv1", "conv1_relu"]
    assert run(["summary", str(r18), "--json", "--format", "csv"]) == 2


def test_columns(r18: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["summary", str(r18), "--columns", "all"]) == 0
    assert "conv1  Convolution" in re.sub(" {3,}", "  ", capsys.readouterr().out)
    assert run(["summary", str(r18), "--columns", "name,shap"]) == 2
    assert "did you mean 'shape'?" in capsys.readouterr().err


def test_the_help_lists_the_columns() -> None:
    assert ", ".join(COLUMNS) == _COLUMNS


def test_a_caffemodel_and_an_onnx_model(r18: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, onnx = r18.with_suffix(".caffemodel"), r18.with_suffix(".onnx")
    assert run(["weights", "init", str(r18), "-o", str(model)]) == 0
    assert run(["convert", str(r18), str(model), "-o", str(onnx), "--no-metadata"]) == 0
    said = api.summarize(r18)
    assert api.summarize(model).parameters == said.parameters
    # Folded: BatchNorm and Scale are gone, and each convolution has a bias.
    assert api.summarize(onnx).multiply_adds == said.multiply_adds
    for file in (model, onnx):
        assert run(["summary", str(file), "--depth", "1"]) == 0
    capsys.readouterr()
    assert run(["summary", str(onnx), "--phase", "TRAIN"]) == 2
    assert "--phase is for a Caffe net" in capsys.readouterr().err
    with pytest.raises(PrototxtError, match="neither state nor dialect"):
        api.summarize(onnx, dialect="bvlc")


def test_a_notebook_shows_a_plain_table() -> None:
    text = SHARED.replace("twins", "<b>").replace('"sum"', '"a&b"')
    shown = api.summarize(Source(text.encode()))._repr_html_()
    assert shown.startswith("<table>")
    assert shown.count("<tr>") == 1 + 6
    assert "a&amp;b" in shown
    assert "<p>&lt;b&gt;: 6 layers" in shown
