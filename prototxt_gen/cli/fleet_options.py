"""How each model of a fleet is made: the options of ``convert``, and those of a row of a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from prototxt_gen import _limits
from prototxt_gen.cli.convert import GOES_WITH
from prototxt_gen.cli.convert import command as convert
from prototxt_gen.cli.idle import need_others
from prototxt_gen.cli.layer_names import pairs_of
from prototxt_gen.cli.options import refuse
from prototxt_gen.cli.precision import taken_precision

if TYPE_CHECKING:
    from prototxt_gen.fleet.ways import ToOnnx

F = TypeVar("F", bound=Callable[..., Any])

#: Of ``convert``: for the files of one net, or from ONNX; the fleet has its own.
_OF_ONE = {"net", "weights", "output", "to", "report", "jobs"}
_OF_ONE |= {"target", "weights_out", "restore", "dialect", "proto", "verify", "triton", "served"}
#: What only a row of a plan may say.
_OF_ROW = {"input_shapes", "dynamic", "outputs", "until", "names"}
_PRECISION = {"fp16", "int8", "least_cosine"}
_STATE = {"phase", "stages", "level"}
#: Of the command, what says how work is done.
_OF_RUN = {"task", "verify", "jobs", "scheduler", "patience", "retries", "timeout", "memory"}
_OF_RUN |= {"cache"}
#: Of ``convert``, what ``--task verify`` has to know of a model that was made.
_OF_MADE = {"losses", "weights_init", "seed", "fp16", "int8"}


class Size(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes: ``4G``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        if isinstance(value, int):
            return value
        try:
            return _limits.size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def conversion_options(command: F) -> F:
    """The options of ``convert`` that hold for all models."""
    for param in reversed(_params(_OF_ONE | _OF_ROW | _STATE)):
        command.__dict__.setdefault("__click_params__", []).append(param)
    return command


def need_used(task: str, source: str, *, planned: bool, plans: bool) -> None:
    """Raise UsageError for an option that the task does not use.

    ``planned`` is a source that is a plan; ``plans`` where nothing is asked for but a plan.
    """
    conversion = {one.name for one in _params(_OF_ONE | _OF_ROW | _STATE) if one.name is not None}
    if plans:
        words = "is for the run, and --plan only writes what belongs together; a row has options"
        refuse((conversion | _OF_RUN) - {"weights_init"}, words)
    elif task != "convert":
        used = _OF_MADE if task == "verify" else set()
        refuse((conversion | {"verify"}) - used, f"changes nothing with --task {task}")
    if planned:
        of_plan = {"snapshots"}
        if plans:
            of_plan |= {"weights_init", "dialect", "proto"}
        if plans or task == "validate":
            of_plan |= _STATE
        refuse(of_plan, f"is for a folder, and {source} is a plan")


def of_row(words: Sequence[str], way: ToOnnx, where: str) -> ToOnnx:
    """A way with the options of a row; raises UsageError."""
    from dataclasses import replace

    from prototxt_gen.graph.phase import State

    row = click.Command("options", params=_params(_OF_ONE), add_help_option=False)
    try:
        context = row.make_context("options", list(words))
        # Which precision there is, is seen below.
        need_others(context, GOES_WITH, {**way.options, "fp16": True})
    except click.UsageError as error:
        raise click.UsageError(f"options of {where}: {error.format_message()}") from error
    given = {
        name: value
        for name, value in context.params.items()
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    phase = given.pop("phase", way.state.phase)
    stages = given.pop("stages", None)
    level = given.pop("level", way.state.level)
    state = State(phase, way.state.stages if stages is None else frozenset(stages), level)
    outside = given.pop("external_data", way.external_data)
    precision = taken_precision(given) if _PRECISION & given.keys() else way.precision
    names = pairs_of(given.pop("names", ()))
    return replace(
        way,
        options=_options(way.options, given),
        state=state,
        external_data=outside,
        precision=precision,
        names=names,
    )


def _options(before: Mapping[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The options of ``api.convert`` with those of a row."""
    asked = [*(given.pop("outputs", None) or "").split(","), given.pop("until", None)]
    names = tuple(dict.fromkeys(name for name in asked if name))
    more: dict[str, Any] = {"outputs": names} if names else {}
    for option in ("input_shapes", "dynamic"):
        if sizes := given.pop(option, None):
            more[option] = dict(sizes)
    return {**before, **given, **more}


def _params(but: set[str]) -> list[click.Parameter]:
    """The options of ``convert`` but some; those that give nothing, as --plugin, are not among."""
    return [one for one in convert.params if one.name not in but and one.expose_value]
