"""``convert FOLDER --dynamic``: each net by its own inputs, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from prototxt_gen.cli import run
from prototxt_gen.fleet import batch

NET = """
layer { name: "in" type: "Input" top: "%s" input_param { shape { dim: [%s] } } }
layer { name: "pool" type: "Pooling" bottom: "%s" top: "pool"
        pooling_param { pool: AVE kernel_size: 2 } }
"""
PINNED = """layer { name: "flat" type: "Reshape" bottom: "pool" top: "flat"
        reshape_param { shape { dim: [3, 4] } } }"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nets of different inputs, which are converted in this process."""

    def here(work: Any, todo: Any, most: int) -> Any:
        yield from ((job, work(job)) for job in todo)

    monkeypatch.setattr(batch, "in_processes", here)
    monkeypatch.chdir(tmp_path)
    Path("nets").mkdir()
    for name, blob, dims, more in (
        ("data", "data", "1, 3, 4, 4", ""),
        ("image", "image", "1, 3, 6, 6", ""),
        ("other", "x", "1, 3, 4, 4", ""),
        ("flat", "data", "1, 3, 4, 4", PINNED),
        ("long", "data", "1, 3, 4, 4, 4", ""),
    ):
        Path(f"nets/{name}.prototxt").write_text(NET % (blob, dims, blob) + more)
    return tmp_path


def shape_of(path: str) -> list[str | int]:
    (value,) = onnx.load(path).graph.input
    return [one.dim_param or one.dim_value for one in value.type.tensor_type.shape.dim]


def test_each_net_has_the_free_sizes_of_its_inputs(nets: Path, capsys: Any) -> None:
    words = ["convert", "nets", "-o", "out", "--report", "-"]
    dynamic = ["--dynamic", "data=N,3,H,W", "--dynamic", "image=1,3,S,S"]
    assert run([*words, *dynamic]) == 1
    told = {one["net"]: one for one in json.loads(capsys.readouterr().out)["nets"]}
    made = [name for name, one in told.items() if one["status"] == "converted"]
    assert made == ["data", "image"]
    assert shape_of("out/data.onnx") == ["N", 3, "H", "W"]
    assert shape_of("out/image.onnx") == [1, 3, "S", "S"]
    assert "takes any N of 1 or more" in told["data"]["notes"][0]
    assert "the net has no such input; it has x" in told["other"]["why"]
    assert "layer 'flat'" in told["flat"]["why"]
    five = "nets/long.prototxt:2:1: layer 'in': --dynamic data=N,3,H,W: found 4 sizes, expected 5"
    assert told["long"]["why"].startswith(five)
    assert sorted(path.stem for path in Path("out").glob("*.onnx")) == made


def test_other_sizes_are_other_models(nets: Path, capsys: Any) -> None:
    for name in ("image", "other", "flat", "long"):
        Path(f"nets/{name}.prototxt").unlink()
    words = ["convert", "nets", "-o", "out"]
    assert run([*words, "--dynamic", "data=1,3,H,W"]) == 0
    assert run([*words, "--dynamic", "data=1,3,H,W"]) == 0
    assert "1 up to date" in capsys.readouterr().err
    assert run([*words, "--dynamic", "data=1,3,H,9"]) == 0
    assert shape_of("out/data.onnx") == [1, 3, "H", 9]
    assert run([*words, "--dynamic", "data=1,3,H,W", "--batch", "2"]) == 2
    assert "name the batch too" in capsys.readouterr().err


@pytest.mark.parametrize(("dims", "found"), [("1,3,H", "3 sizes"), ("N", "1 size")])
def test_the_number_of_sizes_is_said_at_its_place(
    nets: Path, dims: str, found: str, capsys: Any
) -> None:
    words = ["convert", "nets/data.prototxt", "-o", "a.onnx", "--dynamic", f"data={dims}"]
    assert run(words) == 1
    wanted = f"found {found}, expected 4, for the input 'data' is 1x3x4x4"
    assert f"nets/data.prototxt:2:1: error: layer 'in': --dynamic data={dims}: {wanted}" in (
        capsys.readouterr().err
    )
