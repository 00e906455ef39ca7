"""What each runtime makes of the recorded cases of Caffe, at several opsets.

    python benchmarks/runtimes.py --json benchmarks/runtimes.json

runs the runtimes that are installed where it runs; the figures of others stay in the file, so
that an environment for OpenCV 4 and one for OpenCV 5 fill one table. A case is right where every
output has the shape and the values that Caffe gave.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from prototxt_gen import api
from prototxt_gen._runtimes import RUNTIMES
from prototxt_gen.errors import PrototxtError, VerificationError
from prototxt_gen.graph.phase import State
from prototxt_gen.runtimes import Job, Outcome, outcomes
from prototxt_gen.to_onnx.convert import Conversion, convert
from prototxt_gen.to_onnx.export import Options

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
OPSETS = (11, 13, 17, 21, 28)
_MOST = 90  #: characters that are kept of what a runtime says
Blobs = dict[str, Any]


def cases(pattern: str) -> Iterator[tuple[str, Path]]:
    """Every recorded case whose name matches, with its folder."""
    for file in sorted(GOLDEN.glob("*/*/net.prototxt")):
        name = f"{file.parent.parent.name}/{file.parent.name}"
        if file.parent.match(pattern):
            yield name, file.parent


def blobs(case: Path) -> tuple[Blobs, Blobs]:
    """Inputs and outputs by the names of their blobs."""
    found: tuple[Blobs, Blobs] = ({}, {})
    with np.load(case / "io.npz") as values:
        for name in values.files:
            kind, _, blob = name.partition(".")
            found[kind == "out"][blob] = values[name]
    return found


def models(pattern: str, opset: int, folder: Path) -> Iterator[tuple[str, Job, Blobs]]:
    """The model of each case that converts, as a job, and what it ought to give."""
    for name, case in cases(pattern):
        weights = case / "net.caffemodel"
        state = State("TEST", frozenset({"deploy"} if case.name == "phase_stage" else ()))
        try:
            net = api.read_caffe(
                case / "net.prototxt", weights if weights.exists() else None, state=state
            )
            made = convert(net, Conversion(Options(opset)))
        except PrototxtError as error:
            print(f"{name} at opset {opset}: {error}", file=sys.stderr)
            continue
        path = folder / f"{opset}-{name.replace('/', '-')}.onnx"
        path.write_bytes(made.model.SerializeToString())
        given, wanted = blobs(case)
        inputs = {v.name: given[v.name].astype(np.float32) for v in made.model.graph.input}
        yield name, (str(path), inputs), wanted


def judged(outcome: Outcome, wanted: Mapping[str, Any]) -> str:
    """'' for what is right, else what is wrong."""
    if not outcome.done:
        return f"{outcome.state}: {_brief(outcome.said)}".rstrip()
    for name, value in wanted.items():
        if name not in outcome.values:
            return f"wrong: no output {name!r}"
        found = outcome.values[name]
        if found.shape != value.shape:
            return f"wrong: {name} is {found.shape}, expected {value.shape}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of infinity less infinity
            close = np.isclose(found, value, 1e-3, 1e-4, equal_nan=True)
        if not close.all():
            return f"wrong: {name} differs in {np.count_nonzero(~close)} of {close.size} values"
    return ""


def _brief(said: str) -> str:
    """What a runtime says, without traces and files of its own."""
    said = re.sub(r"\S*/\S+:\d+: error: ", "", said.split(" Stack backtrace")[0])
    return re.sub(r"\S*/\S+", "…", said)[:_MOST]


def measured(
    pattern: str, opsets: Sequence[int], runtimes: Sequence[str]
) -> Iterator[tuple[str, str, int, dict[str, str]]]:
    """For each runtime that is installed: its version, an opset, and what is said of each case."""
    with tempfile.TemporaryDirectory(prefix="runtimes-") as folder:
        missing: set[str] = set()
        for opset in opsets:
            made = list(models(pattern, opset, Path(folder)))
            for runtime in runtimes:
                if runtime in missing:
                    continue
                try:
                    version, found = outcomes(runtime, [job for _, job, _ in made], seconds=300)
                except VerificationError as error:
                    print(error.message, file=sys.stderr)
                    missing.add(runtime)
                    continue
                verdicts = {
                    name: judged(outcome, wanted)
                    for (name, _, wanted), outcome in zip(made, found, strict=True)
                }
                yield runtime, version, opset, verdicts


def main() -> None:
    """Print a table, and keep it with all that is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="the file to keep the figures in")
    parser.add_argument("--opsets", default=",".join(map(str, OPSETS)))
    parser.add_argument("--runtimes", default=",".join(RUNTIMES))
    parser.add_argument("--cases", default="*/*", help="a pattern, such as forks/roi*")
    asked = parser.parse_args()
    kept = json.loads(asked.json.read_text()) if asked.json and asked.json.exists() else {}
    opsets = [int(text) for text in asked.opsets.split(",")]
    for runtime, version, opset, verdicts in measured(
        asked.cases, opsets, asked.runtimes.split(",")
    ):
        one = kept.setdefault(runtime, {"version": version, "opsets": {}})
        one["version"] = version
        wrong = {name: said for name, said in verdicts.items() if said}
        one["opsets"][str(opset)] = {"cases": len(verdicts), "others": wrong}
        kinds = Counter(said.partition(":")[0] for said in wrong.values())
        more = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
        right = len(verdicts) - len(wrong)
        print(f"{runtime:17} {version:12} opset {opset}: {right} of {len(verdicts)}  {more}")
        sys.stdout.flush()
    if asked.json:
        asked.json.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
