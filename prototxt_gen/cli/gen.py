"""``resnet-proto gen``: a net of the residual family, or of its kin, as a prototxt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from prototxt_gen.cli.idle import goes_with, idle_with
from prototxt_gen.cli.options import as_json, output_option, refuse, write_output
from prototxt_gen.cli.output import print_note
from prototxt_gen.cli.spec_options import spec_from, spec_options, training_options
from prototxt_gen.cli.tables import form_option, print_form, print_table
from prototxt_gen.errors import SpecError


@click.command("gen", short_help="Print a residual net, a MobileNetV2 or a DenseNet.")
@spec_options
@click.option(
    "--list",
    "show_list",
    is_flag=True,
    help="List the presets whose names contain PRESET, or all, with parameters and multiply-adds.",
)
@form_option
@click.option("--print-spec", is_flag=True, help="Print the spec as YAML instead of the net.")
@click.option(
    "--templates",
    metavar="DIR",
    help="Use the Jinja2 templates in DIR in preference to the built-in ones, or a shipped set, "
    "such as pycaffe. They run in a sandbox: they see the net and other templates in DIR, and "
    "change nothing.",
)
@click.option(
    "--no-check",
    is_flag=True,
    help="Print what the templates in DIR make also where it is no prototxt, or another net's.",
)
@output_option
@goes_with(form="show_list", json="show_list", no_check="templates")
@idle_with(templates="print_spec")
def command(
    preset: str | None,
    spec: str | None,
    show_list: bool,
    form: str | None,
    print_spec: bool,
    templates: str | None,
    no_check: bool,
    output: str,
    **options: Any,
) -> None:
    """Print a residual net, a MobileNetV2 or a DenseNet as a Caffe prototxt.

    It is a PRESET, or given by options.

    \b
    resnet-proto gen resnet50 > resnet50.prototxt
    resnet-proto gen wrn-28-10 --classes 100 -o wrn.prototxt
    resnet-proto gen densenet121 --input-shape 1,3,128,128
    resnet-proto gen --list resnext
    resnet-proto gen --depth 18 --phase train_val
    resnet-proto gen --stages 3,4,6,3 --block basic --width 96
    """
    if show_list:
        _need_no_net()
        _list(preset or "", form or "table")
        return
    made = spec_from(preset, spec, options)
    if made.phase != "train_val":
        for name, path in training_options().items():
            if options[name] is not None:
                raise SpecError("changes nothing without --phase train_val", path=path)
    if print_spec:
        import yaml

        text = yaml.safe_dump(made.to_dict(), default_flow_style=None, sort_keys=False)
    else:
        from prototxt_gen.generate.blocks import build
        from prototxt_gen.templated import print_net

        folder = Path(templates) if templates is not None else None
        text, notes = print_net(build(made), folder, check=not no_check)
        for note in notes:
            print_note(f"unlike the spec's net: {note}")
    write_output(output, text.encode())


def _need_no_net() -> None:
    """Raise UsageError for an option that says more of a net than its name."""
    params = {param.name for param in click.get_current_context().command.params}
    refuse(
        {name for name in params if name is not None} - {"preset", "show_list", "form", "json"},
        "changes nothing with --list",
    )


def _list(part: str, form: str) -> None:
    from prototxt_gen._tables import Table
    from prototxt_gen.generate.counts import COUNTS
    from prototxt_gen.generate.spec import Spec
    from prototxt_gen.generate.zoo import PRESETS, preset

    names = [name for name in PRESETS if part in name]
    if not names:
        raise click.UsageError(f"no preset has {part!r} in its name; gen --list shows all")
    keys = ("preset", "block", "stages", "input", "parameters", "multiply_adds")
    found = []
    for name in names:
        spec = Spec.of(preset(name))
        found.append((name, spec.block, spec.stages, spec.input_shape[1:], *COUNTS[name]))
    if form == "json":
        write_output("-", as_json([dict(zip(keys, row, strict=True)) for row in found]))
        return
    plain = form in ("csv", "tsv")
    rows = []
    for name, block, stages, shape, parameters, adds in found:
        counts = (
            (str(parameters), str(adds)) if plain else (f"{parameters:,}", f"{adds / 1e9:.2f} G")
        )
        rows.append((name, block, ",".join(map(str, stages)), "x".join(map(str, shape)), *counts))
    heads = [key.replace("_", "-") for key in keys]
    if form == "table":
        print_table(heads, rows, (4, 5), (3, 1))
    else:
        print_form(Table(heads, rows, (4, 5)), form)
