"""``resnet-proto gen``: a residual net as a prototxt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from prototxt_gen.cli.options import Numbers, output_option, write_output
from prototxt_gen.errors import SpecError


@click.command("gen")
@click.option("--depth", type=int, metavar="N", help="A published net: 18, 34, 50, 101 or 152.")
@click.option(
    "--stages", type=Numbers(), metavar="N,N,...", help="Blocks of each stage, such as 3,4,6,3."
)
@click.option("--block", metavar="KIND", help="basic or bottleneck. [default: bottleneck]")
@click.option("--width", type=int, metavar="N", help="Channels of the first stage. [default: 64]")
@click.option("--classes", type=int, metavar="N", help="Classes to tell apart. [default: 1000]")
@click.option(
    "--input-shape",
    type=Numbers(),
    metavar="N,C,H,W",
    help="Shape of the input. [default: 1,3,224,224]",
)
@click.option(
    "--conv1-bias/--no-conv1-bias",
    default=None,
    help="Whether conv1 has a bias. [default: for depth 50 alone, as MSRA has it]",
)
@click.option("--name", metavar="TEXT", help="The net's name. [default: ResNet-<depth>]")
@click.option(
    "--spec",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Read these options from YAML or JSON, with _ for -; options given here go first.",
)
@click.option(
    "--templates",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Use the Jinja2 templates of a folder before the shipped ones.",
)
@output_option
def command(spec: str | None, templates: str | None, output: str, **options: Any) -> None:
    """Print a residual net as a Caffe prototxt.

    \b
    resnet-proto gen --depth 50 > resnet50.prototxt
    resnet-proto gen --depth 18 --classes 10 -o resnet18.prototxt
    resnet-proto gen --stages 3,4,6,3 --block basic --width 96
    """
    from prototxt_gen import api

    given = {name: value for name, value in options.items() if value is not None}
    if spec is not None:
        text = _from_file(Path(spec), given, templates)
    elif "depth" not in given and "stages" not in given:
        raise click.UsageError("give --depth, --stages or --spec; for instance: gen --depth 50")
    else:
        text = api.generate(given, templates=templates)
    write_output(output, text.encode())


def _from_file(path: Path, given: dict[str, object], templates: str | None) -> str:
    from prototxt_gen import api
    from prototxt_gen.generate.specfile import read_spec

    file = read_spec(path)
    try:
        return api.generate({**file.values, **given}, templates=templates)
    except SpecError as error:
        if error.path.partition("[")[0] in given:
            raise
        raise file.locate(error) from error
