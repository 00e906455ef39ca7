"""``resnet-proto fleet``: many models, on many machines, with a plan, a manifest and a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from prototxt_gen.cli.convert import GOES_WITH
from prototxt_gen.cli.fleet_options import Size, conversion_options, need_used
from prototxt_gen.cli.idle import goes_with
from prototxt_gen.cli.options import dialect_option, plugin_option, state_options

if TYPE_CHECKING:
    from prototxt_gen.graph.phase import State


@click.command("fleet", short_help="Convert, verify or validate many nets, and report on them.")
@click.argument("source", metavar="SRC")
@click.option(
    "-o", "--output", metavar="DST", help="The folder or URL for models, manifest and summary."
)
@click.option(
    "--task",
    type=click.Choice(["convert", "verify", "validate"]),
    default="convert",
    help="What to do with each: verify compares the models in DST with their nets, validate looks "
    "at nets and weights. [default: convert]",
)
@click.option(
    "--plan",
    "plan_file",
    metavar="FILE",
    help="Only print what belongs together, and write it to FILE (.csv, .jsonl, .yaml), which may "
    "be edited and is then SRC.",
)
@click.option(
    "--snapshots",
    type=click.Choice(["latest", "all"]),
    default="latest",
    help="Of *_iter_N.caffemodel, what to take. [default: latest]",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=1,
    metavar="N",
    help="How many models to work on at once, on this machine. [default: 1]",
)
@click.option(
    "--scheduler",
    metavar="tcp://HOST:PORT",
    help="Let the workers of a Dask cluster do it. Needs the extra fleet.",
)
@click.option(
    "--patience",
    type=click.FloatRange(0),
    default=300.0,
    metavar="SECONDS",
    help="How long to wait for a scheduler that is gone. [default: 300]",
)
@click.option(
    "--retries",
    type=click.IntRange(0, 100),
    default=2,
    metavar="N",
    help="How often to try again where a process died or a store failed. [default: 2]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Let a model fail that takes longer. [default: no limit]",
)
@click.option(
    "--memory",
    type=Size(),
    metavar="SIZE",
    help="Let a model fail whose process takes more, such as 4G. [default: no limit]",
)
@click.option(
    "--cache",
    metavar="DIR",
    help="Keep what is fetched of a store here, on each machine. [default: a folder of its own, "
    "which is removed]",
)
@click.option(
    "--verify/--no-verify",
    default=True,
    help="Compare each model with numpy before writing it. [default: verify]",
)
@conversion_options
@state_options
@dialect_option
@plugin_option
@goes_with(patience="scheduler", **GOES_WITH)
def command(
    source: str, output: str | None, plan_file: str | None, state: State, **options: Any
) -> int:
    """Convert, verify or validate many models, and report on each.

    SRC is a folder, a plan (.csv, .jsonl, .yaml), or a URL of fsspec, such as s3://bucket/models.
    Which caffemodel belongs to which net is told by the names and shapes of layers; what is left
    out is listed with the reason. DST/manifest.jsonl has a line for each model as soon as it is
    known: run the same command again and it goes on where it was. summary.html and summary.csv
    group failures by their reason. docs/fleet.md has the whole.

    Ctrl-C finishes what runs; the second one ends at once.

    Exit code 0: all done. 1: some failed, or a net has no weights. 2: wrong usage, a store or a
    scheduler that cannot be used. 130: stopped.

    \b
    resnet-proto fleet models --plan plan.csv
    resnet-proto fleet plan.csv -o onnx --jobs 8 --memory 4G --timeout 600
    resnet-proto fleet s3://bucket/models -o s3://bucket/onnx --scheduler tcp://10.0.0.1:8786
    """
    from prototxt_gen.cli.fleet_run import make_plan, run_fleet
    from prototxt_gen.fleet.planfile import is_plan

    context = click.get_current_context()
    planned = is_plan(source)
    need_used(options["task"], source, planned=planned, plans=plan_file is not None)
    if plan_file is not None:
        return make_plan(context, source, output, plan_file, state, options)
    if output is None:
        raise click.UsageError("there is no -o DST; or give --plan FILE")
    return run_fleet(context, source, output, state, options)
