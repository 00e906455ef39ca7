"""The nets of the verdicts that Caffe loads: numpy and onnxruntime compute the same of them.

Each has random weights of a seed. A sample of them is part of the suite; all of them come with
``-m nets``.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from typing import Any

import pytest
from graph.test_verdicts import STRICTER, VERDICTS

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import PrototxtError, UnsupportedError
from prototxt_gen.verify import verify_export

CHUNKS, EACH = 8, 25
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NaN is what Caffe gives too


@cache
def loaded() -> tuple[dict[str, Any], ...]:
    """The mutants that Caffe loads in the TEST phase."""
    with gzip.open(VERDICTS, "rt", encoding="utf-8") as file:
        mutants = [mutant for mutant in map(json.loads, file) if mutant["TEST"]]
    # Where we are stricter, and where nothing is left to compute.
    return tuple(
        m for m in mutants if "layer" in m["net"] and (m["base"], m["change"]) not in STRICTER
    )


def difference(mutant: dict[str, Any]) -> str | None:
    """How the two differ; None where they agree, or where the net is refused with a reason."""
    where = f"{mutant['base']}, {mutant['change']}"
    graph = api.load(Source(mutant["net"].encode()))
    try:
        made = api.convert(graph, weights_init="random", losses="keep")
    except UnsupportedError:
        return None
    except PrototxtError as error:
        # A shape that only the data decide, or an input without one.
        return None if "--input-shape" in error.message else f"{where}: {error.message}"
    verdict = verify_export(made)
    blank = verdict.first is not None and verdict.first.blank
    return None if verdict.agrees or blank else f"{where}: {verdict.text}"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_numpy_and_onnxruntime_agree(chunk: int) -> None:
    sample = loaded()[chunk * EACH :: CHUNKS * EACH]
    assert len(sample) > 5
    assert [found for mutant in sample if (found := difference(mutant))] == []


@pytest.mark.nets
@pytest.mark.parametrize("chunk", range(CHUNKS * 4))
def test_they_agree_on_all(chunk: int) -> None:
    whole = loaded()[chunk :: CHUNKS * 4]
    assert [found for mutant in whole if (found := difference(mutant))] == []
