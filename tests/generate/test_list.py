"""``gen --list``: what it shows, and that the counts that it keeps are right."""

from __future__ import annotations

import json
import sys

import pytest

from prototxt_gen.cli import run
from prototxt_gen.generate.blocks import build
from prototxt_gen.generate.counts import COUNTS
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.zoo import PRESETS, preset
from prototxt_gen.graph.check import checked
from prototxt_gen.graph.infer import total_cost


def test_every_preset_is_counted() -> None:
    assert list(COUNTS) == list(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_the_counts_are_those_of_the_net(name: str) -> None:
    graph = build(Spec.of(preset(name))).graph
    cost = total_cost(graph, checked(graph))
    assert COUNTS[name] == (cost.parameters, cost.multiply_adds)


def test_a_part_of_a_name_narrows_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gen", "--list", "resnext"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert names == [name for name in PRESETS if "resnext" in name]
    assert run(["gen", "--list", "vgg"]) == 2
    assert "no preset has 'vgg' in its name" in capsys.readouterr().err


def test_forms(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gen", "--list", "wrn50", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["preset"], found["stages"]) == ("wrn50-2", [3, 4, 6, 3])
    assert (found["parameters"], found["multiply_adds"]) == COUNTS["wrn50-2"]
    assert run(["gen", "--list", "wrn50", "--format", "tsv"]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert line.split("\t") == [
        *("wrn50-2", "bottleneck", "3,4,6,3", "3x224x224", "68883240", "11398021120")
    ]
    assert run(["gen", "resnet50", "--json"]) == 2
    assert "--json goes with --list" in capsys.readouterr().err


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_terminal_breaks_no_cell(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert run(["gen", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(PRESETS) + 2
    assert max(map(len, lines[1:])) <= columns
