"""A folder of nets, broken ones among them: the table, a second run, one that was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import onnx
import pytest
from to_onnx.recorded import run_onnx

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.fleet import batch as fleet
from prototxt_gen.fleet.jobs import find
from prototxt_gen.graph.comparison import Comparison, Verdict
from prototxt_gen.weights import make, save

NET = """name: "n%d"
input: "data" input_shape { dim: [1, 3, 8, 8] }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: %d kernel_size: 3 weight_filler { type: "msra" } } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
"""
BROKEN = {
    "noweights": "no caffemodel is given",
    "unknown": "NoSuchLayer",
    "cut": "cut off",
    "shape": "expected",
    "syntax": "not closed",
}
SOUND = 55


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for number in range(SOUND):
        # Some in a folder of their own, with weights of another name.
        own = folder / f"group{number % 3}" / f"m{number}" if number % 3 else folder
        own.mkdir(parents=True, exist_ok=True)
        net = own / f"net{number}.prototxt"
        net.write_text(NET % (number, 2 + number % 5))
        graph = api.load(net)
        model = "weights.caffemodel" if number % 3 else f"net{number}.caffemodel"
        save(graph, make(graph, "fillers"), own / model)
    for name in BROKEN:
        own = folder / "broken" / name
        own.mkdir(parents=True)
        text = NET % (99, 4)
        made = make(api.load(Source(text.encode())), "fillers")
        if name == "unknown":
            text += 'layer { name: "u" type: "NoSuchLayer" bottom: "c" top: "u" }\n'
        graph = api.load(Source(text.encode()))
        if name != "noweights":
            save(graph, made, own / "net.caffemodel")
        if name == "cut":
            data = (own / "net.caffemodel").read_bytes()
            (own / "net.caffemodel").write_bytes(data[:-40])
        if name == "shape":
            text = text.replace("num_output: 4", "num_output: 7")
        (own / "net.prototxt").write_text(text[:-20] if name == "syntax" else text)
    (folder / "solver.prototxt").write_text('net: "x" base_lr: 0.1 max_iter: 3\n')
    return folder


def command(models: Path, out: Path, *more: str) -> list[str]:
    return ["convert", str(models), "-o", str(out), *more]


def state(out: Path) -> dict[str, object]:
    """All files; of the manifest what does not depend on when the models were made."""
    return {
        file.relative_to(out).as_posix(): json.loads(file.read_bytes())["nets"]
        if file == out / "manifest.json"
        else file.read_bytes()
        for file in out.rglob("*")
        if file.is_file()
    }


@pytest.fixture(scope="module")
def whole(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "onnx"
    assert run(command(models, out, "--jobs", "2")) == 1
    return out


def test_the_rest_is_converted_and_the_table_is_right(models: Path, whole: Path) -> None:
    made = [name for name in state(whole) if name.endswith(".onnx")]
    assert len(made) == SOUND
    model = (whole / "net0.onnx").read_bytes()
    import numpy as np

    top = run_onnx(model, {"data": np.ones((1, 3, 8, 8), np.float32)})["c"]
    assert top.shape == (1, 2, 6, 6)
    nets = json.loads((whole / "manifest.json").read_text())["nets"]
    assert len(nets) == SOUND + len(BROKEN)
    failed = {name: row["why"] for name, row in nets.items() if row["status"] == "failed"}
    assert set(failed) == {f"broken/{name}/net" for name in BROKEN}
    for name, words in BROKEN.items():
        assert words in failed[f"broken/{name}/net"]


def test_a_second_run_does_nothing(
    models: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {file: file.stat().st_mtime_ns for file in whole.rglob("*")}
    assert run(command(models, whole, "--jobs", "2")) == 1
    assert {file: file.stat().st_mtime_ns for file in whole.rglob("*")} == before
    out, err = capsys.readouterr()
    assert err.splitlines()[-1] == f"{len(BROKEN)} failed, {SOUND} up to date"
    assert len(out.splitlines()) == 1 + SOUND + len(BROKEN)


def test_killed_in_the_middle_and_started_again_it_ends_the_same(
    models: Path, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "onnx"
    process = subprocess.Popen(
        [sys.executable, "-m", "prototxt_gen", *command(models, out, "--jobs", "2")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not list(out.rglob("*.onnx")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with suppress(ProcessLookupError):  # until the last worker of the group is gone
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.01)
    assert 0 < len(list(out.rglob("*.onnx"))) < SOUND
    for name in ("net0.onnx", "manifest.json"):
        (out / f".{name}.resnet-proto-{process.pid}-0123abcd.half").write_bytes(b"half")
    assert run(command(models, out, "--jobs", "2")) == 1
    assert state(out) == state(whole)


def test_options_hold_for_each_net(models: Path, tmp_path: Path) -> None:
    folder, out, report = tmp_path / "in", tmp_path / "out", tmp_path / "report.json"
    folder.mkdir()
    (folder / "net.prototxt").write_text(NET % (0, 2))
    (folder / "net.caffemodel").write_bytes((models / "net0.caffemodel").read_bytes())
    more = ["--verify", "--external-data", "--report", str(report)]
    assert run(command(folder, out, *more)) == 0
    assert (out / "net.onnx.data").exists()
    (found,) = json.loads(report.read_text())["nets"]
    assert found["status"] == "converted"
    (out / "net.onnx").unlink()
    # The folder of the target is a file: that may be mended, and is tried again.
    (out / "net.onnx").mkdir()
    (out / "net.onnx" / "x").write_text("")
    (folder / "net.prototxt").write_text(NET % (1, 2))
    assert run(command(folder, out)) == 1
    (out / "net.onnx" / "x").unlink()
    (out / "net.onnx").rmdir()
    assert run(command(folder, out)) == 0


@pytest.mark.parametrize(
    "more",
    [["x.caffemodel"], ["--outputs", "c"], ["--until", "c"], ["--input-shape", "data=1,3,9,9"]],
)
def test_what_is_for_one_net_is_refused(
    models: Path, tmp_path: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command(models, tmp_path / "out", *more)) == 2
    assert "is for one net" in capsys.readouterr().err


def test_a_model_that_differs_fails_when_asked_to_verify(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Comparison("c", "conv", (1,), (1,), 1.0, 1.0, 0.0, agrees=False)
    monkeypatch.setattr("prototxt_gen.verify.verify_export", lambda made: Verdict((wrong,)))
    job = next(job for job in find(models, tmp_path) if job.name == "net0")
    assert "differs first at blob 'c'" in fleet._convert(job, fleet.ToOnnx(verify=True)).why
    assert not list(tmp_path.iterdir())


def test_what_has_changed_is_converted_again(models: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("net0.prototxt", "net0.caffemodel"):
        (folder / name).write_bytes((models / name).read_bytes())
    assert run(command(folder, out)) == 0
    first = (out / "net0.onnx").read_bytes()
    assert run(command(folder, out, "--opset", "13")) == 0
    second = (out / "net0.onnx").read_bytes()
    assert first != second
    (folder / "net0.prototxt").write_text(NET % (0, 2) + "# changed\n")
    (out / "net0.onnx").unlink()
    assert run(command(folder, out, "--opset", "13")) == 0
    third = onnx.load_from_string((out / "net0.onnx").read_bytes())
    before = onnx.load_from_string(second)
    assert third.graph == before.graph
    hashes = [{e.key: e.value for e in one.metadata_props} for one in (before, third)]
    changed = {key for key in hashes[0] if hashes[0][key] != hashes[1][key]}
    assert changed == {"resnet-proto.files"}, "of the source, whose comment is its own"


def one_net(folder: Path, models: Path) -> Path:
    """A folder of one net and its weights."""
    folder.mkdir()
    for name in ("net0.prototxt", "net0.caffemodel"):
        (folder / name).write_bytes((models / name).read_bytes())
    return folder


def rows(folder: Path, out: Path) -> dict[str, fleet.Outcome]:
    return {outcome.name: outcome for outcome in fleet.convert_all(folder, out, fleet.ToOnnx())}


def test_what_is_no_file_or_cannot_be_read_stops_nothing(models: Path, tmp_path: Path) -> None:
    folder = one_net(tmp_path / "in", models)
    (folder / "folder.prototxt").mkdir()
    (folder / "dangling.prototxt").symlink_to("nowhere")
    (folder / "loop.prototxt").symlink_to("loop.prototxt")
    found = rows(folder, tmp_path / "out")
    assert {name: found[name].status for name in found} == {"loop": "failed", "net0": "converted"}
    assert "loop.prototxt" in found["loop"].why


def test_models_may_be_put_beside_the_nets_and_below_them(models: Path, tmp_path: Path) -> None:
    folder = one_net(tmp_path / "in", models)
    assert run(command(folder, folder)) == 0
    assert (folder / "net0.onnx").is_file()
    below = folder / "out"
    below.mkdir()
    (below / "old.prototxt").write_text(NET % (0, 2))
    assert list(rows(folder, below)) == ["net0"]


def test_a_folder_without_nets_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command(tmp_path, tmp_path / "out")) == 2
    assert f"no net in {tmp_path}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_caffemodel_alone_is_converted_alone(models: Path, tmp_path: Path) -> None:
    folder = one_net(tmp_path / "in", models)
    (folder / "net0.prototxt").unlink()
    (job,) = find(folder, tmp_path)
    assert (job.net, job.weights) == (str(folder / "net0.caffemodel"), None)
    assert rows(folder, tmp_path / "out")["net0"].status == "converted"
    assert rows(folder, tmp_path / "out")["net0"].status == "up to date"


def test_which_of_two_caffemodels_is_not_guessed(models: Path, tmp_path: Path) -> None:
    folder = one_net(tmp_path / "in", models)
    (folder / "b.caffemodel").write_bytes((folder / "net0.caffemodel").read_bytes())
    (folder / "net0.caffemodel").rename(folder / "a.caffemodel")
    why = rows(folder, tmp_path / "out")["net0"].why
    assert "none of the 2 caffemodels in its folder" in why
    assert "expected net0.caffemodel" in why


def test_of_several_caffemodels_the_one_that_fits_is_taken(models: Path, tmp_path: Path) -> None:
    folder = one_net(tmp_path / "in", models)
    data = (folder / "net0.caffemodel").read_bytes()
    (folder / "net0.caffemodel").unlink()
    for name in ("a_iter_9.caffemodel", "a_iter_10.caffemodel"):
        (folder / name).write_bytes(data)
    (folder / "b.caffemodel").write_bytes((models / "net3.caffemodel").read_bytes())
    (job,) = find(folder, tmp_path / "out")
    assert job.weights == str(folder / "a_iter_10.caffemodel")
    assert rows(folder, tmp_path / "out")["net0"].status == "converted"


def test_a_model_of_another_size_is_made_again(models: Path, tmp_path: Path) -> None:
    folder, out = one_net(tmp_path / "in", models), tmp_path / "out"
    way = fleet.ToOnnx(external_data=True)
    fleet.convert_all(folder, out, way)
    before = state(out)
    for name in ("net0.onnx", "net0.onnx.data"):
        content = before[name]
        assert isinstance(content, bytes)
        (out / name).write_bytes(content[:-1])
        assert [outcome.status for outcome in fleet.convert_all(folder, out, way)] == ["converted"]
        assert state(out) == before
    assert [outcome.status for outcome in fleet.convert_all(folder, out, way)] == ["up to date"]


@pytest.mark.parametrize("row", ["[]", "1", '{"mark": 1}', "{}", "null"])
def test_a_broken_manifest_is_ignored(models: Path, tmp_path: Path, row: str) -> None:
    folder, out = one_net(tmp_path / "in", models), tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text(f'{{"nets": {{"net0": {row}}}}}')
    assert rows(folder, out)["net0"].status == "converted"


@pytest.fixture(scope="session")
def gone() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_what_is_left_half_is_swept(
    models: Path, tmp_path: Path, gone: int, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = one_net(tmp_path / "in", models), tmp_path / "out"
    mark = f"resnet-proto-{gone}-0123abcd.half"
    (out / "sub" / f".x.onnx.{mark}").mkdir(parents=True)
    (out / "sub" / f".x.onnx.{mark}" / "x").write_text("")
    (out / f".{'n' * 100}.{mark}").write_text("")
    (out / ".x.onnx.resnet-proto.lock").write_text("")
    own = [
        *(".net0.onnx.notes", ".a.onnx.backup-1", ".manifest.json.old", ".x.ab12_xyz"),
        *(".resnet50.onnx.original", ".model.onnx.20240131", ".net0.onnx.half_0hf"),
        f".x.resnet-proto-{os.getpid()}-0123abcd.half",
        f"x.{mark}",
    ]
    for name in own:
        (out / name).write_text("mine")
    (out / ".convert-settings").mkdir()
    (out / ".convert-settings" / "x").write_text("mine")
    assert run(command(folder, out)) == 0
    assert set(state(out)) == {*own, "net0.onnx", "manifest.json", ".convert-settings/x"}
    assert not list((out / "sub").iterdir())
    lines = [line for line in capsys.readouterr().err.splitlines() if "half" in line]
    assert lines == [
        f"{place}: removed 1 half file of conversions that were killed"
        for place in (out, out / "sub")
    ]


def test_an_earlier_model_stays_and_the_table_says_so(models: Path, tmp_path: Path) -> None:
    folder, out = one_net(tmp_path / "in", models), tmp_path / "out"
    rows(folder, out)
    before = (out / "net0.onnx").read_bytes()
    (folder / "net0.prototxt").write_text(NET % (0, 3))
    for _ in range(2):
        assert rows(folder, out)["net0"].why.endswith("; the existing model is from an earlier net")
    assert (out / "net0.onnx").read_bytes() == before
    assert "an earlier" not in (out / "manifest.json").read_text()


def test_a_report_is_put_over_no_net(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = one_net(tmp_path / "in", models), tmp_path / "out"
    before = state(folder)
    for report in (folder / "net0.prototxt", out / "net0.onnx", out / "manifest.json"):
        assert run(command(folder, out, "--report", str(report))) == 2
        assert f"{report}: would overwrite" in capsys.readouterr().err
    assert state(folder) == before


def test_the_changes_to_each_net_are_in_the_report_and_the_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out, report = tmp_path / "in", tmp_path / "out", tmp_path / "report.json"
    for name, more in (("a", "transform_param { scale: 0.5 crop_size: 8 }"), ("b", "")):
        (folder / name).mkdir(parents=True)
        data = f"""layer {{ name: "d" type: "MemoryData" top: "data" top: "l" {more}
          memory_data_param {{ batch_size: 1 channels: 3 height: 8 width: 8 }} }}"""
        text = NET % (1, 4)
        net = data + text[text.index("layer") :] if name == "a" else text
        (folder / name / "net.prototxt").write_text(net)
    options = ("--weights-init", "fillers")
    became = (
        "d (MemoryData): 'data' became an input; its transform is left to you: scale 0.5, "
        "crop_size 8 (from the middle)"
    )
    for status in ("converted", "up to date"):
        assert run(command(folder, out, *options, "--report", str(report))) == 0
        assert f"\n4 notes on 2 nets: see {report}\n" in capsys.readouterr().err
        nets = json.loads(report.read_text())["nets"]
        assert [net["status"] for net in nets] == [status] * 2
        assert became in nets[0]["notes"] and len(nets[0]["notes"]) == 3
        assert nets[1]["notes"] == [
            "n1: has no caffemodel; its weights are made by --weights-init fillers"
        ]
    rows = json.loads((out / "manifest.json").read_text())["nets"]
    assert [row["notes"] for row in rows.values()] == [net["notes"] for net in nets]
    assert run(command(folder, out, *options)) == 0
    assert f"4 notes on 2 nets: see {out / 'manifest.json'}" in capsys.readouterr().err
    assert run(command(folder, out, *options, "--report", "-")) == 0
    assert json.loads(capsys.readouterr().out)["nets"] == nets
