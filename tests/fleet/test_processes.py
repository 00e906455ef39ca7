"""The processes of a folder conversion: what they import, how they end, who else is there."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen._files import whole_file
from prototxt_gen._locks import folder_lock
from prototxt_gen.cli import run
from prototxt_gen.fleet import batch as fleet
from prototxt_gen.fleet.workers import Died, in_processes
from prototxt_gen.weights import make, save

ROOT = Path(__file__).parents[2]
NET = """input: "data" input_shape { dim: [1, 3, 8, 8] }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 2 kernel_size: 3 } }
"""
TOKEN = "RESNET_PROTO_TEST_TOKEN"
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def fill(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        net = folder / f"n{number}.prototxt"
        net.write_text(NET)
        graph = api.load(net)
        save(graph, make(graph, "random"), net.with_suffix(".caffemodel"))
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("nets") / "models", 10)


@pytest.mark.parametrize("how", ["script", "module"])
def test_nothing_of_a_users_folder_is_imported(tmp_path: Path, how: str) -> None:
    models, marker = fill(tmp_path / "models", 2), tmp_path / "marker"
    for name in ("signal", "pickle", "multiprocessing", "json", "struct", "numpy"):
        (models / f"{name}.py").write_text(f"open({str(marker)!r}, 'a').write({name!r})\n")
    script = tmp_path / "bin" / "resnet-proto"
    script.parent.mkdir()
    script.write_text("from prototxt_gen.__main__ import main\nif __name__ == '__main__': main()\n")
    words = [str(script)] if how == "script" else ["-m", "prototxt_gen"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, *words, "convert", ".", "-o", "../o", "--jobs", "2"],
        cwd=models,
        env={**clean, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert not marker.exists(), marker.read_text()
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "o").glob("*.onnx"))) == 2


def test_the_environment_stays_as_it_was(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in (None, "", "1"):
        if value is None:
            monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
        else:
            monkeypatch.setenv("PYTHONSAFEPATH", value)
        before = dict(os.environ)
        assert list(in_processes(abs, [-1], 1)) == [(-1, 1)]
        assert dict(os.environ) == before


class Started:
    """A command of Python, and all processes that came of it."""

    def __init__(self, *words: str) -> None:
        self.token = f"{TOKEN}={random.getrandbits(64)}"
        name, value = self.token.split("=")
        self.process = subprocess.Popen(
            [sys.executable, *words],
            env={**os.environ, "PYTHONPATH": str(ROOT), name: value},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_handlers(self) -> None:
        status = Path(f"/proc/{self.process.pid}/status")
        while self.process.poll() is None:
            match = re.search(r"SigCgt:\s*(\w+)", status.read_text())
            if match and int(match[1], 16) >> (signal.SIGTERM - 1) & 1:
                return
            time.sleep(0.005)

    def others(self) -> Iterator[int]:
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and self.token.encode() in (
                    folder / "environ"
                ).read_bytes().split(b"\0"):
                    yield int(folder.name)
            except OSError:
                continue

    def none_is_left(self) -> bool:
        deadline = time.monotonic() + 10
        while list(self.others()):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@linux
@pytest.mark.parametrize("turn", range(20))
def test_a_signal_ends_all_in_one_line(models: Path, tmp_path: Path, turn: int) -> None:
    number, out = SIGNALS[turn % 3], tmp_path / "out"
    started = Started("-m", "prototxt_gen", "convert", str(models), "-o", str(out), "--jobs", "2")
    started.wait_for_handlers()
    time.sleep(random.Random(turn).uniform(0, 2))
    if turn % 2:  # as Ctrl-C of a terminal does, or its end
        os.killpg(started.process.pid, number)
    else:
        started.process.send_signal(number)
    _, err = started.process.communicate(timeout=60)
    assert started.none_is_left()
    # Python gives up its handlers at its very end.
    if started.process.returncode in (0, -number) and err.endswith("\n10 converted\n"):
        pytest.skip("it was done before")
    assert started.process.returncode == 128 + number, err
    *lines, last = err.splitlines()
    assert last == f"ended by {number.name}"
    assert all(re.fullmatch(r"(n\d:|\d+) converted", line) for line in lines), err
    assert not list(out.rglob(".*"))


BUSY = """
import time
from prototxt_gen.fleet.workers import in_processes
if __name__ == "__main__":
    list(in_processes(time.sleep, [0.1, 60, 60], 2))
