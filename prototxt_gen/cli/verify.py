"""``resnet-proto verify``: check that a model computes what a net computes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from prototxt_gen.cli.against import READERS, RUNTIMES, by_reader, in_runtime, need_regular
from prototxt_gen.cli.idle import idle_with
from prototxt_gen.cli.layer_names import use_names, weights_options
from prototxt_gen.cli.options import (
    dialect_option,
    need_files,
    plugin_option,
    refuse,
    state_options,
)
from prototxt_gen.cli.output import print_note
from prototxt_gen.cli.precision import tolerance_options
from prototxt_gen.cli.tables import print_table
from prototxt_gen.cli.verify_inputs import inputs_of

if TYPE_CHECKING:
    from prototxt_gen.graph.fillers import Init
    from prototxt_gen.graph.phase import State
    from prototxt_gen.passes.deploy import Losses
    from prototxt_gen.verify import Comparison, Verdict

_OTHERS = (*RUNTIMES, *READERS)  #: than onnxruntime with a provider of the user's choice
_MODELS = ("onnx", *RUNTIMES, "opencv-4")  #: those that compute a model, if there is one


@click.command("verify", short_help="Compare a net with its ONNX model, blob by blob.")
@click.argument("net", metavar="NET")
@click.argument("weights", metavar="WEIGHTS")
@click.argument("model", required=False, metavar="[MODEL]")
@click.option(
    "--input",
    "given",
    multiple=True,
    metavar="[NAME=]FILE",
    help="Values of an input: .npy, .npz or an image. [default: random]",
)
@click.option(
    "--against",
    type=click.Choice(["onnx", *_OTHERS]),
    default="onnx",
    help="What to compare the reference with: onnx is MODEL in onnxruntime, blob by blob; "
    "onnxruntime-gpu the same on a GPU; openvino and opencv-5 compute MODEL, or the model that "
    "NET becomes, and opencv-4 does if there is a MODEL; else opencv-4 (or opencv) and caffe "
    "read NET themselves. [default: onnx]",
)
@click.option(
    "--provider",
    default="CPUExecutionProvider",
    metavar="NAME",
    help="The execution provider of onnxruntime, such as CUDAExecutionProvider.",
)
@click.option(
    "--outputs",
    metavar="BLOB,...",
    help="The --outputs that were given to convert. [default: all outputs]",
)
@click.option(
    "--losses",
    type=click.Choice(["auto", "keep", "head", "drop"]),
    default="auto",
    help="The --losses that the model was converted with. [default: auto]",
)
@tolerance_options
@partial(weights_options, seed="The seed of random inputs, and of --weights-init.")
@state_options
@dialect_option
@plugin_option
@click.option(
    "--all", "show_all", is_flag=True, help="Show every blob, not only those that differ."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@idle_with(show_all="as_json", provider=" ".join(f"against={one}" for one in _OTHERS))
def command(
    net: str,
    weights: str,
    model: str | None,
    given: tuple[str, ...],
    seed: int,
    against: str,
    provider: str,
    outputs: str | None,
    losses: Losses,
    within: dict[str, float | None],
    names: tuple[str, ...],
    weights_init: Init | None,
    state: State,
    dialect: str | None,
    show_all: bool,
    as_json: bool,
) -> int:
    """Compare what a net (NET, WEIGHTS) computes, layer by layer, with what MODEL computes.

    The net is computed with numpy. The first blob that differs is named, with its layer.
    Exit code 0: all blobs agree. 1: one differs. 2: they cannot be compared.

    NET may be a caffemodel alone, which contains the net too; WEIGHTS is then left out. A model
    that was converted with --map or --weights-init is compared with the same, and --seed. If NET
    is an ONNX model, WEIGHTS and MODEL are the prototxt and the caffemodel that were made from
    it, and the model is what they are compared with.

    \b
    resnet-proto verify deploy.prototxt net.caffemodel net.onnx
    resnet-proto verify deploy.prototxt net.caffemodel net.onnx --against openvino
    resnet-proto verify net.onnx net.prototxt net.caffemodel
    """
    from prototxt_gen import api
    from prototxt_gen import verify as proof
    from prototxt_gen.reading import is_onnx

    need_files(net, weights, model)
    alone = model is None and against in _MODELS and is_onnx(weights) and not is_onnx(net)
    ends = outputs.split(",") if outputs else []
    reads = against in READERS and (against != "opencv-4" or (model is None and not alone))
    if reads or is_onnx(net):
        refuse({"names", "weights_init"}, "is for a net and the model that it became")
    if given and weights_init is None:
        refuse({"seed"}, "goes with random inputs or --weights-init")
    if is_onnx(net):
        if model is None or against != "onnx" or losses != "auto":
            raise click.UsageError(
                f"{net} is an ONNX model; expected NET.onnx NET.prototxt NET.caffemodel, and no "
                "--against or --losses"
            )
        graph = api.read_caffe(weights, model, state=state, dialect=dialect)
        verdict = _of_model(net, graph, given, ends, seed, provider, within)
        return _show(verdict, as_json=as_json, show_all=show_all)
    if reads:
        refuse({"outputs", "losses"}, f"is for an ONNX model, and {against} reads NET itself")
        need_regular(against, net, weights)
    graph = api.read_caffe(net, None if alone else weights, state=state, dialect=dialect)
    use_names(graph, names)
    taken = weights if alone else model
    inputs = inputs_of(graph, given, None if reads else taken)
    if against not in ("onnx", *READERS) or (against == "opencv-4" and not reads):
        made = {"outputs": ends, "losses": losses, "weights_init": weights_init, "seed": seed}
        verdict = in_runtime(against, graph, taken, inputs, made, within)
    elif against == "onnx":
        model = weights if alone else model
        if model is None:
            raise click.UsageError(
                "there is no MODEL; give one to compare with, or --against opencv"
            )
        from prototxt_gen.engines import load
        from prototxt_gen.verify_model import is_int8

        verdict = proof.verify(
            graph,
            model,
            inputs,
            outputs=ends,
            losses=losses,
            seed=seed,
            provider=provider,
            rtol=within["rtol"],
            atol=within["atol"],
            weights_init=weights_init,
        )
        if not verdict.agrees and inputs is None and is_int8(load(model)):
            print_note(
                f"{model} is in int8, for inputs such as it was calibrated with; give one: --input"
            )
    elif model is not None:
        raise click.UsageError(f"--against {against} compares the net alone; leave out {model}")
    else:
        verdict = by_reader(against, net, weights, graph, inputs, seed, within)
    return _show(verdict, as_json=as_json, show_all=show_all)


def _of_model(
    model: str,
    graph: Any,
    given: tuple[str, ...],
    outputs: Sequence[str],
    seed: int,
    provider: str,
    within: dict[str, float | None],
) -> Verdict:
    """A net compared with the ONNX model that it was made from."""
    from prototxt_gen.verify_net import verify_net

    inputs = inputs_of(graph, given, model)
    return verify_net(model, graph, inputs, outputs=outputs, seed=seed, provider=provider, **within)


def _show(verdict: Verdict, *, as_json: bool, show_all: bool) -> int:
    if as_json:
        print(json.dumps(verdict.to_dict(), indent=2))
    else:
        print_verdict(verdict, show_all=show_all)
    return 0 if verdict.agrees else 1


def print_verdict(verdict: Verdict, *, show_all: bool = False) -> None:
    """Print the blobs that differ, or all, as a table, and the verdict in a line."""
    shown = [c for c in verdict.comparisons if show_all or not c.agrees]
    if shown:
        heads = ("blob", "layer", "shape", "absolute", "relative", "cosine", "")
        print_table(heads, [_row(c) for c in shown], (3, 4, 5))
    print_note(verdict.text)


def _row(comparison: Comparison) -> tuple[str, ...]:
    c = comparison
    shape = "x".join(map(str, c.shape)) or "scalar"
    if c.shape != c.other_shape:
        other = "x".join(map(str, c.other_shape)) or "scalar"
        return (c.blob, c.layer, f"{shape}, found {other}", "", "", "", "differs")
    figures = (f"{c.absolute:.2e}", f"{c.relative:.2e}", f"{c.cosine:.6f}")
    verdict = "" if c.agrees else "not finite" if c.blank else "differs"
    return (c.blob, c.layer, shape, *figures, verdict)
