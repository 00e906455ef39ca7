"""``resnet-proto solver``: the solver that trains a net."""

from __future__ import annotations

from typing import Any, Literal

import click

from prototxt_gen.cli.options import output_option, write_output
from prototxt_gen.cli.spec_options import spec_from, spec_options


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
    type=click.Choice(["steps", "poly"]),
    default="steps",
    help="How the learning rate falls: in the steps of the paper, or linearly. [default: steps]",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1, 2**31 - 1),
    metavar="N",
    help="Images per iteration, split by iter_size if needed. [default: 256; for CIFAR 128]",
)
@click.option(
    "--max-iter",
    type=click.IntRange(1, 2**31 - 1),
    metavar="N",
    help="Iterations; the learning rate steps scale with them. [default: those of the paper]",
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
    policy: Literal["steps", "poly"],
    batch_size: int | None,
    max_iter: int | None,
    warm_up: bool,
    output: str,
    **options: Any,
) -> None:
    """Print the solver that trains a net by the schedule of its paper, on ImageNet or CIFAR.

    \b
    resnet-proto gen resnet50 --phase train_val -o train_val.prototxt
    resnet-proto solver resnet50 -o solver.prototxt
    """
    made = spec_from(preset, spec, options)
    from prototxt_gen.generate.render import render_solver
    from prototxt_gen.generate.solver import solver, title

    block = solver(made, net, policy=policy, batch=batch_size, iterations=max_iter, warm_up=warm_up)
    write_output(output, render_solver(block, title(made, policy=policy, warm_up=warm_up)).encode())
