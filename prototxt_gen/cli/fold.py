"""``resnet-proto fold``: a Caffe net without BatchNorm and Scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prototxt_gen._words import plural
from prototxt_gen.cli.idle import goes_with
from prototxt_gen.cli.layer_names import use_names, weights_options
from prototxt_gen.cli.options import (
    InputShape,
    dialect_option,
    input_shape_option,
    need_own_files,
    plugin_option,
    state_options,
    write_output,
)
from prototxt_gen.cli.output import print_changes, print_note
from prototxt_gen.cli.weights_files import need_caffemodel
from prototxt_gen.errors import VerificationError

if TYPE_CHECKING:
    from prototxt_gen.graph.fillers import Init
    from prototxt_gen.graph.phase import State


@click.command("fold", short_help="Fold BatchNorm and Scale into the weights of a Caffe net.")
@click.argument("net", metavar="NET")
@click.argument("weights", required=False, metavar="[WEIGHTS]")
@click.option("-o", "--output", required=True, metavar="FILE", help="The prototxt to write.")
@click.option(
    "--output-weights",
    metavar="FILE",
    help="The caffemodel to write. [default: FILE with the suffix .caffemodel]",
)
@weights_options
@input_shape_option
@state_options
@dialect_option
@plugin_option
@goes_with(seed="weights_init")
def command(
    net: str,
    weights: str | None,
    output: str,
    output_weights: str | None,
    names: tuple[str, ...],
    weights_init: Init | None,
    seed: int,
    input_shapes: Sequence[InputShape],
    state: State,
    dialect: str | None,
) -> None:
    """Write a net and its weights with BatchNorm and Scale folded into the layer before them.

    NET may be a caffemodel alone, which contains the net too. Both nets are computed with numpy
    on the same values before anything is written.
    """
    from prototxt_gen import api
    from prototxt_gen import weights as tools
    from prototxt_gen._files import need_place, together
    from prototxt_gen.graph.check import checked, need_inputs
    from prototxt_gen.graph.weights import bound
    from prototxt_gen.passes.completed import completed
    from prototxt_gen.passes.deploy import deploy
    from prototxt_gen.passes.fold import fold
    from prototxt_gen.passes.inference import with_inputs
    from prototxt_gen.verify import verify_graphs

    if output == "-" and output_weights is None:
        raise click.UsageError("-o -: give the caffemodel a name with --output-weights")
    if output_weights is not None:
        need_caffemodel(output_weights)
    target = output_weights or str(Path(output).with_suffix(".caffemodel"))
    need_own_files([net, weights], [output, target])
    for path in (output, target):
        if path != "-":
            need_place(path)
    graph = api.read_caffe(net, weights, state=state, dialect=dialect)
    use_names(graph, names, dict(input_shapes))
    shapes = checked(graph, dict(input_shapes))
    source, deployed = deploy(graph, shapes)
    if input_shapes:
        source = with_inputs(source, shapes)
    known = checked(source)
    need_inputs(source, known)
    if weights_init is not None:
        source.stored, new = completed(source, known, weights_init, seed)
        print_changes(new)
    made, folded, changes = fold(source, bound(source, known))
    verdict = verify_graphs(source, made, folded)
    if not verdict.agrees:
        raise VerificationError(f"folding: {verdict.text}; nothing is written")
    stored = {node.name: folded.get(index) for index, node in enumerate(made.nodes)}
    with together():
        tools.save(made, stored, target)
        write_output(output, api.dump(made).encode("utf-8", "surrogateescape"))
    print_changes([*deployed, *changes])
    print_note(f"{output}, {target}: {plural(len(changes), 'layer')} folded")
