"""Nets with one change each, from the verdicts: the change is told, and nothing else.

What was touched is found here by holding the blocks of the two files against each other, as
they were written; the comparison under test never does that.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block
from prototxt_gen.errors import ParseError
from prototxt_gen.formats.reader import read_text
from prototxt_gen.formats.schema import schema
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.phase import PHASES, State
from prototxt_gen.graph.read import read, upgraded

GOLDEN = Path(__file__).parents[1] / "golden"
CHUNKS = 4
#: Nets that nobody can read any more: one without a layer, and one with fewer shapes than inputs.
UNREADABLE = {("parameter", "delete layer"), ("input_dim_two", "scalar/input")}
#: Fields that say once more, in another spelling, what the layer says already.
SPELLINGS = ("_h", "_w", "_dim")
#: Changes that a net without a difference may have, and why it says the same.
MEANINGLESS = {
    "loss_weight": "0 for the top of a layer that is no loss",
    "param": "lr_mult 1, as without it",
    "swap layers": "layers that do not read each other",
    "scalar": "a value that is left out or repeated, and was the default",
    "set": "the default, or a kernel_h beside kernel_size, which pooling_layer.cpp ignores",
}


@cache
def mutants() -> list[dict[str, Any]]:
    with gzip.open(GOLDEN / "verdicts/mutants.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def base_of(mutant: dict[str, Any]) -> Source:
    for folder in ("layers", "graphs", "forks"):
        path = GOLDEN / folder / mutant["base"] / "net.prototxt"
        if path.exists():
            return Source(path.read_bytes(), mutant["base"])
    raise AssertionError(mutant["base"])


def root_of(source: Source) -> Block:
    return upgraded(read_text(source, Sink(source)), Sink(source)).root


def touched(a: Source, b: Source) -> set[str]:
    """The names of layers, and the blobs of inputs, whose blocks the two nets do not share."""
    found: set[str] = set()
    blocks = [root_of(source).blocks("layer") for source in (a, b)]
    for ours, theirs in (blocks, reversed(blocks)):
        rest = list(theirs)
        for block in ours:
            if block in rest:
                rest.remove(block)
            else:
                found |= {block.get("name", str, ""), *block.get_list("top", str)}
    return found


def writes_a_default(change: str, before: Block) -> bool:
    """Whether a ``set`` has only written out what the schema says anyway."""
    path, _, value = change.removeprefix("set ").partition("=")
    param, _, field = path.partition(".")
    message = schema("bvlc").message("LayerParameter").message(param)
    if message is None or not message.has_default(field) or field.endswith(SPELLINGS):
        return False
    spelled = any(block_has(before, name) for name in (field, f"{field}_h", f"{field}_w"))
    return repr(message.default(field)) == value and not spelled


def said(graph: Graph) -> Counter[Any]:
    """What a graph computes: its layers as their types have read them, with their blobs."""
    return Counter((node.name, node.layer, node.bottoms, node.tops) for node in graph.nodes)


def failures(chunk: int) -> Iterator[str]:
    for mutant in mutants()[chunk::CHUNKS]:
        a, b = base_of(mutant), Source(mutant["net"].encode(), "net")
        change = mutant["change"]
        place = f"{mutant['base']}, {change}: "
        try:
            found = api.diff(a, b)
        except ParseError as error:
            if (mutant["base"], change) not in UNREADABLE:
                yield place + error.message
            continue
        lines = list(found.lines())
        if not lines:
            if not any(change.startswith(kind) for kind in MEANINGLESS):
                yield place + "no difference"
            for phase in PHASES:
                graphs = [
                    read(read_text(one, Sink(one)), Sink(one), State(phase)) for one in (a, b)
                ]
                if said(graphs[0]) != said(graphs[1]):
                    yield place + f"no difference, but in {phase} the layers differ"
        elif writes_a_default(change, root_of(a)):
            yield place + f"a default is told: {lines}"
        elif touched(a, b) and not any(
            repr(name) in line for name in touched(a, b) for line in lines
        ):
            yield place + f"another layer is told: {lines}"
        elif change.startswith("set ") and len(lines) > 2:
            yield place + f"one change is told as {lines}"


def block_has(block: Block, name: str) -> bool:
    """Whether a field is written anywhere in a block."""
    return any(
        field.name == name or (isinstance(field.value, Block) and block_has(field.value, name))
        for field in block
    )


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_one_change_is_told_where_it_is(chunk: int) -> None:
    assert list(failures(chunk)) == []


def test_the_structure_of_a_mutant_is_the_same_only_if_names_changed() -> None:
    for mutant in mutants()[::23]:
        a, b = base_of(mutant), Source(mutant["net"].encode(), "net")
        try:
            found, plain = api.diff(a, b, structure=True), api.diff(a, b)
        except ParseError:
            continue
        if plain.same:
            assert found.same or mutant["change"] == "swap layers", mutant["change"]
        elif found.same:
            names = {"name", "layer", "top", "bottom"}
            told = {field.name for change in plain.changes for field in change.fields}
            assert told <= names, (mutant["base"], mutant["change"], told)
