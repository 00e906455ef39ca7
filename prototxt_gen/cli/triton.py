"""``resnet-proto triton``: an ONNX model in a repository of the Triton inference server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from prototxt_gen.cli.options import Numbers, labels_option, need_files, need_own_files
from prototxt_gen.cli.output import print_note
from prototxt_gen.reading import is_onnx

if TYPE_CHECKING:
    from prototxt_gen.triton.config import Instances, Kind, Model, Options

_KINDS: dict[str, Kind] = {"auto": "KIND_AUTO", "cpu": "KIND_CPU", "gpu": "KIND_GPU"}


@click.command("triton", short_help="Put an ONNX model into a repository of Triton's.")
@click.argument("model", metavar="MODEL")
@click.argument("repository", metavar="REPO")
@click.option("--name", metavar="N", help="The model's name there. [default: that of the file]")
@click.option(
    "--model-version",
    "version",
    type=click.IntRange(1, 2**31 - 1),
    default=1,
    metavar="V",
    help="The version, a folder of its own. [default: 1]",
)
@labels_option
@click.option(
    "--max-batch",
    type=click.IntRange(1, 65536),
    default=8,
    metavar="N",
    help="The largest batch, where that of the model is free. [default: 8]",
)
@click.option(
    "--dynamic-batching/--no-dynamic-batching",
    "gather",
    default=True,
    help="Let Triton gather requests into batches. [default: dynamic-batching]",
)
@click.option(
    "--preferred-batch",
    "preferred",
    type=Numbers(),
    metavar="N,...",
    help="Sizes of batches that do not wait for more requests.",
)
@click.option(
    "--delay",
    type=click.IntRange(min=0),
    default=0,
    metavar="MICROSECONDS",
    help="How long a request may wait for others. [default: 0]",
)
@click.option(
    "--instances",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="How many instances of the model there are, on each GPU. [default: 1]",
)
@click.option(
    "--on",
    "kind",
    type=click.Choice(list(_KINDS)),
    help="What the instances run on. [default: Triton's own choice]",
)
@click.option("--gpus", type=Numbers(), metavar="N,...", help="The GPUs. [default: all]")
@click.option(
    "--tensorrt",
    type=click.Choice(["fp32", "fp16"]),
    help="Let TensorRT run the model on GPUs, with numbers of this precision.",
)
@click.option(
    "--workspace",
    type=click.IntRange(min=1),
    metavar="BYTES",
    help="With --tensorrt: the most GPU memory that it may use meanwhile. [default: 1 GiB]",
)
def command(
    model: str,
    repository: str,
    name: str | None,
    version: int,
    labels: str | None,
    max_batch: int,
    gather: bool,
    preferred: list[int] | None,
    delay: int,
    instances: int | None,
    kind: str | None,
    gpus: list[int] | None,
    tensorrt: Literal["fp32", "fp16"] | None,
    workspace: int | None,
) -> None:
    """Copy MODEL, an ONNX model, into the model repository REPO, as Triton wants it.

    It writes REPO/N/config.pbtxt, REPO/N/1/model.onnx with its weights, and the names of the
    classes as REPO/N/labels.txt; all of them or none. If the batch of the model is free, Triton
    gathers requests into batches; otherwise max_batch_size is 0, and a request has whole inputs.

    \b
    resnet-proto convert deploy.prototxt net.caffemodel -o net.onnx --batch dynamic
    resnet-proto triton net.onnx models --name net --max-batch 32 --tensorrt fp16
    """
    from prototxt_gen.triton.config import Batching, Options

    need_files(model, labels)
    if not is_onnx(model):
        raise click.UsageError(f"{model} is no ONNX model; make one with convert")
    name = name if name is not None else Path(model).stem
    need_name(name)
    _need_sense(gather, preferred, delay, max_batch, tensorrt, workspace, kind)
    options = Options(
        max_batch,
        Batching(tuple(preferred or ()), delay) if gather else None,
        _instances(instances, kind, gpus),
        _accelerator(tensorrt, workspace),
    )
    written, notes = put(model, Path(repository), name, options, version=version, labels=labels)
    for path in written:
        print_note(f"{path}: written")
    for note in notes:
        print_note(note)


def need_name(name: str) -> None:
    """Raise UsageError for what no model can be called in a repository."""
    from prototxt_gen.triton import repository as files

    if not files.is_name(name):
        raise click.UsageError(
            f"--name {name!r}: expected letters, digits, _, - and ., not first a dot"
        )


def put(
    model: str,
    repository: Path,
    name: str,
    options: Options | None = None,
    *,
    version: int = 1,
    labels: str | None = None,
) -> tuple[list[str], list[str]]:
    """Copy a model into a repository and describe it; the files, and what is to be said of them.

    ``labels`` is a file; None takes those of the model. Raises UsageError for files that would
    be overwritten and labels that no output has, UnsupportedError, and OSError.
    """
    from prototxt_gen.formats.labels import read_labels
    from prototxt_gen.inference.labels import labels_in
    from prototxt_gen.triton import repository as files
    from prototxt_gen.triton.config import Options, describe, render

    found, more = files.load(model)
    names = (
        read_labels(labels)
        if labels is not None
        else labels_in({entry.key: entry.value for entry in found.metadata_props})
    )
    options = replace(options or Options(), classes=len(names))
    made = describe(found, name, options)
    text = render(made)
    places = files.paths(repository, name, version, more)
    need_own_files([model, labels, *(str(Path(model).parent / n) for n in more)], map(str, places))
    if labels is not None and not any(value.labels for value in made.outputs):
        raise click.UsageError(
            f"{labels} has {len(names)} labels, and no output has that many classes"
        )
    used = names if any(value.labels for value in made.outputs) else []
    written = files.write(Path(model), more, repository, name, version, text, used)
    plugins = any(node.domain == "trt.plugins" for node in found.graph.node)
    return [str(path) for path in written], list(_notes(made, plugins, options))


def _need_sense(
    gather: bool,
    preferred: Sequence[int] | None,
    delay: int,
    max_batch: int,
    tensorrt: str | None,
    workspace: int | None,
    kind: str | None,
) -> None:
    """Raise UsageError for options that contradict each other."""
    if not gather and (preferred or delay):
        raise click.UsageError("--preferred-batch and --delay go with --dynamic-batching")
    for size in preferred or ():
        if not 1 <= size <= max_batch:
            raise click.UsageError(f"--preferred-batch {size}: expected 1 to {max_batch}")
    if workspace is not None and tensorrt is None:
        raise click.UsageError("--workspace goes with --tensorrt")
    if tensorrt is not None and kind == "cpu":
        raise click.UsageError("--tensorrt runs on GPUs, and --on cpu has none")


def _instances(count: int | None, kind: str | None, gpus: Sequence[int] | None) -> Instances | None:
    from prototxt_gen.triton.config import Instances

    if gpus is not None and kind == "cpu":
        raise click.UsageError("--gpus goes with --on gpu")
    if gpus is not None and (min(gpus) < 0 or len(set(gpus)) < len(gpus)):
        raise click.UsageError("--gpus: expected different numbers of 0 or more")
    if count is None and kind is None and gpus is None:
        return None
    known = _KINDS.get(kind or ("gpu" if gpus is not None else ""))
    return Instances(count or 1, known, tuple(gpus or ()))


def _accelerator(tensorrt: str | None, workspace: int | None) -> tuple[tuple[str, str], ...]:
    if tensorrt is None:
        return ()
    size = (("max_workspace_size_bytes", str(workspace)),) if workspace is not None else ()
    return (("precision_mode", tensorrt.upper()), *size)


def _notes(made: Model, plugins: bool, options: Options) -> Iterator[str]:
    if made.alone:
        yield f"max_batch_size is 0, so Triton makes no batches: {made.alone}"
    if plugins and not options.accelerator:
        yield "the model has operators that TensorRT alone computes; give --tensorrt"
