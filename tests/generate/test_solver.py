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
    err = capsys.readouterr().err
    assert "100 is not a multiple of the 32" in err and "--train-batch" in err


@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_steps_come_apart_or_are_refused(
    iterations: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A step at 0, or two at once, would not be the paper's schedule."""
    assert run(["solver", "resnet50", "--max-iter", str(iterations)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"max_iter: is {iterations}, too few for 3 steps" in err
    poly = solver(capsys, "resnet50", "--max-iter", str(iterations), "--policy", "poly")
    assert values(poly, "max_iter") == [[iterations]]


def test_the_fewest_iterations(capsys: pytest.CaptureFixture[str]) -> None:
    root = solver(capsys, "resnet50", "--max-iter", "4")
    assert values(root, "stepvalue", "max_iter") == [[1, 2, 3], [4]]


@pytest.mark.parametrize(
    ("name", "schedule", "own"),
    [
        ("resnet50", "1512.03385", None),
        ("plain20", "1512.03385", None),
        ("wrn-28-10", "1605.07146", None),
        ("resnext29-8x64d", "1611.05431", None),
        ("preresnet164", "1603.05027", None),
        ("preresnet50", "1512.03385", "1603.05027"),
        ("wrn50-2", "1512.03385", "1605.07146"),
        ("resnext50-32x4d", "1512.03385", "1611.05431"),
        ("se-resnet50", "1512.03385", "1709.01507"),
    ],
)
def test_the_papers_of_the_schedule_and_of_the_net(
    name: str, schedule: str, own: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["solver", name]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"by the schedule of arXiv {schedule}" in lines[0]
    assert (lines[1] == f"# (the net is from arXiv {own})") == bool(own)


@pytest.mark.parametrize("name", ["resnet110", "resnet1202", "preresnet164"])
def test_a_deep_net_for_cifar_warms_up(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Section 4.2: "0.01 to warm up the training until the training error is below 80% (about
    400 iterations), and then go back to 0.1"; 1603.05027 does so in all of CIFAR.
    """
    assert run(["solver", name]) == 0
    text = capsys.readouterr().out
    assert "a learning rate of 0.01 for the first 400 iterations" in text
    first, then = solver(capsys, name, "--warm-up"), solver(capsys, name)
    names = ("base_lr", "lr_policy", "stepvalue", "max_iter", "snapshot")
    assert values(first, *names) == [[0.01], ["fixed"], [], [400], [400]]
    assert values(then, "base_lr", "stepvalue") == [[0.1], [32_000, 48_000]]
    # The second goes on from what the first leaves, so that both have the same parts.
    prefix = first.get("snapshot_prefix", str, "")
    assert f"--snapshot={prefix}_iter_400.solverstate" in text
    for name in ("net", "momentum", "weight_decay", "type", "iter_size"):
        assert first.all(name) == then.all(name)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("resnet20", "warm_up: ResNet-20 has none in arXiv 1512.03385, section 4.2"),
        ("wrn-28-10", "warm_up: WRN-28-10 has none in arXiv 1605.07146"),
        ("resnet110 --policy poly", "policy: is poly, but the warm-up has one rate"),
        ("resnet110 --max-iter 100", "max_iter: is that of the warm-up: 400"),
    ],
)
def test_a_warm_up_of_nothing_is_refused(
    arguments: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["solver", *arguments.split(), "--warm-up"]) == 2
    assert words in capsys.readouterr().err


def test_a_linear_rate_is_no_papers_schedule(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["solver", "resnet110", "--policy", "poly"]) == 0
    comments = [line for line in capsys.readouterr().out.splitlines() if line.startswith("#")]
    assert comments == ["# ResNet-110, at a learning rate that falls linearly"]


def test_a_name_of_lines_stays_in_its_comment(capsys: pytest.CaptureFixture[str]) -> None:
    root = solver(capsys, "resnet20", "--name", "a\nbase_lr: 7")
    assert values(root, "base_lr", "snapshot_prefix") == [[0.1], ["a\nbase_lr: 7"]]


def test_epochs_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the images for training; a test has all images of its own."""
    arguments = "resnet50 --epochs 90 --batch-size 512 --train-images 128000 --test-images 1001"
    root = solver(capsys, *arguments.split(), "--test-batch", "100")
    assert values(root, "max_iter", "test_iter") == [[90 * 250], [11]]
    assert values(root, "stepvalue") == [[90 * 250 * n // 4 for n in (1, 2, 3)]]
    assert run(["solver", *arguments.split()]) == 0
    words = "# 22500 iterations of 512 images are 90 epochs of 128000"
    assert words in capsys.readouterr().out.splitlines()
    imagenet = solver(capsys, "resnet50", "--epochs", "90")
    assert values(imagenet, "max_iter") == [[round(90 * 1_281_167 / 256)]]


def test_rates_and_names(capsys: pytest.CaptureFixture[str]) -> None:
    words = "--base-lr 0.2 --momentum 0.8 --weight-decay 0.0005 --type Nesterov --snapshot 7"
    more = "--snapshot-prefix a/b --display 5 --test-interval 6 --field random_seed=1"
    root = solver(capsys, "resnet50", *words.split(), *more.split())
    assert values(root, "base_lr", "momentum", "weight_decay", "type") == [
        [0.2],
        [0.8],
        [0.0005],
        ["Nesterov"],
    ]
    assert values(root, "snapshot", "snapshot_prefix", "display", "test_interval") == [
        [7],
        ["a/b"],
        [5],
        [6],
    ]
    assert values(root, "random_seed") == [[1]]
    fields = ("snapshot_prefix=5", "clip_gradients=-1e-3", "test_iter=3", "test_iter=4")
    root = solver(capsys, "resnet50", *(word for text in fields for word in ("--field", text)))
    assert values(root, "snapshot_prefix", "clip_gradients", "test_iter") == [
        ["5"],
        [-0.001],
        [3, 4],
    ]
    assert run(["solver", "resnet50", *words.split()]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith("1512.03385, but for base_lr, momentum, weight_decay, type")


def test_adam_and_other_policies(capsys: pytest.CaptureFixture[str]) -> None:
    root = solver(capsys, "resnet20", "--type", "Adam", "--policy", "fixed")
    assert values(root, "type", "base_lr", "momentum", "momentum2", "lr_policy") == [
        ["Adam"],
        [0.001],
        [0.9],
        [0.999],
        ["fixed"],
    ]
    root = solver(capsys, "resnet20", "--policy", "poly", "--power", "2")
    assert values(root, "lr_policy", "power") == [["poly"], [2.0]]


@pytest.mark.parametrize(
    ("name", "schedule", "batch", "rate", "steps", "longest"),
    [
        # Divided by 10 every 30 of 100 epochs, of 1251 and of 5005 iterations.
        ("se-resnet50", "own", 1024, 0.6, [1251 * n for n in (30, 60, 90)], 125_100),
        ("preresnet50", "own", 256, 0.1, [5005 * n for n in (30, 60)], 450_450),
        ("densenet121", "own", 256, 0.1, [5005 * n for n in (30, 60)], 90 * 5005),
        ("resnet50", "own", 256, 0.1, [150_000, 300_000, 450_000], 600_000),
        ("resnet50", "senet", 1024, 0.6, [1251 * n for n in (30, 60, 90)], 125_100),
        ("resnet20", "wide-cifar", 128, 0.1, [391 * n for n in (60, 120, 160)], 78_200),
    ],
)
def test_schedules_by_name(
    name: str,
    schedule: str,
    batch: int,
    rate: float,
    steps: list[int],
    longest: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = solver(capsys, name, "--schedule", schedule)
    assert values(root, "base_lr", "stepvalue", "max_iter") == [[rate], steps, [longest]]
    read = 128 if name == "resnet20" else 32
    assert root.get("iter_size", int, 1) * read == batch


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--field random_sed=1", "field.random_sed: unknown field 'random_sed'; did you mean"),
        ("--field solver_mode=CPUX", "has no value CPUX"),
        ("--field random_seed=x", "field.random_seed"),
        ("--field random_seed=1{}", "is '1{}'; expected a number or a word"),
        ("--field base_lr=1e99999", "field.base_lr"),
        ("--field test_iter=nan", "field.test_iter"),
        ("--field net_param=1", "field.net_param: is a message"),
        ("--field x", "expected NAME=VALUE"),
        ("--field larc=true", "unknown field 'larc'"),
        ("--power 2", "power: changes nothing with the policy steps"),
        ("--epochs 9 --max-iter 5", "epochs: and max_iter say the same thing"),
        ("--epochs 1e30", "epochs: make"),
        ("--epochs nan", "epochs: is nan; expected more than 0"),
        ("--epochs -1", "epochs: is -1.0; expected more than 0"),
        ("--base-lr 0", "base_lr: is 0.0; expected more than 0"),
        ("--base-lr 1e-60", "base_lr: is 1e-60, which is 0 as a float of 32 bits"),
        ("--momentum 1", "momentum: is 1.0; expected 0 or more and less than 1"),
        ("--weight-decay -1", "weight_decay: is -1.0"),
    ],
)
def test_what_a_solver_cannot_be_is_refused(
    arguments: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["solver", "resnet50", *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
