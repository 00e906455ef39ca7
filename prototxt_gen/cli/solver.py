"""``resnet-proto solver``: the solver that trains a net."""

from __future__ import annotations

from typing import Any, Literal

import click

from prototxt_gen.cli.options import output_option, write_output
from prototxt_gen.cli.spec_options import spec_from, spec_options
from prototxt_gen.generate.schedules import SCHEDULES

COUNT = click.IntRange(1, 2**31 - 1)
TYPES = ["SGD", "Nesterov", "Adam"]


@click.command("solver", short_help="Print the solver that trains a generated net.")
@spec_options
@click.option(
    "--net",
    default="train_val.prototxt",
    metavar="FILE",
    help="The file of the net, as Caffe will find it. [default: train_val.prototxt]",
)
@click.option(
    "--policy",
    type=click.Choice(["steps", "poly", "fixed"]),
    default="steps",
    help="How the learning rate falls: in the steps of the paper, to 0 by a power, or not. "
    "[default: steps]",
)
@click.option(
    "--schedule",
    type=click.Choice(["own", *SCHEDULES]),
    help="The paper's schedule; own: that of the net's paper, for ImageNet too. "
    "[default: ResNet's; for CIFAR the own]",
)
@click.option("--base-lr", type=float, metavar="X", help="The first learning rate.")
@click.option("--power", type=float, metavar="X", help="Of the policy poly. [default: 1]")
@click.option("--momentum", type=float, metavar="X", help="[default: 0.9]")
@click.option(
    "--weight-decay",
    type=float,
    metavar="X",
    help="[default: the paper's]",
)
@click.option(
    "--type",
    "kind",
    type=click.Choice(TYPES),
    help="The solver's type. [default: SGD, or the paper's]",
)
@click.option(
    "--batch-size",
    type=COUNT,
    metavar="N",
    help="Images per iteration, split by iter_size if needed. [default: 256; for CIFAR 128]",
)
@click.option(
    "--max-iter",
    type=COUNT,
    metavar="N",
    help="Iterations; the learning rate steps scale with them. [default: those of the paper]",
)
@click.option(
    "--epochs",
    type=float,
    metavar="X",
    help="The length in passes over the training images, in place of --max-iter.",
)
@click.option(
    "--train-images",
    type=COUNT,
    metavar="N",
    help="Images for training, which epochs are counted by. [default: ImageNet's or CIFAR's]",
)
@click.option(
    "--test-images",
    type=COUNT,
    metavar="N",
    help="Images for a test; the TEST batch divides them. [default: ImageNet's or CIFAR's]",
)
@click.option("--test-interval", type=COUNT, metavar="N", help="Iterations between tests.")
@click.option("--display", type=COUNT, metavar="N", help="[default: 100]")
@click.option("--snapshot", type=COUNT, metavar="N", help="Iterations between snapshots.")
@click.option("--snapshot-prefix", metavar="PATH", help="[default: the name of the net]")
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other field of a solver, such as random_seed=1. May be repeated.",
)
@click.option(
    "--warm-up",
    is_flag=True,
    help="Print the solver of the first iterations, at a lower rate, if the paper has them.",
)
@output_option
def command(
    preset: str | None,
    spec: str | None,
    net: str,
    policy: Literal["steps", "poly", "fixed"],
    batch_size: int | None,
    max_iter: int | None,
    warm_up: bool,
    fields: tuple[str, ...],
    kind: str | None,
    output: str,
    **options: Any,
) -> None:
    """Print the solver that trains a net by the schedule of its paper, on ImageNet or CIFAR.

    \b
    resnet-proto gen resnet50 --phase train_val -o train_val.prototxt
    resnet-proto solver resnet50 -o solver.prototxt
    """
    from prototxt_gen.generate.solver import Wishes, length, solver, title

    wanted = {name: options.pop(name) for name in _WISHES}
    wishes = Wishes(
        **{**wanted, "schedule": wanted["schedule"] or ""}, type=kind, fields=_pairs(fields)
    )
    made = spec_from(preset, spec, options)
    from prototxt_gen.generate.render import render_solver

    block = solver(
        made,
        net,
        policy=policy,
        batch=batch_size,
        iterations=max_iter,
        warm_up=warm_up,
        wishes=wishes,
    )
    words = title(
        made, policy=policy, warm_up=warm_up, wishes=wishes, epochs=length(made, block, wishes)
    )
    write_output(output, render_solver(block, words).encode())


#: The options that are wishes of the same name.
_WISHES = (
    "schedule",
    "base_lr",
    "power",
    "momentum",
    "weight_decay",
    "train_images",
    "test_images",
    "epochs",
    "test_interval",
    "display",
    "snapshot",
    "snapshot_prefix",
)


def _pairs(fields: tuple[str, ...]) -> tuple[tuple[str, object], ...]:
    """Names of fields with their values, as text; the values of one name stand together."""
    found: dict[str, list[str]] = {}
    for text in fields:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--field {text}: expected NAME=VALUE")
        found.setdefault(name, []).append(value)
    return tuple((name, tuple(values)) for name, values in found.items())
