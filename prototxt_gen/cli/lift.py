"""``convert`` of an ONNX model: to a prototxt and a caffemodel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prototxt_gen._files import together, whole_file
from prototxt_gen._words import plural
from prototxt_gen.cli.options import as_json, need_own_files, need_places, write_output
from prototxt_gen.cli.output import print_changes, print_note
from prototxt_gen.errors import VerificationError

if TYPE_CHECKING:
    from prototxt_gen.fleet.ways import FromOnnx
    from prototxt_gen.restore.net import Restored


def lift_model(
    model: str,
    output: str,
    weights_out: str | None,
    report: str | None,
    way: FromOnnx,
    input_shapes: Mapping[str, tuple[int, ...]],
    outputs: Sequence[str],
) -> int:
    """Convert one model; both files and the report are written together or not at all."""
    from prototxt_gen import api

    if "-" in (output, weights_out):
        raise click.UsageError("a net has two files; give -o FILE.prototxt")
    if output.lower().endswith(".onnx"):
        raise click.UsageError(f"-o {output}: {model} is an ONNX model; give -o FILE.prototxt")
    weights = weights_out or str(Path(output).with_suffix(".caffemodel"))
    need_own_files([model], [output, weights, report])
    if weights_out is None and Path(weights).exists() and not Path(output).exists():
        # Not of an earlier call: perhaps what the model was made from.
        raise click.UsageError(
            f"{weights} would be overwritten, and {output} is not there, so that it is another "
            "net's; give --weights-out to name a file"
        )
    need_places([output, weights, report])
    made = api.from_onnx(
        model,
        target=way.target,
        input_shapes=input_shapes,
        outputs=outputs,
        restore=way.restore,
    )
    if way.verify:
        _prove(model, made, outputs)
    _write(made, output, weights, report)
    print_changes(made.changes)
    number = plural(len(made.graph.nodes), "layer")
    print_note(
        f"{output}, {weights}: {number} for {way.target or made.graph.dialect}; {_ends(made)}"
    )
    return 0


def _prove(model: str, made: Restored, outputs: Sequence[str]) -> None:
    """Raise VerificationError if the net does not compute what the model computes."""
    from prototxt_gen.cli.verify import print_verdict
    from prototxt_gen.verify_net import verify_net

    verdict = verify_net(model, made.graph, outputs=outputs)
    print_verdict(verdict)
    if not verdict.agrees:
        raise VerificationError("the net differs from the model; nothing is written")


def _write(made: Restored, output: str, weights: str, report: str | None) -> None:
    from prototxt_gen.fleet.ways import write_net

    with together():
        write_net(made.graph, output, weights)
        if report not in (None, "-"):
            with whole_file(report) as file:
                file.write(_report(made))
    if report == "-":
        write_output(report, _report(made))


def _report(made: Restored) -> bytes:
    graph = made.graph
    values = {
        "inputs": [ref.blob for ref in graph.inputs],
        "outputs": [ref.blob for ref in graph.outputs],
        "layers": [
            {"layer": node.name, "type": node.type, "tops": [top.blob for top in node.tops]}
            for node in graph.nodes
        ],
        "changes": [{"name": c.layer, "type": c.type, "what": c.what} for c in made.changes],
    }
    return as_json(values)


def _ends(made: Restored) -> str:
    from prototxt_gen.graph.check import checked
    from prototxt_gen.layers.parts.shapes import show

    shapes = checked(made.graph).blobs
    ends = (made.graph.inputs, made.graph.outputs)
    return " -> ".join(
        ", ".join(f"{ref.blob} {show(shapes[ref])}" for ref in refs) or "nothing" for refs in ends
    )
