"""Which layers a state has: StateMeetsRule and FilterNet of net.cpp, rule by rule."""

from __future__ import annotations

from itertools import product

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block
from prototxt_gen.formats.reader import read_text
from prototxt_gen.graph.phase import State, phases_of, stages_of


def root(text: str) -> Block:
    source = Source(text.encode())
    found = read_text(source, Sink(source), "NetParameter")
    return found.root


def has(rules: str, state: State, net: str = "") -> bool:
    text = f'{net} input: "x" input_shape {{ dim: 1 }}\n'
    text += f'layer {{ name: "l" type: "ReLU" bottom: "x" top: "y" {rules} }}'
    return "l" in [node.name for node in api.load(Source(text.encode()), state).nodes]


@pytest.mark.parametrize("level", [-2, 0, 1, 2, 3])
@pytest.mark.parametrize("bound", [-1, 0, 1, 2])
def test_levels(level: int, bound: int) -> None:
    """Both bounds are within: level < min_level and level > max_level fail."""
    state = State(level=level)
    assert has(f"include {{ min_level: {bound} }}", state) == (level >= bound)
    assert has(f"include {{ max_level: {bound} }}", state) == (level <= bound)
    assert has(f"exclude {{ max_level: {bound} }}", state) == (level > bound)
    both = f"include {{ min_level: 0 max_level: {bound} }}"
    assert has(both, state) == (0 <= level <= bound)


NAMES = ("a", "b")


@pytest.mark.parametrize("wanted", ["", "a", "ab"])
@pytest.mark.parametrize("unwanted", ["", "a", "b", "ab"])
def test_stages(wanted: str, unwanted: str) -> None:
    """All that are wanted, and none that is not."""
    rule = "".join(f'stage: "{s}" ' for s in wanted) + "".join(
        f'not_stage: "{s}" ' for s in unwanted
    )
    for chosen in product((False, True), repeat=2):
        stages = {name for name, there in zip(NAMES, chosen, strict=True) if there}
        meets = all(s in stages for s in wanted) and not any(s in stages for s in unwanted)
        state = State(stages=frozenset(stages))
        assert has(f"include {{ {rule} }}", state) == meets
        assert has(f"exclude {{ {rule} }}", state) == (not meets)


def test_phases_and_several_rules() -> None:
    for phase in ("TRAIN", "TEST"):
        state = State(phase)  # type: ignore[arg-type]
        assert has("include { phase: TRAIN }", state) == (phase == "TRAIN")
        assert has("exclude { phase: TRAIN }", state) == (phase == "TEST")
        assert has('include { phase: TRAIN } include { stage: "a" }', state) == (phase == "TRAIN")
        assert has("include { }", state)
        assert not has("exclude { }", state)
    state = State("TEST", frozenset({"a"}))
    assert has('include { phase: TRAIN } include { stage: "a" }', state)
    assert not has('exclude { phase: TRAIN } exclude { stage: "a" }', state)


def test_a_net_may_declare_its_own_level_and_stages() -> None:
    net = 'state { level: 2 stage: "a" }'
    assert has("include { min_level: 2 }", State(), net)
    assert not has("include { min_level: 2 }", State())
    assert has('include { stage: "a" stage: "b" }', State(stages=frozenset({"b"})), net)
    assert not has("include { min_level: 2 }", State(level=1), net)


@pytest.mark.parametrize(
    ("rules", "phases"),
    [
        ([""], ("TEST",)),
        (["include { phase: TRAIN }", ""], ("TRAIN",)),
        (["include { phase: TEST }"], ("TEST",)),
        (["include { phase: TRAIN }", "include { phase: TEST }"], ("TEST", "TRAIN")),
        (["exclude { phase: TRAIN }"], ("TEST", "TRAIN")),
        (["include { phase: TRAIN }", "exclude { phase: TRAIN }"], ("TEST", "TRAIN")),
        (['include { stage: "a" }'], ("TEST",)),
    ],
)
def test_the_phases_that_a_net_is_for(rules: list[str], phases: tuple[str, ...]) -> None:
    assert phases_of(root("".join(f'layer {{ name: "l" {r} }}' for r in rules))) == phases


def test_the_stages_that_a_net_knows_in_the_order_of_the_file() -> None:
    text = "".join(f'layer {{ include {{ stage: "s{i % 10}" }} }}' for i in range(3, 23))
    assert stages_of(root(text)) == tuple(f"s{i % 10}" for i in range(3, 11))
    assert stages_of(root('layer { exclude { stage: "a" } }')) == ()
