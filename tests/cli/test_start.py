"""Signals while the program starts: one line, wherever it is among its imports."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

#: Run the command, and get a signal when a module is first looked for.
SCRIPT = """
import os, sys
name, number = sys.argv.pop(1), int(sys.argv.pop(1))

class Finder:
    @staticmethod
    def find_spec(found, path=None, target=None):
        if found == name:
            os.kill(os.getpid(), number)
            for _ in range(1000):
                pass  # a signal is answered between two steps

sys.meta_path.insert(0, Finder)
from prototxt_gen.__main__ import main
main()
"""
IMPORTED = (
    "prototxt_gen._signals",
    "prototxt_gen.cli",
    "click",
    "prototxt_gen.cli.output",
    "prototxt_gen.cli.gen",
    "prototxt_gen.generate.render",
    "jinja2",
)


@pytest.mark.parametrize("module", IMPORTED)
def test_an_interrupt_during_the_imports_shows_no_traceback(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, module, str(int(signal.SIGINT)), "gen", "--depth", "18"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "ended by SIGINT\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_during_the_imports(number: signal.Signals) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "click", str(int(number)), "--version"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (128 + number, "")
    assert done.stderr == f"ended by {number.name}\n"
