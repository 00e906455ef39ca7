"""What the doctor says of every recorded case against what the runtimes did with it.

In the suite the deeds are those in benchmarks/runtimes.json; `.ci/steps runtimes` has the runtimes
that are installed do them again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from to_onnx.recorded import assert_close, blobs, cases, graph

from prototxt_gen.errors import VerificationError
from prototxt_gen.runtimes import outcomes
from prototxt_gen.targets.facts import target
from prototxt_gen.targets.look import Report, look
from prototxt_gen.to_onnx.convert import Conversion, convert
from prototxt_gen.to_onnx.export import USUAL_OPSET, Options

RECORDED = json.loads(
    (Path(__file__).parents[2] / "benchmarks" / "runtimes.json").read_text("utf-8")
)
RUN = ("onnxruntime", "openvino", "opencv-5")  #: the targets that can be run
CASES = {f"{case.parent.name}/{case.name}": case for case in cases()}
#: Cases of which a target is not sure: many would make its word worth nothing.
UNSURE = {"onnxruntime": 0, "openvino": 55, "opencv-5": 52}

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def models() -> Iterator[tuple[str, onnx.ModelProto]]:
    for name, case in CASES.items():
        yield name, convert(graph(case), Conversion(Options(17), metadata=False)).model


@pytest.fixture(scope="module")
def words() -> Mapping[str, Mapping[str, Report]]:
    """What is said of each case for each runtime."""
    found: dict[str, dict[str, Report]] = {runtime: {} for runtime in RUN}
    for name, model in models():
        for runtime in RUN:
            found[runtime][name] = look(model, target(runtime))
    return found


def against(word: Mapping[str, Report], wrong: Mapping[str, str]) -> list[str]:
    """Where the word is not the deed; ``wrong`` has the cases that failed, and how."""
    found = []
    for name, report in word.items():
        if report.right and report.sure and name in wrong:
            found.append(f"{name}: said to be right, but {wrong[name]}")
        if not report.right and name not in wrong:
            found.append(f"{name}: said to be wrong, but is right")
        if not report.loads and wrong.get(name, "").startswith("wrong"):
            found.append(f"{name}: said not to load, but it does: {wrong[name]}")
    return found


@pytest.mark.parametrize("runtime", RUN)
def test_the_word_is_the_recorded_deed(
    runtime: str, words: Mapping[str, Mapping[str, Report]]
) -> None:
    deed = RECORDED[runtime]
    assert target(runtime).tried == deed["version"]
    assert deed["opsets"]["17"]["cases"] == len(CASES)
    assert against(words[runtime], deed["opsets"]["17"]["others"]) == []
    unsure = [name for name, report in words[runtime].items() if not report.sure]
    assert len(unsure) <= UNSURE[runtime], len(unsure)


def test_no_opset_is_better_than_the_usual_one() -> None:
    """As docs/runtimes.md says."""
    for runtime, deed in RECORDED.items():
        right = {
            int(opset): one["cases"] - len(one["others"]) for opset, one in deed["opsets"].items()
        }
        assert {USUAL_OPSET, 11, 28} <= right.keys()
        assert max(right.values()) == right[USUAL_OPSET], runtime


@pytest.mark.runtimes
@pytest.mark.parametrize("runtime", RUN)
def test_the_word_is_the_deed(
    runtime: str, words: Mapping[str, Mapping[str, Report]], tmp_path: Path
) -> None:
    jobs, wanted = [], []
    for number, (name, model) in enumerate(models()):
        path = tmp_path / f"{number}.onnx"
        path.write_bytes(model.SerializeToString())
        given, expected = blobs(CASES[name])
        inputs = {value.name: given[value.name].astype(np.float32) for value in model.graph.input}
        jobs.append((str(path), inputs))
        wanted.append((name, expected))
    try:
        _, found = outcomes(runtime, jobs)
    except VerificationError as error:
        pytest.skip(error.message)
    wrong = {}
    for (name, expected), outcome in zip(wanted, found, strict=True):
        if not outcome.done:
            wrong[name] = f"{outcome.state}: {outcome.said}"
            continue
        try:
            assert_close(outcome.values, expected, 1e-4, 1e-3)
        except AssertionError as error:
            wrong[name] = f"wrong: {error}"
    assert against(words[runtime], wrong) == []
