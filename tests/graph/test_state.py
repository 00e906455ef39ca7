"""Which layers a state has: StateMeetsRule and FilterNet of net.cpp, rule by rule."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
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


TRAINING = """layer { name: "d" type: "MemoryData" top: "x" top: "l" %s
  memory_data_param { batch_size: 1 channels: 3 height: 8 width: 8 } }
layer { name: "fc" type: "InnerProduct" bottom: "x" top: "fc" %s
  inner_product_param { num_output: 3 } }
"""


@pytest.mark.parametrize(
    ("rules", "options"),
    [
        ("include { phase: TRAIN }", "--phase TRAIN"),
        ("exclude { phase: TEST }", "--phase TRAIN"),
        ('include { stage: "s" }', "--stage s"),
        ('include { phase: TRAIN stage: "s" }', "--phase TRAIN --stage s"),
    ],
)
def test_a_blob_of_another_state_is_told_with_the_options_for_it(
    rules: str, options: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = tmp_path / "net.prototxt"
    words = f"layer 'd' makes it in another state of the net: use {options}"
    for more in ("", " --input-shape x=2,3,8,8"):
        net.write_text(TRAINING % (rules, ""))
        for verb in ("summary", "deploy", f"weights init -o {tmp_path / 'm'}"):
            command = [*verb.split(), str(net), *more.split()]
            assert run(command) == 2
            assert words in capsys.readouterr().err
            assert run([*command, *options.split()]) == 0
            assert words not in capsys.readouterr().err
    net.write_text(TRAINING % (rules, rules))
    assert run(["summary", str(net)]) == 2
    assert f"no layer in this phase and stage; use {options}\n" in capsys.readouterr().err


def test_no_options_are_told_for_a_blob_that_no_state_makes() -> None:
    graph = api.load(Source((TRAINING % ("include { min_level: 3 }", "")).encode()))
    (found,) = api.summarize(graph).diagnostics
    assert found.rule == "unknown-bottom" and found.help is None
