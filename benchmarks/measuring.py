"""How the benchmarks measure: in turns, as medians of ratios, with the peak of memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

COMMAND = str(Path(sys.executable).with_name("resnet-proto"))
PYTHON = sys.executable
# What was compiled once stays so, as where it is installed.
_ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Figure:
    """A measured ratio and what it must not exceed; seconds and MiB of both where known."""

    what: str
    beside: str
    ratio: float
    bound: float
    seconds: float
    other_seconds: float
    peak: float | None = None
    peak_bound: float | None = None

    @property
    def holds(self) -> bool:
        within = self.peak is None or self.peak_bound is None or self.peak <= self.peak_bound
        return self.ratio <= self.bound and within

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "holds": self.holds}


def by_processor() -> None:
    """Measure the time of the processor from here on, which other programs disturb less."""
    global _by_processor
    _by_processor = True


_by_processor = False


def process(arguments: Sequence[str], *codes: int) -> tuple[float, float]:
    """Seconds and peak MiB of a process that ends with 0, or with one of some codes."""
    start = time.perf_counter()
    child = subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_ENVIRONMENT
    )
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    if _by_processor:
        seconds = usage.ru_utime + usage.ru_stime
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, *codes):
        raise SystemExit(f"{' '.join(arguments)}: ended with {child.returncode}")
    return seconds, usage.ru_maxrss / 1024


def call(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds of a call; its memory is not looked at."""
    clock = time.process_time if _by_processor else time.perf_counter
    start = clock()
    action()
    return clock() - start, 0.0


Run = Callable[[], tuple[float, float]]


def compare(
    what: str, beside: str, runs: tuple[Run, Run], bound: float, rounds: int, most: float = 0
) -> Figure:
    """A figure of two things that are done in turns; ``most`` is the bound of MiB, if any."""
    ratios, ours, theirs, peaks = [], [], [], []
    for run in runs:
        run()  # what is read from the disk once
    for _ in range(rounds):
        other, _ = runs[1]()
        own, peak = runs[0]()
        ratios.append(own / other)
        ours.append(own)
        theirs.append(other)
        peaks.append(peak)
    return Figure(
        what,
        beside,
        statistics.median(ratios),
        bound,
        statistics.median(ours),
        statistics.median(theirs),
        statistics.median(peaks) if most else None,
        most or None,
    )