"""


@linux
def test_busy_workers_die_with_their_parent(tmp_path: Path) -> None:
    script = tmp_path / "busy.py"
    script.write_text(BUSY)
    started = Started(str(script))
    while len(list(started.others())) < 4 and started.process.poll() is None:
        time.sleep(0.01)  # itself, two workers, and the process that multiprocessing adds
    time.sleep(1)
    started.process.kill()
    started.process.communicate(timeout=60)
    assert started.process.returncode == -signal.SIGKILL
    assert started.none_is_left()


def test_a_second_conversion_into_a_folder_is_refused(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with folder_lock(out, "busy"):
        assert run(["convert", str(models), "-o", str(out)]) == 2
    assert capsys.readouterr().err == f"error: {out}: another conversion is writing into it\n"
    assert not list(out.iterdir())
    assert run(["convert", str(models), "-o", str(out)]) == 0


def test_a_second_writer_of_a_file_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "x.prototxt"
    words = [sys.executable, "-m", "prototxt_gen", "gen", "resnet18", "-o", str(target)]
    with whole_file(target) as file:
        file.write(b"first")
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr == f"error: {target}: another process is writing it\n"
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]
    (tmp_path / ".x.prototxt.resnet-proto.lock").write_bytes(b"")  # of one that was killed
    assert run(words[3:]) == 0
    assert list(tmp_path.iterdir()) == [target]


def _kill(number: int) -> int:
    if number:
        os.kill(os.getpid(), number)
    return number


def test_how_a_process_died_is_known() -> None:
    items = [signal.SIGKILL, 0, signal.SIGSEGV, 0]
    found = list(in_processes(_kill, items, 2))
    texts = {int(item): r.text for item, r in found if isinstance(r, Died)}
    assert texts == {
        9: "the process that converted it was killed by SIGKILL; is memory short?",
        11: "the process that converted it was killed by SIGSEGV",
    }
    assert [result for _, result in found if not isinstance(result, Died)] == [0, 0]
    ((_, left),) = in_processes(os._exit, [3], 1)
    assert isinstance(left, Died)
    assert left.text == "the process that converted it ended with code 3"


def _convert_but_one(job: fleet.Job, **_: object) -> fleet.Outcome:
    if job.name == "n1":
        half = Path(job.target).parent / f".n1.onnx.resnet-proto-{os.getpid()}-0123abcd.half"
        half.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    return fleet.Outcome(job.name, fleet.CONVERTED)


def test_a_net_that_kills_its_process_fails_alone(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "_convert", _convert_but_one)
    outcomes = {
        o.name: o for o in fleet.convert_all(models, tmp_path / "o", fleet.ToOnnx(), jobs=2)
    }
    assert outcomes.pop("n1").why.endswith("was killed by SIGKILL; is memory short?")
    assert {outcome.status for outcome in outcomes.values()} == {"converted"}
    assert not list((tmp_path / "o").glob(".*"))


PLUGIN = """from prototxt_gen.layers.base import Layer, layer


@layer("%s")
class Same(Layer):
    def lower(self, b, bottoms, blobs):
        return (b.op("Identity", [bottoms[0]]),)
"""


def test_workers_know_the_layer_types_of_a_plugin(tmp_path: Path) -> None:
    models, plugin, out = tmp_path / "models", tmp_path / "same.py", tmp_path / "out"
    models.mkdir()
    (models / "n.prototxt").write_text(
        'input: "data" input_shape { dim: [1, 2] }\n'
        'layer { name: "s" type: "SameAsItWas" bottom: "data" top: "s" }\n'
    )
    words = ["-m", "prototxt_gen", "convert", str(models), "-o", str(out)]
    for number, expected in ((0, "1 converted"), (0, "1 up to date"), (1, "1 converted")):
        plugin.write_text(PLUGIN % "SameAsItWas" + "# more\n" * number)
        done = subprocess.run(
            [sys.executable, *words, "--plugin", str(plugin)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout
        assert done.stderr.splitlines()[-1] == expected
