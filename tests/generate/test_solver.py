"""Solvers: the papers' schedules, batches in parts, other lengths."""

from __future__ import annotations

from typing import Any

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block
from prototxt_gen.formats.reader import read_text


def solver(capsys: pytest.CaptureFixture[str], *arguments: str) -> Block:
    assert run(["solver", *arguments]) == 0
    source = Source(capsys.readouterr().out.encode())
    assert api.validate(source) == []
    root = read_text(source, Sink()).root
    assert root.type is not None and root.type.name == "SolverParameter"
    return root


def values(root: Block, *names: str) -> list[Any]:
    return [root.all(name) for name in names]


def test_imagenet(capsys: pytest.CaptureFixture[str]) -> None:
    root = solver(capsys, "resnet50")
    names = ("net", "base_lr", "max_iter", "stepvalue", "gamma", "iter_size", "weight_decay")
    assert values(root, *names) == [
        ["train_val.prototxt"],
        [0.1],
        [600_000],
        [150_000, 300_000, 450_000],
        [0.1],
        [256 // 32],
        [0.0001],
    ]
    # All 50,000 images are tested.
    assert root.get("test_iter", int, 0) * 50 == 50_000


@pytest.mark.parametrize(
    ("name", "steps", "iterations", "decay", "type"),
    [
        ("resnet110", [32_000, 48_000], 64_000, 0.0001, []),
        ("wrn-28-10", [60 * 391, 120 * 391, 160 * 391], 200 * 391, 0.0005, ["Nesterov"]),
        ("resnext29-8x64d", [150 * 391, 225 * 391], 300 * 391, 0.0005, []),
    ],
)
def test_cifar(
    name: str,
    steps: list[int],
    iterations: int,
    decay: float,
    type: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = solver(capsys, name)
    assert values(root, "stepvalue", "max_iter", "weight_decay", "type", "iter_size") == [
        steps,
        [iterations],
        [decay],
        type,
        [],
    ]


def test_poly_and_other_lengths(capsys: pytest.CaptureFixture[str]) -> None:
    root = solver(capsys, "resnet50", "--policy", "poly", "--max-iter", "1000")
    assert values(root, "lr_policy", "power", "max_iter", "stepvalue") == [
        ["poly"],
        [1.0],
        [1000],
        [],
    ]
    root = solver(capsys, "resnet50", "--max-iter", "60000", "--net", "n.prototxt")
    assert values(root, "stepvalue", "net") == [[15_000, 30_000, 45_000], ["n.prototxt"]]


def test_a_batch_that_is_no_multiple_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    root = solver(capsys, "resnet50", "--train-batch", "64", "--batch-size", "512")
    assert values(root, "iter_size") == [[8]]
    assert run(["solver", "resnet50", "--batch-size", "100"]) == 2
    assert "100 is not a multiple of the 32" in capsys.readouterr().err
