"""The summary of a net: what is counted, what is not known, and why."""

import json
import re
import sys
from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import ParseError, ShapeError
from prototxt_gen.graph.phase import State

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
    ("columns", "gone"), [(80, "bottoms and tops"), (110, "bottoms"), (150, "")]
)
def test_a_narrow_terminal_has_whole_names_rather_than_every_column(
    columns: int,
    gone: str,
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
    assert "res2a_branch2a_relu  ReLU " in "\n".join(lines)
    assert max(map(len, lines[:-1])) <= columns
    assert len(lines) == 90 + 4  # a line for each layer: no cell is broken
    words = f"the terminal is too narrow for {gone}; a wider one or a pipe has them\n"
    assert err == (words if gone else "")
