"""How a fleet is stopped: what runs is finished, and nothing more is begun."""

from __future__ import annotations

import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from fleet.inline import Inline, fill, fleet

from prototxt_gen.cli import fleet_run, run
from prototxt_gen.fleet.journal import Row
from prototxt_gen.fleet.run import Fleet
from prototxt_gen.fleet.task import Task
from prototxt_gen.fleet.work import work


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("fleet") / "models", 4)


def test_an_interrupt_lets_what_runs_end(
    models: Path,
    tmp_path: Path,
    inline: Inline,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(fleet: Fleet, row: Row, task: Task) -> bool:
        signal.raise_signal(signal.SIGINT)
        return False

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Fleet, "_worth_a_try", interrupted)
    words = ["fleet", str(models), "-o", str(tmp_path), "--no-verify"]
    assert run(words) == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert capsys.readouterr().err.splitlines() == [
        "stopping: what runs is finished; Ctrl-C again ends it at once",
        "m0/net: done",
        f"{tmp_path}: 1 done, 3 not begun",
    ]
    monkeypatch.undo()
    monkeypatch.setattr(fleet_run, "_machines", lambda asked: inline)
    inline.begun.clear()
    assert run(words) == 0
    assert [task.item.name for task in inline.begun] == ["m1/net", "m2/net", "m3/net"]


class Slow(Inline):
    """A thread that takes its time, with all models waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = ThreadPoolExecutor(1)

    def submit(self, task: Task) -> Future[Row]:
        return self.pool.submit(lambda: time.sleep(0.3) or work(task))

    def room(self) -> int:
        return 4

    def withdraw(self, given: Future[Row]) -> bool:
        return given.cancel()

    def close(self) -> None:
        self.pool.shutdown()


def test_a_stop_takes_back_what_has_not_begun(models: Path, tmp_path: Path) -> None:
    running = fleet(str(models), str(tmp_path), Slow())
    running.done = lambda row, known: running.stop.set()
    assert [row["name"] for row in running.run()] == ["m0/net", "m1/net"]
