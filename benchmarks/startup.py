"""How long the light commands take, against the import of what they cannot do without."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 21
BOUND = 2.5


def main() -> int:
    command = str(Path(sys.executable).with_name("resnet-proto"))
    with tempfile.TemporaryDirectory() as folder:
        net = Path(folder, "net.prototxt")
        subprocess.run([command, "gen", "--depth", "50", "-o", net], check=True)
        runs: dict[str, list[str]] = {
            "import click, jinja2": [sys.executable, "-c", "import click, jinja2"],
            "--help": [command, "--help"],
            "gen --depth 50": [command, "gen", "--depth", "50"],
            "validate resnet50": [command, "validate", str(net)],
        }
        # In turns, so that a slow moment of the machine does not hit one of them alone.
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, arguments in runs.items():
                times[name].append(_seconds(arguments))
    medians = {name: statistics.median(found) for name, found in times.items()}
    base = medians["import click, jinja2"]
    for name, median in medians.items():
        print(f"{name:22} {median * 1e3:6.1f} ms  {median / base:5.2f}  (bound {BOUND})")
    return int(max(medians.values()) > BOUND * base)


def _seconds(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(arguments, check=True, capture_output=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
