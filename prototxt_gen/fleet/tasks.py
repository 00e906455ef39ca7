"""The tasks of a fleet: to convert a model, to verify one that is there, to validate a net."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Severity, render
from prototxt_gen.errors import VerificationError
from prototxt_gen.fleet.jobs import Job
from prototxt_gen.fleet.ways import ToOnnx
from prototxt_gen.passes.deploy import as_lines

if TYPE_CHECKING:
    import onnx

_MOST_NOTES = 200  #: of a net
_INT8 = "; it is in int8, and may fit only inputs such as it was calibrated with: --int8 FOLDER"


@dataclass(frozen=True)
class Files:
    """The files of a model on this machine, with the model that is to be verified."""

    job: Job
    model: str | None = None


@dataclass(frozen=True)
class Result:
    """What came of a task: the files that were made, what was found, and whether that is sound."""

    files: tuple[str, ...] = ()
    verdict: str = ""
    notes: tuple[str, ...] = ()
    sound: bool = True


def convert(name: str, way: ToOnnx, files: Files) -> Result:
    """Make the model of a net; raises PrototxtError and OSError."""
    made = way.convert(files.job)
    return Result(tuple(made.files), made.verdict, tuple(as_lines(made.changes)))


def verify(name: str, way: ToOnnx, files: Files) -> Result:
    """Compare a model that is there with its net; raises VerificationError where it differs.

    The way is that in which the model was made. One in int8 is given the first batch of the images
    of the way, if it has any.
    """
    from prototxt_gen import verify as proof
    from prototxt_gen.engines import load

    model = load(files.model or files.job.target)
    numbers = _need_numbers(model, way)
    inputs = _first_images(model, way)
    verdict = proof.verify(
        way.read(files.job),
        model,
        inputs,
        outputs=way.options.get("outputs", ()),
        losses=way.options.get("losses", "auto"),
        weights_init=way.options.get("weights_init"),
        seed=way.options.get("seed", 0),
    )
    if not verdict.agrees:
        words = f"the model {verdict.text}"
        if numbers == "int8" and inputs is None:
            words += _INT8
        raise VerificationError(words)
    return Result((), verdict.text)


def _need_numbers(model: onnx.ModelProto, way: ToOnnx) -> str:
    """The numbers of a model; raises VerificationError where others were asked for."""
    from prototxt_gen.verify_model import numbers_of

    found = numbers_of(model)
    asked = way.precision.kind if way.precision is not None else None
    if asked is not None and found != {"fp16": "float16", "int8": "int8"}[asked]:
        raise VerificationError(f"the model is in {found}, and --{asked} is asked for")
    return found


def _first_images(model: onnx.ModelProto, way: ToOnnx) -> Mapping[str, Any] | None:
    """A batch of the images that a model was calibrated with; None where there are none."""
    if way.precision is None or not way.precision.images:
        return None
    from prototxt_gen.precision import pictured
    from prototxt_gen.verify_model import pictures_of

    return next(pictured(model, pictures_of(model).done.values(), way.precision.images))


def validate(name: str, way: ToOnnx, files: Files) -> Result:
    """Report what Caffe would refuse of a net, and of its weights."""
    from prototxt_gen.formats.binary.caffemodel import read_caffemodel
    from prototxt_gen.lint.engine import lint
    from prototxt_gen.lint.settings import Settings
    from prototxt_gen.reading import read_source, saved_net

    job = files.job
    text = job.net if job.net.endswith(".prototxt") else None
    source = read_source(text) if text else saved_net(job.net, way.dialect) or read_source(job.net)
    weights = read_caffemodel(job.weights) if job.weights else None
    found = lint(source, Settings(dialect=way.dialect), weights)
    shown = [render(one, found.source) for one in found.found[:_MOST_NOTES]]
    errors, warnings = found.count(Severity.ERROR), found.count(Severity.WARNING)
    verdict = f"{plural(errors, 'error')}, {plural(warnings, 'warning')}"
    if errors:
        verdict += f": {next(line for line in shown if ': error: ' in line)}"
    return Result((), verdict, tuple(shown), not errors)


TASKS: dict[str, Callable[[str, ToOnnx, Files], Result]] = {
    "convert": convert,
    "verify": verify,
    "validate": validate,
}


def made_of(out: str, name: str) -> Path:
    """Where the model of a name is, on this machine."""
    return Path(out) / f"{name}.onnx"
