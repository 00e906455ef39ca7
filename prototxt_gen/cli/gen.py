"""``resnet-proto gen``: a net of the residual family as a prototxt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from prototxt_gen.cli.options import output_option, write_output
from prototxt_gen.cli.spec_options import spec_from, spec_options
from prototxt_gen.errors import SpecError


@click.command("gen", short_help="Print a net of the residual family.")
@spec_options
@click.option(
    "--list", "show_list", is_flag=True, help="List all presets with parameters and multiply-adds."
)
@click.option("--print-spec", is_flag=True, help="Print the spec as YAML instead of the net.")
@click.option(
    "--templates",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Use the Jinja2 templates in DIR in preference to the built-in ones. They run in a "
    "sandbox: they see the net and other templates in DIR, and change nothing.",
)
@output_option
def command(
    preset: str | None,
    spec: str | None,
    show_list: bool,
    print_spec: bool,
    templates: str | None,
    output: str,
    **options: Any,
) -> None:
    """Print a net of the residual family as a Caffe prototxt: a PRESET, or one given by options.

    \b
    resnet-proto gen resnet50 > resnet50.prototxt
    resnet-proto gen wrn-28-10 --classes 100 -o wrn.prototxt
    resnet-proto gen --depth 18 --phase train_val
    resnet-proto gen --stages 3,4,6,3 --block basic --width 96
    """
    if show_list:
        _list()
        return
    made = spec_from(preset, spec, options)
    if options["train_batch"] is not None and made.phase != "train_val":
        raise SpecError("changes nothing without --phase train_val", path="train_batch")
    if print_spec:
        import yaml

        text = yaml.safe_dump(made.to_dict(), default_flow_style=None, sort_keys=False)
    else:
        from prototxt_gen.generate.blocks import build
        from prototxt_gen.generate.render import render

        text = render(build(made), Path(templates) if templates is not None else None)
    write_output(output, text.encode())


def _list() -> None:
    from prototxt_gen.cli.output import print_table
    from prototxt_gen.generate.blocks import build
    from prototxt_gen.generate.spec import Spec
    from prototxt_gen.generate.zoo import PRESETS, preset
    from prototxt_gen.summary import summarize

    rows = []
    for name in PRESETS:
        spec = Spec.of(preset(name))
        summary = summarize(build(spec).graph)
        shape = "x".join(map(str, spec.input_shape[1:]))
        stages = ",".join(map(str, spec.stages))
        counts = f"{summary.parameters:,}", f"{summary.multiply_adds / 1e9:.2f} G"
        rows.append((name, spec.block, stages, shape, *counts))
    heads = ("preset", "block", "stages", "input", "parameters", "multiply-adds")
    print_table(heads, rows, (4, 5))
