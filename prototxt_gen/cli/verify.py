"""``resnet-proto verify``: check that a model computes what a net computes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prototxt_gen.cli.against import READERS, RUNTIMES, by_reader, in_runtime, need_regular
from prototxt_gen.cli.layer_names import map_option, use_names
from prototxt_gen.cli.options import (
    dialect_option,
    need_files,
    plugin_option,
    state_options,
)
from prototxt_gen.cli.output import print_note
from prototxt_gen.cli.precision import tolerance_options
from prototxt_gen.cli.tables import print_table
from prototxt_gen.errors import VerificationError

if TYPE_CHECKING:
    from prototxt_gen.graph.phase import State
    from prototxt_gen.layers.parts.shapes import Shape
    from prototxt_gen.passes.deploy import Losses
    from prototxt_gen.passes.preprocessing import Preprocessing
    from prototxt_gen.verify import Comparison, Verdict


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
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="The seed of random inputs. [default: 0]",
)
@click.option(
    "--against",
    type=click.Choice(["onnx", *RUNTIMES, *READERS]),
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
@map_option
@state_options
@dialect_option
@plugin_option
@click.option(
    "--all", "show_all", is_flag=True, help="Show every blob, not only those that differ."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
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
    state: State,
    dialect: str | None,
    show_all: bool,
    as_json: bool,
) -> int:
    """Compare what a net (NET, WEIGHTS) computes, layer by layer, with what MODEL computes.

    The net is computed with numpy. The first blob that differs is named, with its layer.
    Exit code 0: all blobs agree. 1: one differs. 2: they cannot be compared.

    NET may be a caffemodel alone, which contains the net too; WEIGHTS is then left out. If NET
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
    own = against == "onnx" or against in RUNTIMES
    alone = model is None and own and is_onnx(weights) and not is_onnx(net)
    ends = outputs.split(",") if outputs else []
    reads = against in READERS and (against != "opencv-4" or model is None)
    if names and (reads or is_onnx(net)):
        raise click.UsageError("--map is for a net and the model that it became")
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
        need_regular(against, net, weights)
    graph = api.read_caffe(net, None if alone else weights, state=state, dialect=dialect)
    use_names(graph, names)
    taken = weights if alone else model
    inputs = _inputs(graph, given, None if reads else taken)
    if against not in ("onnx", *READERS) or (against == "opencv-4" and not reads):
        verdict = in_runtime(against, graph, taken, inputs, ends, losses, seed, within)
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

    inputs = _inputs(graph, given, model)
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


def _inputs(graph: Any, given: tuple[str, ...], model: str | None = None) -> dict[str, Any] | None:
    """The values in the given files, which are the model's if there is one; None for no file."""
    if not given:
        return None
    taken, done = ({}, {}) if model is None else _taken(model)
    # The data layers of a net for training became the model's inputs.
    names = [ref.blob for ref in graph.inputs] or list(taken)
    found: dict[str, Any] = {}
    for item in given:
        name, equals, path = item.rpartition("=")
        if not equals:
            if len(names) != 1:
                some = ", ".join(f"{n}=FILE" for n in names) or "NAME=FILE"
                raise click.UsageError(f"--input {item}: expected one of {some}")
            name = names[0]
        if name not in names:
            raise click.UsageError(f"the net has no input {name!r}; it has {', '.join(names)}")
        suffix = Path(path).suffix
        if suffix not in (".npy", ".npz"):
            found[name] = _image(graph, name, path, taken.get(name, ()), done.get(name))
            continue
        found.update(_arrays(path, suffix, name))
    return found


def _taken(model: str) -> tuple[dict[str, Shape], dict[str, Preprocessing]]:
    """What a model gives the net for each input, None for a free size, and the preprocessing."""
    from prototxt_gen.engines import load
    from prototxt_gen.to_onnx.sizes import input_shapes
    from prototxt_gen.verify_model import pictures_of

    found = load(model)
    pictures = pictures_of(found)
    return pictures.inner(input_shapes(found)), dict(pictures.done)


def _arrays(path: str, suffix: str, name: str) -> dict[str, Any]:
    """The arrays of an npz file by their names, or that of an npy file by the name given."""
    from prototxt_gen.formats.binary.npz import read_npy, read_npz

    with open(path, "rb") as file:
        try:
            if suffix == ".npz":
                return read_npz(file)
            return {name: read_npy(file, os.fstat(file.fileno()).st_size, name)}
        except ValueError as error:
            words = f"is no {suffix[1:]} file of numbers: {error}"
            raise VerificationError(f"{path}: {words}") from error


def _image(graph: Any, name: str, path: str, taken: Shape, done: Preprocessing | None) -> Any:
    """An image as Caffe's tools give it: blue, green, red from 0 to 255, of the input's size.

    A model with preprocessing gets it as it takes it.
    """
    import numpy as np

    from prototxt_gen import api
    from prototxt_gen.inference.images import Frame, open_picture, values
    from prototxt_gen.layers.parts.shapes import show

    shapes = {
        top: shape
        for row in api.summarize(graph).rows
        for top, shape in zip(row.tops, row.shapes, strict=False)
    }
    shape = shapes.get(name) or ()
    if len(shape) == len(taken):
        shape = tuple(ours or own for ours, own in zip(taken, shape, strict=True))
    if len(shape) != 4 or shape[1] not in (1, 3):
        raise VerificationError(f"the input {name!r} is {show(shape)}, which an image does not fit")
    channels, height, width = (dim or 1 for dim in shape[1:])
    frame = Frame(channels, height, width)
    if done is not None and (done.size or done.resize):
        # One that the model resizes goes in as it is.
        frame = Frame(channels, *(done.size or (None, None)))
    one = values(open_picture(path, channels), frame)
    pixels = np.repeat(one[None], shape[0] or 1, axis=0)
    return np.ascontiguousarray(pixels) if done is None else done.as_taken(pixels)
