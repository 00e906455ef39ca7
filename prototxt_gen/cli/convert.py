"""``resnet-proto convert``: a Caffe net as an ONNX model."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from prototxt_gen.cli.options import (
    InputShape,
    dialect_option,
    input_shape_option,
    need_own_files,
    plugin_option,
    state_from,
    state_options,
    write_output,
)
from prototxt_gen.cli.output import print_changes, print_table, progress

if TYPE_CHECKING:
    from prototxt_gen.fleet.batch import Way
    from prototxt_gen.to_onnx.export import Exported


class BatchSize(click.ParamType):  # type: ignore[type-arg]
    """A number, or ``dynamic``."""

    name = "batch"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """The number, or the word."""
        if value == "dynamic" or isinstance(value, int):
            return value
        text = str(value)
        if not (text.isascii() and text.isdigit() and 0 < int(text[:10]) < 2**31):
            self.fail(f"{text!r}: expected a number from 1 on, or dynamic", param, ctx)
        return int(text)


@click.command("convert", short_help="Convert a Caffe net to ONNX.")
@click.argument("net", metavar="NET")
@click.argument("weights", required=False, metavar="[WEIGHTS]")
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help="The ONNX file to write, or for a folder the folder.",
)
@click.option("--opset", type=int, default=17, metavar="N", help="From 11 on. [default: 17]")
@click.option(
    "--batch",
    type=BatchSize(),
    metavar="N|dynamic",
    help="Another batch, or one that is free. [default: that of the net]",
)
@input_shape_option
@click.option(
    "--outputs",
    metavar="BLOB,...",
    help="The blobs to compute; what they do not need is left out. [default: the net's outputs]",
)
@click.option("--until", metavar="BLOB", help="The same for one blob.")
@state_options
@click.option(
    "--losses",
    type=click.Choice(["auto", "keep", "head", "drop"]),
    default="auto",
    help="Losses: computed where the user gives the label, else their head. [default: auto]",
)
@click.option("--fold/--no-fold", default=True, help="Fold BatchNorm and Scale. [default: fold]")
@click.option(
    "--weights-init",
    type=click.Choice(["fillers", "zeros", "random"]),
    help="Make weights where no file has them: by the net's fillers, zeros, or random ones.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, metavar="N", help="For these. [default: 0]"
)
@click.option("--external-data", is_flag=True, help="Put the weights into FILE.data.")
@click.option("--verify", is_flag=True, help="Compare the model with numpy before it is written.")
@click.option(
    "--report", metavar="FILE", help="Write what became of each layer, or net of a folder, as JSON."
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=1,
    metavar="N",
    help="For a folder: convert so many nets at once. [default: 1]",
)
@dialect_option
@plugin_option
def command(
    net: str,
    weights: str | None,
    output: str,
    opset: int,
    batch: int | Literal["dynamic"] | None,
    input_shapes: Sequence[InputShape],
    outputs: str | None,
    until: str | None,
    phase: str,
    stages: tuple[str, ...],
    level: int,
    losses: Literal["auto", "keep", "head", "drop"],
    fold: bool,
    weights_init: Literal["fillers", "zeros", "random"] | None,
    seed: int,
    external_data: bool,
    verify: bool,
    report: str | None,
    jobs: int,
    dialect: str | None,
) -> int:
    """Convert a Caffe net, NET (prototxt) and WEIGHTS (caffemodel), to an ONNX model.

    NET may be a caffemodel alone, which holds the net too. The model computes what Caffe
    computes; a net that cannot be converted whole is refused, with all reasons.

    NET may be a folder, and then FILE is one: all nets of it are converted, each with the
    caffemodel beside it. What is up to date is left alone. Exit code 1: some failed.

    \b
    resnet-proto convert deploy.prototxt net.caffemodel -o net.onnx
    resnet-proto convert deploy.prototxt net.caffemodel -o net.onnx --batch dynamic
    resnet-proto convert models -o onnx --jobs 4
    """
    from prototxt_gen import api
    from prototxt_gen.fleet.batch import Way
    from prototxt_gen.to_onnx.convert import Conversion, convert
    from prototxt_gen.to_onnx.export import Options
    from prototxt_gen.to_onnx.write import write_model

    if Path(net).is_dir():
        alone = {"WEIGHTS": weights, "--outputs": outputs, "--until": until}
        for name, value in {**alone, "--input-shape": input_shapes}.items():
            if value:
                raise click.UsageError(f"{name} is for one net, and {net} is a folder")
        options = {"opset": opset, "batch": batch, "losses": losses, "fold": fold, "seed": seed}
        way = Way(
            {**options, "weights_init": weights_init},
            state_from(phase, stages, level),
            dialect,
            verify,
            external_data,
        )
        return _folder(Path(net), Path(output), way, jobs, report)
    if output == "-":
        raise click.UsageError("an ONNX model goes into a file; give -o FILE")
    need_own_files([net, weights], [output, f"{output}.data", report])
    asked_for = [*(outputs.split(",") if outputs else ()), *([until] if until else ())]
    names = tuple(dict.fromkeys(asked_for))
    graph = api.read_caffe(net, weights, state=state_from(phase, stages, level), dialect=dialect)
    asked = Conversion(
        Options(opset, batch, names), dict(input_shapes), losses, fold, weights_init, seed
    )
    made = convert(graph, asked)
    if verify:
        _prove(made)
    files = write_model(made, output, external_data=external_data)
    print_changes(made.changes)
    if report is not None:
        text = json.dumps(_report(made, opset), indent=2)
        write_output(report, (text + "\n").encode())
    if find_spec("onnxruntime") is None:
        print(
            "not loaded to see that it can be, as onnxruntime is not installed: "
            "pip install 'resnet-proto[verify]'",
            file=sys.stderr,
        )
    print(
        f"{', '.join(files)}: {len(made.skeleton.graph.node)} nodes, opset {opset}; "
        f"{_described(made.skeleton.graph.input)} -> {_described(made.skeleton.graph.output)}",
        file=sys.stderr,
    )
    return 0


def _folder(folder: Path, out: Path, way: Way, jobs: int, report: str | None) -> int:
    """Convert a folder; a progress bar on a terminal, else a line for each net."""
    from prototxt_gen.fleet import batch as fleet
    from prototxt_gen.fleet.manifest import MANIFEST

    found = list(fleet.find(folder, out))
    if not found:
        raise click.UsageError(f"no net in {folder}")
    made = [path for job in found for path in (job.target, f"{job.target}.data")]
    need_own_files(
        [path for job in found for path in (job.net, job.weights)],
        [*made, str(out / MANIFEST), report],
    )
    with progress("converting", len(found)) as step:
        outcomes = fleet.convert_all(
            folder, out, way, jobs=jobs, done=lambda o: step(f"{o.name}: {o.status}")
        )
    print_table(("net", "", ""), [(o.name, o.status, o.why) for o in outcomes])
    if report is not None:
        nets = [{"net": o.name, "status": o.status, "why": o.why} for o in outcomes]
        write_output(report, (json.dumps({"nets": nets}, indent=2) + "\n").encode())
    counts = Counter(outcome.status for outcome in outcomes)
    print(", ".join(f"{number} {status}" for status, number in counts.items()), file=sys.stderr)
    return int(any(outcome.status == fleet.FAILED for outcome in outcomes))


def _prove(made: Exported) -> None:
    """Raise VerificationError where the model does not compute what the net does."""
    from prototxt_gen.cli.verify import print_verdict
    from prototxt_gen.errors import VerificationError
    from prototxt_gen.verify import verify_export

    verdict = verify_export(made)
    print_verdict(verdict)
    if not verdict.agrees:
        raise VerificationError("the model differs from the net; nothing is written")


def _report(made: Exported, opset: int) -> dict[str, object]:
    changed = {(change.layer, change.type) for change in made.changes}
    kept = [
        {"layer": node.name, "type": node.type, "what": "converted"}
        for node in made.graph.nodes
        if (node.name, node.type) not in changed
    ]
    changes = [{"layer": c.layer, "type": c.type, "what": c.what} for c in made.changes]
    return {
        "opset": opset,
        "inputs": [value.name for value in made.skeleton.graph.input],
        "outputs": [value.name for value in made.skeleton.graph.output],
        "layers": [*kept, *changes],
    }


def _described(values: object) -> str:
    shown = []
    for value in values:  # type: ignore[attr-defined]
        dims = value.type.tensor_type.shape.dim
        shape = "x".join(dim.dim_param or str(dim.dim_value) for dim in dims)
        shown.append(f"{value.name} {shape or 'scalar'}")
    return ", ".join(shown)
