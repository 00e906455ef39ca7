"""A fleet under way: what is written down, what is not done again, and how it stops."""

from __future__ import annotations

import csv
import json
import os
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fleet.inline import NET, Inline, fill, fleet

from prototxt_gen.cli import run
from prototxt_gen.errors import PrototxtError
from prototxt_gen.fleet import batch
from prototxt_gen.fleet.journal import Journal, Row
from prototxt_gen.fleet.plan import Item, Plan, plan
from prototxt_gen.fleet.task import Task
from prototxt_gen.fleet.ways import ToOnnx


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("fleet") / "models", 4)


@pytest.fixture(scope="module")
def whole(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("fleet") / "out"
    fleet(str(models), str(out), way=ToOnnx(verify=True)).run()
    return out


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def run_again(models: Path, out: Path, **more: Any) -> tuple[list[Row], list[str]]:
    """The rows, and the models that were given out."""
    machines = Inline()
    rows = fleet(str(models), str(out), machines, way=more.pop("way", ToOnnx()), **more).run()
    return rows, [task.item.name for task in machines.begun]


def test_a_line_of_each_model_says_all_of_it(models: Path, whole: Path) -> None:
    head, *rows = lines(whole)
    assert head == {"manifest": "resnet-proto fleet", "version": 1}
    assert [row["name"] for row in rows] == [f"m{number}/net" for number in range(4)]
    row = rows[1]
    assert (row["task"], row["status"], row["tries"]) == ("convert", "done", 1)
    assert row["verdict"] == "2 blobs agree"
    assert 0 < row["seconds"] < 60 and 20 < row["peak_mib"] < 4000
    for one in (*row["inputs"], *row["outputs"]):
        data = Path(one["path"]).read_bytes()
        import hashlib

        assert (one["size"], one["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert [Path(one["path"]).name for one in row["inputs"]] == ["net.prototxt", "net.caffemodel"]
    assert [one["path"] for one in row["outputs"]] == [str(whole / "m1/net.onnx")]
    assert not (whole / ".resnet-proto").exists(), "no receipt is left"


def test_what_is_up_to_date_is_neither_done_nor_written_again(models: Path, whole: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    rows, begun = run_again(models, whole, way=ToOnnx(verify=True))
    assert len(rows) == 4 and begun == []
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == before


def test_what_has_changed_is_done_again_alone(tmp_path: Path) -> None:
    models, out = fill(tmp_path / "in", 3), tmp_path / "out"
    first, _ = run_again(models, out)
    made = (out / "m0/net.onnx").read_bytes()
    (models / "m0/net.prototxt").write_text(NET % (0, 2) + "# more\n")
    (out / "m1/net.onnx").unlink()
    os.utime(models / "m2/net.caffemodel")
    kept = (out / "m2/net.onnx").stat().st_mtime_ns
    rows, begun = run_again(models, out)
    assert begun == ["m0/net", "m1/net", "m2/net"]
    assert (out / "m0/net.onnx").read_bytes() != made, "the hash of its net is in it"
    assert (out / "m1/net.onnx").is_file()
    assert (out / "m2/net.onnx").stat().st_mtime_ns == kept, "only the time of its file is another"
    assert rows[2]["time"] == first[2]["time"] and rows[2] != first[2]
    assert run_again(models, out)[1] == []
    assert run_again(models, out, way=ToOnnx({"opset": 13}))[1] == begun, "other options"


def test_a_refusal_lasts_and_a_failure_of_the_machine_does_not(tmp_path: Path) -> None:
    models, out = fill(tmp_path / "in", 1), tmp_path / "out"
    net = models / "m0/net.prototxt"
    net.write_text(NET.replace("ReLU", "NoSuchLayer") % (0, 2))
    rows, begun = run_again(models, out)
    assert (rows[0]["status"], rows[0]["reason"]) == ("failed", "refused")
    assert "NoSuchLayer" in rows[0]["why"] and begun == ["m0/net"]
    assert run_again(models, out)[1] == []
    net.write_text(NET % (0, 2))
    out.chmod(0o755)
    (out / "m0").write_text("a file where the folder shall be")
    rows, _ = run_again(models, out, retries=0)
    assert rows[0]["reason"] == "storage"
    (out / "m0").unlink()
    rows, begun = run_again(models, out)
    assert rows[0]["status"] == "done" and begun == ["m0/net"]


class Losing(Inline):
    """The first tries of each model are lost, or their process dies."""

    def __init__(self, losses: int, how: str) -> None:
        super().__init__()
        self.losses, self.how = losses, how

    def submit(self, task: Task) -> Future[Row]:
        before = sum(one.item == task.item for one in self.begun)
        if before >= self.losses:
            return super().submit(task)
        self.begun.append(task)
        done: Future[Row] = Future()
        if self.how == "cancelled":
            done.cancel()
            done.set_running_or_notify_cancel()
        else:
            done.set_result(task.failed("died", "it was killed"))
        return done


@pytest.mark.parametrize(
    ("how", "losses", "tries"), [("cancelled", 5, 1), ("died", 2, 3), ("died", 3, 0)]
)
def test_what_is_lost_is_given_out_again(
    models: Path, tmp_path: Path, how: str, losses: int, tries: int
) -> None:
    made = plan(str(models))
    some = replace(made, items=made.items[:2])
    rows = fleet(some, str(tmp_path), Losing(losses, how)).run()
    assert [row["status"] for row in rows] == ["done" if tries else "failed"] * 2
    assert [row["tries"] for row in rows] == [tries or 3] * 2
    assert len(lines(tmp_path)) == 3, "a line for each, whatever its tries"


def test_what_was_made_but_not_written_down_is_not_made_again(models: Path, tmp_path: Path) -> None:
    made = plan(str(models))
    run_it = fleet(replace(made, items=made.items[:1]), str(tmp_path), way=ToOnnx())
    journal = Journal(str(tmp_path))
    (task,) = run_it._todo(journal)
    journal.close()
    (row,) = [Inline().submit(task).result()]
    (tmp_path / "manifest.jsonl").unlink()  # this machine died before it wrote that down
    before = (tmp_path / "m0/net.onnx").stat().st_mtime_ns
    assert run_it.run() == [row]
    assert (tmp_path / "m0/net.onnx").stat().st_mtime_ns == before
    assert not (tmp_path / ".resnet-proto").exists()


def test_a_torn_line_is_passed_over_and_another_version_is_not(
    models: Path, tmp_path: Path
) -> None:
    made = plan(str(models))
    some = replace(made, items=made.items[:1])
    file = tmp_path / "manifest.jsonl"
    rows = fleet(some, str(tmp_path)).run()
    with file.open("ab") as more:
        more.write(b'{"task": "convert", "name": "m0/net", "status": "fai')
    assert fleet(some, str(tmp_path)).run() == rows
    (tmp_path / "m0/net.onnx").unlink()
    fleet(some, str(tmp_path)).run()
    assert file.read_text().splitlines()[2].endswith('"fai'), "it stays, and the next is a line"
    file.write_text('{"manifest": "resnet-proto fleet", "version": 2}\n')
    with pytest.raises(PrototxtError, match=r"jsonl:1: is of version 2; this program reads 1"):
        fleet(some, str(tmp_path)).run()


def test_the_manifest_of_convert_is_taken_over(models: Path, tmp_path: Path) -> None:
    assert {o.status for o in batch.convert_all(models, tmp_path, ToOnnx())} == {"converted"}
    rows, begun = run_again(models, tmp_path)
    assert begun == [] and len(rows) == 4
    assert rows[0]["taken_from"] == "manifest.json"
    assert rows[0]["outputs"][0]["path"] == str(tmp_path / "m0/net.onnx")
    assert run_again(models, tmp_path)[1] == []
    assert len(run_again(models, tmp_path, way=ToOnnx({"opset": 12}))[1]) == 4


def test_two_fleets_do_not_mix(models: Path, tmp_path: Path) -> None:
    class Second(Inline):
        def submit(self, task: Task) -> Future[Row]:
            with pytest.raises(OSError, match="another fleet is writing into it"):
                fleet(str(models), str(tmp_path)).run()
            return super().submit(task)

    made = plan(str(models))
    fleet(replace(made, items=made.items[:1]), str(tmp_path), Second()).run()


def test_the_models_are_verified_and_the_nets_validated(models: Path, whole: Path) -> None:
    machines = Inline()
    rows = fleet(str(models), str(whole), machines, "verify").run()
    assert {row["verdict"] for row in rows} == {"2 blobs agree"}
    assert [Path(one["path"]).suffix for one in rows[0]["inputs"]] == [
        ".prototxt",
        ".caffemodel",
        ".onnx",
    ]
    other = Plan(
        (Item("m0/net", str(models / "m1/net.prototxt"), str(models / "m1/net.caffemodel")),)
    )
    (row,) = fleet(other, str(whole), task="verify").run()
    assert (row["status"], row["reason"]) == ("failed", "differs"), row
    (row,) = fleet(Plan((replace(other.items[0], name="none"),)), str(whole), task="verify").run()
    assert "none.onnx" in row["why"]
    bad = whole.parent / "bad.prototxt"
    bad.write_text(NET % (0, 2) + 'layer { name: "x" type: "ReLU" bottom: "nowhere" top: "x" }\n')
    items = (
        Item("bad", str(bad)),
        Item("m0/net", *map(str, sorted((models / "m0").iterdir())[::-1])),
    )
    bad_row, good = fleet(Plan(items), str(whole), task="validate").run()
    assert good["verdict"] == "0 errors, 0 warnings"
    assert bad_row["why"].startswith("1 error, 0 warnings: ") and "nowhere" in bad_row["why"]
    assert "unknown-bottom" in bad_row["notes"][0]


def test_the_command_reports_by_reason(
    models: Path, tmp_path: Path, inline: Inline, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(2):
        folder = tmp_path / "in" / f"x{number}"
        folder.mkdir(parents=True)
        text = 'input: "data" input_shape { dim: [1, 2] }\n'
        text += f'layer {{ name: "r{number}" type: "NoSuch<b>" bottom: "data" top: "r" }}\n'
        (folder / "net.prototxt").write_text(text)
    (tmp_path / "in" / "solver.prototxt").write_text('net: "x" base_lr: 0.1 max_iter: 3\n')
    (tmp_path / "in" / "none.prototxt").write_text(NET % (0, 2))
    (tmp_path / "in" / "m").symlink_to(models / "m0")
    out = tmp_path / "out"
    words = ["fleet", str(tmp_path / "in"), "-o", str(out), "--no-verify"]
    assert run([*words, "--weights-init", "zeros"]) == 1
    shown = capsys.readouterr()
    assert shown.err.splitlines()[-1] == f"{out}: 1 done, 2 failed, 1 left out"
    assert "x0/net  refused  " in shown.out
    table = list(csv.DictReader((out / "summary.csv").read_text().splitlines()))
    assert [(row["name"].rpartition("/in/")[2], row["status"]) for row in table] == [
        ("none", "done"),
        ("x0/net", "failed"),
        ("x1/net", "failed"),
        ("solver.prototxt", "left out"),
    ]
    page = (out / "summary.html").read_text()
    assert '<b class="failed">2</b> refused: ' in page, "both are of one reason"
    assert "NoSuch&lt;b&gt;" in page and "NoSuch<b>" not in page and "<script" not in page
    assert run(words) == 1
    assert f"{out}: 3 nets without weights, 1 left out" in capsys.readouterr().err
    assert run([*words, "--task", "validate"]) == 2
    assert "--no-verify changes nothing with --task validate" in capsys.readouterr().err
    assert run([*words[:-1], "--task", "validate"]) == 1
    assert (out / "summary-validate.html").is_file()
    table = (out / "summary-validate.csv").read_text()
    names = {row["name"] for row in csv.DictReader(table.splitlines())}
    assert {"solver", "none", "x0/net"} <= names, "what is left out has text that can be validated"
