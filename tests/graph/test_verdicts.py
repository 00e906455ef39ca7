"""What BVLC's Caffe said of 5,577 nets, each a recorded net with one change: so must we.

A line of ``mutants.jsonl.gz`` has the net, whether Net::Init took it in each phase, and where
in Caffe it stopped (``place``) with which words (``said``). It was a CPU build.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.formats.reader import read_text
from prototxt_gen.graph.phase import PHASES, State
from prototxt_gen.graph.read import upgraded
from prototxt_gen.graph.validation import check_state
from prototxt_gen.layers.parts.forks import BVLC

ROOT = Path(__file__).parents[2]
VERDICTS = ROOT / "tests" / "golden" / "verdicts" / "mutants.jsonl.gz"
CHUNKS = 8

#: Where we choose to be stricter than Caffe, by the net and what was changed, and why. The
#: same list is in docs/validate.md; it has at most ten entries.
STRICTER = {
    ("input_dim_two", "scalar/input"): (
        "8 input_dim for 3 inputs: Caffe reads past the end of the list, and takes what "
        "happens to be there (upgrade_proto.cpp, UpgradeNetInput)"
    ),
}


def lines() -> list[dict[str, Any]]:
    with gzip.open(VERDICTS, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def verdicts(text: str) -> dict[str, list[str]]:
    """Our errors in each phase, as ``validate --dialect bvlc`` finds them."""
    source = Source(text.encode())
    sink = Sink(source)
    document = read_text(source, sink, dialect="bvlc")
    if sink.errors:
        return {phase: [d.message for d in sink.errors] for phase in PHASES}
    net = upgraded(document, sink)
    found = {}
    for phase in PHASES:
        own = Sink(source, list(sink.diagnostics))
        check_state(net, own, State(phase), "bvlc")
        found[phase] = [f"{d.message} [{d.rule}]" for d in own.errors]
    return found


def differences(mutant: dict[str, Any]) -> Iterator[str]:
    errors = verdicts(mutant["net"])
    for phase in PHASES:
        taken = mutant[phase]
        if taken is not None and taken != (not errors[phase]):
            caffe = "takes it" if taken else f"{mutant['place']}: {mutant['said']}"
            yield f"{mutant['base']}, {mutant['change']}, {phase}: Caffe {caffe}; {errors[phase]}"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_our_verdict_is_that_of_caffe(chunk: int) -> None:
    found = [
        difference
        for mutant in lines()[chunk::CHUNKS]
        if (mutant["base"], mutant["change"]) not in STRICTER
        for difference in differences(mutant)
    ]
    assert found == []


def test_where_we_are_stricter_caffe_takes_the_net_and_we_do_not() -> None:
    assert len(STRICTER) <= 10
    stricter = [m for m in lines() if (m["base"], m["change"]) in STRICTER]
    assert len(stricter) == len(STRICTER)
    for mutant in stricter:
        assert all(mutant[phase] for phase in PHASES), mutant["change"]
        assert all(verdicts(mutant["net"]).values()), mutant["change"]


def test_the_docs_say_where_we_are_stricter() -> None:
    page = " ".join((ROOT / "docs" / "validate.md").read_text("utf-8").split())
    for (base, change), reason in STRICTER.items():
        assert f"`{base}`, `{change}`: {reason}." in page


def test_the_recordings_are_whole() -> None:
    mutants = lines()
    assert len(mutants) == 5577
    assert {True, False} == {mutant[phase] for mutant in mutants for phase in PHASES}
    assert {m["base"] for m in mutants if "filler" in m["place"]} >= {"lstm_static"}


def test_every_type_that_caffe_took_is_bvlcs() -> None:
    types = set()
    for mutant in lines():
        if mutant["TEST"]:
            source = Source(mutant["net"].encode())
            net = upgraded(read_text(source, Sink(source), dialect="bvlc"), Sink(source))
            types |= {layer.get("type", str, "") for layer in net.root.blocks("layer")}
    assert types <= BVLC
    assert len(types) > 40
