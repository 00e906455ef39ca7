"""A fleet of 1,000 small models on a Dask cluster that fails in every way, and how it scales.

    python benchmarks/fleet.py --count 1000 --work /tmp/fleet

A scheduler and two workers are processes of their own, kept alive by this program as by a
supervisor. While the fleet runs, a worker is killed at a fifth of the models, the scheduler at
half of them, and a worker with its nanny at two thirds. A model hangs, one takes all memory, the
store fails now and then, cuts files short now and then, and never takes one of the models.
It needs the extras fleet and verify.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.request import pathname2url

from fleet_failing import NET, ODD, PLUGIN, STORE

from prototxt_gen import api
from prototxt_gen.weights import make, save

ROOT = Path(__file__).parents[1]


def models(folder: Path, count: int) -> Path:
    """The nets with weights, and those that end badly."""
    for number in range(count):
        own = folder / f"g{number % 10}" / f"m{number}"
        own.mkdir(parents=True)
        net = own / "net.prototxt"
        net.write_text(NET % (number, 2 + number % 5))
        graph = api.load(net)
        save(graph, make(graph, "fillers", number), own / "net.caffemodel")
    for name in ("Hang", "Hog"):
        own = folder / name.lower()
        own.mkdir()
        (own / "net.prototxt").write_text(ODD % name)
    never = folder / "never"
    never.mkdir()
    for file in (folder / "g0" / "m0").iterdir():
        (never / file.name).write_bytes(file.read_bytes())
    return folder


def store(folder: Path) -> Path:
    """A package folder in which every process finds the failing store."""
    (folder / "flaky-1.dist-info").mkdir(parents=True)
    (folder / "flaky.py").write_text(STORE)
    info = folder / "flaky-1.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flaky\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[fsspec.specs]\nflaky = flaky:Flaky\n")
    return folder


class Cluster:
    """A scheduler and workers, each started again where it is no more."""

    def __init__(self, work: Path, workers: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        dask = [sys.executable, "-m", "dask"]
        quiet = ["--no-dashboard"]
        self.commands = {
            "scheduler": [*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), *quiet]
        }
        for number in range(workers):
            local = ["--local-directory", str(work / f"worker{number}")]
            command = [*dask, "worker", self.address, "--nthreads", "1", *local, *quiet]
            self.commands[f"worker{number}"] = command
        self.log = (work / "cluster.log").open("ab")
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def keep(self) -> None:
        """Start what is not running."""
        for name, command in self.commands.items():
            if name not in self.running or self.running[name].poll() is not None:
                self.running[name] = subprocess.Popen(
                    command, stdout=self.log, stderr=self.log, start_new_session=True
                )

    def kill(self, name: str) -> None:
        """Kill a process; of a worker that is its nanny."""
        self.running[name].kill()
        self.running[name].wait()

    def kill_child(self, name: str) -> None:
        """Kill the worker of a nanny, which will start another."""
        own = self.running[name].pid
        for child in Path(f"/proc/{own}/task/{own}/children").read_text().split():
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)

    def end(self) -> None:
        for process in self.running.values():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def fleet(*words: str) -> list[str]:
    return [sys.executable, "-m", "prototxt_gen", "fleet", *words]


def rows(manifest: Path) -> list[dict[str, object]]:
    found = [json.loads(line) for line in manifest.read_text().splitlines()]
    return [row for row in found if "task" in row]


def proof(work: Path, count: int) -> None:
    """The run in which everything fails; raises SystemExit where something is not as it must be."""
    source, out, log = work / "models", work / "out", work / "moves.log"
    log.write_text("")
    cluster = Cluster(work, 2)
    cluster.keep()
    command = fleet(
        str(source), "-o", f"flaky://{pathname2url(str(out))}", "--scheduler", cluster.address,
        "--plugin", str(work / "odd.py"), "--memory", "700M", "--timeout", "20",
        "--weights-init", "zeros", "--retries", "5",
    )  # fmt: skip
    events = [
        (count // 5, "the worker of a nanny is killed", lambda: cluster.kill_child("worker0")),
        (count // 2, "the scheduler is killed", lambda: cluster.kill("scheduler")),
        (2 * count // 3, "a worker is killed with its nanny", lambda: cluster.kill("worker1")),
    ]
    start = time.monotonic()
    with (work / "fleet.log").open("wb") as shown:
        running = subprocess.Popen(command, stdout=shown, stderr=shown)
        while running.poll() is None:
            time.sleep(0.5)
            made = len(log.read_text().splitlines())
            if events and made >= events[0][0]:
                _, what, action = events.pop(0)
                print(f"{time.monotonic() - start:6.1f} s, {made} models: {what}", flush=True)
                action()
            cluster.keep()
    cluster.end()
    seconds = time.monotonic() - start
    print(f"{seconds:6.1f} s: ended with {running.returncode}, {len(events)} events did not happen")
    need(running.returncode == 1 and not events, "the fleet ends, with failures")
    report(work, count)


def report(work: Path, count: int) -> None:
    found = rows(work / "out" / "manifest.jsonl")
    done = Counter(row["name"] for row in found if row["status"] == "done")
    failed = {row["name"]: row["reason"] for row in found if row["status"] == "failed"}
    need(len(done) == count, f"{len(done)} models of {count} are done: nothing is lost")
    need(set(done.values()) == {1}, "each has one line: nothing is written down twice")
    moves = Counter((work / "moves.log").read_text().splitlines())
    twice = sum(number > 1 for number in moves.values())
    need(twice == 0, f"{twice} models were made twice")
    expected = {"hang/net": "time", "hog/net": "memory", "never/net": "storage"}
    need(failed == expected, f"these fail alone: {failed}")
    tries = Counter(row["tries"] for row in found if row["status"] == "done")
    print(f"tries that models took: {dict(sorted(tries.items()))}")
    left = [path for path in (work / "out").rglob("*") if ".half" in path.name]
    need(not left, f"{len(left)} files are half")
    hidden = list((work / "out" / ".resnet-proto").glob("*"))
    need(not hidden, f"{len(hidden)} receipts or locks are left")


def need(holds: bool, what: str) -> None:
    print(("holds: " if holds else "FAILS: ") + what, flush=True)
    if not holds:
        raise SystemExit(1)


def same(work: Path, count: int) -> None:
    """Byte for byte what one process makes."""
    measured(work, 1)
    alone = work / "alone1"
    pairs = [(path, work / "out" / path.relative_to(alone)) for path in alone.rglob("*.onnx")]
    need(len(pairs) == count + 1, f"{len(pairs)} models by one process")
    pairs = [pair for pair in pairs if "never" not in str(pair[0])]
    need(all(a.read_bytes() == b.read_bytes() for a, b in pairs), "all are equal, byte for byte")


def scaling(work: Path, rounds: int) -> None:
    """Two jobs against one, in turns, and what a model costs beside its own work."""
    start = time.monotonic()
    command = fleet(str(work / "models"), "--plan", str(work / "plan.jsonl"))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"the plan takes {time.monotonic() - start:.1f} s", flush=True)
    ratios = []
    for turn in range(rounds):
        (one, cpu), (two, cpus) = measured(work, 1), measured(work, 2)
        ratios.append(one / two)
        print(
            f"{turn + 1}: one job {one:.1f} s ({cpu:.1f} s of CPU), "
            f"two jobs {two:.1f} s ({cpus:.1f} s of CPU): {one / two:.2f} times",
            flush=True,
        )
    print(f"median {statistics.median(ratios):.2f} times")
    found = [row for row in rows(work / "alone1" / "manifest.jsonl") if row["status"] == "done"]
    own = sum(float(str(row["seconds"])) for row in found)
    each = 1000 * (one - own) / len(found)
    print(f"a model takes {1000 * own / len(found):.1f} ms in its process, {each:.1f} ms beside it")


def measured(work: Path, jobs: int) -> tuple[float, float]:
    """Seconds of a fleet on this machine, from its plan on, and those of CPU of all processes."""
    out, plan = work / f"alone{jobs}", work / "plan.jsonl"
    if not plan.exists():
        command = fleet(str(work / "models"), "--plan", str(plan))
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(out, ignore_errors=True)
    before, start = cpu_seconds(), time.monotonic()
    subprocess.run(
        fleet(str(plan), "-o", str(out), "--jobs", str(jobs)),
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return time.monotonic() - start, cpu_seconds() - before


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--work", type=Path, required=True, help="a folder to make")
    parser.add_argument("--no-proof", action="store_true", help="only measure how it scales")
    parser.add_argument("--rounds", type=int, default=3, help="of the measurement")
    asked = parser.parse_args()
    work = asked.work.resolve()
    work.mkdir(parents=True)
    packages = store(work / "packages")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(packages), str(ROOT)])
    os.environ["FLAKY_LOG"] = str(work / "moves.log")
    (work / "odd.py").write_text(PLUGIN)
    models(work / "models", asked.count)
    if not asked.no_proof:
        proof(work, asked.count)
        same(work, asked.count)
    scaling(work, asked.rounds)


if __name__ == "__main__":
    main()
