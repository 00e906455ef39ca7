"""Processes that die, hang and take too much: here, and on a Dask cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from fleet.inline import fill, fleet

from prototxt_gen._halves import is_alive
from prototxt_gen.cli import run
from prototxt_gen.fleet import machines
from prototxt_gen.fleet.journal import Row

ODD = """input: "data" input_shape { dim: [1, 2] }
layer { name: "s" type: "%s" bottom: "data" top: "s" }
"""
PLUGIN = '''"""Layers that do not end well."""
import os
import signal
import time

from prototxt_gen.layers.base import Layer, layer


@layer("TestHang")
class Hang(Layer):
    def lower(self, b, bottoms, blobs):
        time.sleep(600)


@layer("TestHog")
class Hog(Layer):
    def lower(self, b, bottoms, blobs):
        held = []
        while len(held) < 30:
            held.append(b"x" * (64 << 20))
        time.sleep(600)


@layer("TestDie")
class Die(Layer):
    def lower(self, b, bottoms, blobs):
        os.kill(os.getpid(), signal.SIGKILL)
'''
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = fill(tmp_path_factory.mktemp("fleet") / "models", 20)
    (folder.parent / "odd.py").write_text(PLUGIN)
    return folder


@pytest.fixture(scope="module")
def alone(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes."""
    out = tmp_path_factory.mktemp("fleet") / "alone"
    fleet(str(models), str(out)).run()
    return out


def lines(out: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    return [row for row in found if "task" in row]


def need_same(out: Path, alone: Path, number: int) -> None:
    """Each model once, whole, and byte for byte as one process makes it."""
    done = [row["name"] for row in lines(out) if row["status"] == "done"]
    assert sorted(done) == sorted({row["name"] for row in lines(alone)})[:number]
    for name in done:
        assert (out / f"{name}.onnx").read_bytes() == (alone / f"{name}.onnx").read_bytes()
    assert not list(out.rglob(".*"))


@linux
def test_what_hangs_dies_or_takes_all_memory_fails_alone(
    models: Path, alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for number in range(3):
        (source / f"m{number}").symlink_to(models / f"m{number}")
    for kind in ("Hang", "Hog", "Die"):
        (source / f"{kind}.prototxt").write_text(ODD % f"Test{kind}")
    plan = ["use,net,weights"]
    plan += [f"yes,in/{kind}.prototxt," for kind in ("Hang", "Hog", "Die")]
    plan += [f"yes,in/m{n}/net.prototxt,in/m{n}/net.caffemodel" for n in range(3)]
    (tmp_path / "plan.csv").write_text("\n".join(plan))
    words = ["fleet", str(tmp_path / "plan.csv"), "-o", str(out), "--no-verify", "--jobs", "2"]
    words += ["--plugin", str(models.parent / "odd.py")]
    assert run([*words, "--memory", "500M", "--timeout", "3", "--retries", "1"]) == 1
    rows = {row["name"]: row for row in lines(out)}
    failed = {name: row["reason"] for name, row in rows.items() if row["status"] == "failed"}
    assert failed == {"in/Hang": "time", "in/Hog": "memory", "in/Die": "died"}
    assert rows["in/Die"]["tries"] == 2 and "SIGKILL" in rows["in/Die"]["why"]
    assert rows["in/Hog"]["peak_mib"] > 500 and rows["in/Hang"]["seconds"] >= 3
    for n in range(3):
        made = (out / f"in/m{n}/net.onnx").read_bytes()
        assert made == (alone / f"m{n}/net.onnx").read_bytes()
    assert len(rows) == len(lines(out)) == 6


@linux
def test_a_process_that_has_ended_is_gone_before_its_parent_knows() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(process.pid)
    process.wait()
    assert is_alive(os.getpid())


class OnItsWay:
    """A future of Dask whose result is lost as it comes."""

    status = "finished"

    def result(self, timeout: float) -> Row:
        raise ConnectionResetError("the scheduler died")


def test_a_result_that_is_lost_on_its_way_is_not_waited_for() -> None:
    ours: Future[Row] = Future()
    machines._hand_over(OnItsWay(), ours)
    with pytest.raises(machines.LostError, match="the scheduler died"):
        ours.result(0)
    untold: Future[Row] = Future()
    cluster = object.__new__(machines.Elsewhere)
    cluster._given = {ours: (OnItsWay(), 0.0), untold: (OnItsWay(), 0.0)}
    cluster._look_after(10.0)
    assert not untold.done() and list(cluster._given) == [untold]
    cluster._look_after(30.0)
    with pytest.raises(machines.LostError, match="its result did not come: finished"):
        untold.result(0)


def test_a_scheduler_that_is_not_there_is_one_line(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("distributed", reason="needs Dask: pip install resnet-proto[fleet]")
    words = ["fleet", str(models), "-o", str(tmp_path), "--scheduler", "tcp://127.0.0.1:9"]
    assert run([*words, "--patience", "0"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: tcp://127.0.0.1:9: no scheduler answers")


@pytest.mark.filterwarnings("default")  # what Dask warns of is not ours
def test_a_worker_of_dask_is_killed_and_nothing_is_lost(
    models: Path, alone: Path, tmp_path: Path
) -> None:
    dask = pytest.importorskip("distributed", reason="needs Dask: pip install resnet-proto[fleet]")
    killed: list[int] = []
    with dask.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        given = machines.Elsewhere(cluster.scheduler_address, 30, lambda line: None)

        def kill(row: Row, known: bool) -> None:
            if not killed and sum(1 for _ in tmp_path.rglob("*.onnx")) >= 5:
                killed.extend(given._client.run(os.getpid).values())
                os.kill(killed[0], signal.SIGKILL)

        running = fleet(str(models), str(tmp_path), given)
        running.done = kill
        rows = running.run()
    assert killed
    assert {row["status"] for row in rows} == {"done"}
    need_same(tmp_path, alone, 20)
