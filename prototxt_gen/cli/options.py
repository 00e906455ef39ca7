"""Decorators and parameter types that several commands share."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from prototxt_gen.cli.idle import is_given, shown_as

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

MOST_ELEMENTS = 2**31 - 1  #: in a blob, and so along each axis (blob.cpp)
F = TypeVar("F", bound=Callable[..., Any])


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """Whole numbers separated by commas: ``3,4,6,3``."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[int]:
        """The numbers as a list."""
        if isinstance(value, list):
            return value
        items = [item.strip() for item in str(value).split(",")]
        for item in items:
            if not (item.isascii() and item.removeprefix("-").isdigit()) or len(item) > 20:
                self.fail(
                    f"{item!r} is not a whole number; expected numbers such as 3,4,6,3", param, ctx
                )
        return [int(item) for item in items]


class Decimals(click.ParamType):  # type: ignore[type-arg]
    """Numbers separated by commas: ``1,0.5``."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[float]:
        """The numbers as a list."""
        if isinstance(value, list):
            return value
        try:
            return [float(item) for item in str(value).split(",")]
        except ValueError:
            self.fail(f"{value!r}: expected numbers such as 1,0.5", param, ctx)


InputShape = tuple[str, tuple[int, ...]]


class NamedShape(click.ParamType):  # type: ignore[type-arg]
    """An input and its shape: ``data=1,3,224,224``."""

    name = "shape"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> InputShape:
        """The name and the dimensions."""
        if isinstance(value, tuple):
            return value
        name, found, numbers = str(value).rpartition("=")
        if not found or not name:
            self.fail(f"{value!r}: expected NAME=N,C,H,W", param, ctx)
        dims = tuple(Numbers().convert(numbers, param, ctx))
        if any(not 0 <= dim <= MOST_ELEMENTS for dim in dims):
            self.fail(f"{numbers}: expected 0 to {MOST_ELEMENTS}", param, ctx)
        return name, dims


class FreeShape(click.ParamType):  # type: ignore[type-arg]
    """An input and its dimensions, some of them names: ``data=1,3,H,W``."""

    name = "free shape"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int | str, ...]]:
        """The name and the dimensions."""
        if isinstance(value, tuple):
            return value
        name, found, text = str(value).rpartition("=")
        dims: list[int | str] = []
        for dim in text.split(","):
            whole = dim.isascii() and dim.isdigit() and 0 < int(dim[:12]) <= MOST_ELEMENTS
            if not whole and not (dim.isascii() and dim.isidentifier()):
                found = ""
            dims.append(int(dim) if whole else dim)
        if not found or not name or not any(isinstance(dim, str) for dim in dims):
            wanted = "NAME= and for each axis a number, or a name where it is free, as data=1,3,H,W"
            self.fail(f"{value!r}: expected {wanted}", param, ctx)
        return name, tuple(dims)


class Dialect(click.ParamType):  # type: ignore[type-arg]
    """The names of dialects, with commas; the schemas are loaded when one is given."""

    name = "dialect"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The names, each once, if there are such dialects."""
        from prototxt_gen.formats.dialects import KNOWN, names_of
        from prototxt_gen.generate.checks import unknown

        try:
            return ",".join(names_of(str(value)))
        except KeyError as error:
            self.fail(unknown("dialect", error.args[0], KNOWN), param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The dialects that begin with the text after the last comma."""
        from click.shell_completion import CompletionItem

        from prototxt_gen.formats.dialects import KNOWN

        before, comma, last = incomplete.rpartition(",")
        return [CompletionItem(before + comma + name) for name in KNOWN if name.startswith(last)]


def output_option(command: F) -> F:
    """``-o FILE``: where to write; standard output if it is absent or ``-``."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(dir_okay=False),
        default="-",
        help="Write to FILE, whole or not at all. [default: standard output]",
        metavar="FILE",
    )(command)


def dialect_option(command: F) -> F:
    """``--dialect`` and ``--proto``: which Caffe's fields a prototxt may have.

    The command gets either as one argument, ``dialect``.
    """

    @wraps(command)
    def with_dialect(*args: Any, dialect: str | None, proto: str | None, **more: Any) -> Any:
        if proto is not None:
            if dialect is not None:
                raise click.UsageError("--dialect and --proto exclude each other; give one")
            from prototxt_gen import api

            dialect = api.load_proto(proto)
        return command(*args, dialect=dialect, **more)

    own = click.option(
        "--proto",
        metavar="FILE",
        help="Read by the schema of your own Caffe: its caffe.proto. Needs grpcio-tools.",
    )
    known = click.option(
        "--dialect",
        type=Dialect(),
        help="Read by the schema of one Caffe, or of one among several: bvlc, bvlc-1.0, ssd, "
        "nvcaffe... [default: any that fits]",
        metavar="NAME,...",
    )
    return cast(F, known(own(with_dialect)))


def plugin_option(command: F) -> F:
    """``--plugin FILE``: the user's own layer types, loaded before anything is read."""

    def load(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> None:
        from prototxt_gen.layers import load_layers

        for path in value:
            load_layers(path)

    return click.option(
        "--plugin",
        multiple=True,
        metavar="FILE",
        callback=load,
        expose_value=False,
        is_eager=True,
        help="Load layer types of your own from a Python file; may be repeated.",
    )(command)


def state_options(command: F) -> F:
    """``--phase``, ``--stage`` and ``--level``: the state that the rules of layers apply to.

    The command gets them as one argument, ``state``.
    """
    return _with_state(command, "TEST", "0")


def any_state_options(command: F) -> F:
    """The same options; ``state`` is None, for all states, where none of them is given."""
    return _with_state(command, None, None)


def _with_state(command: F, usual_phase: str | None, usual_level: str | None) -> F:
    @wraps(command)
    def with_state(
        *args: Any, phase: str | None, stages: tuple[str, ...], level: int | None, **more: Any
    ) -> Any:
        from prototxt_gen.graph.phase import State

        state = State("TRAIN" if phase == "TRAIN" else "TEST", frozenset(stages), level or 0)
        given = phase is not None or stages or level is not None
        return command(*args, state=state if given else None, **more)

    level = click.option(
        "--level",
        type=int,
        default=usual_level,
        metavar="N",
        help=f"The level of the net. [default: {usual_level or 'all'}]",
    )
    stage = click.option(
        "--stage",
        "stages",
        multiple=True,
        metavar="NAME",
        help="A stage of the net; may be repeated.",
    )
    phase = click.option(
        "--phase",
        type=click.Choice(["TEST", "TRAIN"], case_sensitive=False),
        default=usual_phase,
        help=f"The phase of the net. [default: {usual_phase or 'all'}]",
    )
    return cast(F, phase(stage(level(with_state))))


def input_shape_option(command: F) -> F:
    """``--input-shape NAME=N,C,H,W``: a shape that replaces the net's."""
    return click.option(
        "--input-shape",
        "input_shapes",
        type=NamedShape(),
        multiple=True,
        metavar="NAME=N,C,H,W",
        help="The shape of an input, instead of the net's own; may be repeated.",
    )(command)


def labels_option(command: F) -> F:
    """``--labels FILE``: the names of the classes, instead of the model's own."""
    return click.option(
        "--labels",
        metavar="FILE",
        help="The names of the classes: one a line, synset_words.txt, or SSD's "
        "labelmap.prototxt. [default: the model's own]",
    )(command)


def weights_init_options(command: F, seed: str) -> F:
    """``--weights-init`` and ``--seed``: how to make the weights that no file has.

    ``seed`` says what the seed is of.
    """
    own_seed = click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help=f"{seed} [default: 0]",
    )
    init = click.option(
        "--weights-init",
        type=click.Choice(["fillers", "zeros", "random"]),
        help="Create weights that no file has: by the net's fillers, as zeros, or at random.",
    )
    return init(own_seed(command))


def refuse(params: Collection[str], why: str) -> None:
    """Raise UsageError for an option or argument that was given, and ``why`` it cannot be."""
    context = click.get_current_context()
    for param in context.command.params:
        if param.name in params and is_given(context, param.name):
            raise click.UsageError(f"{shown_as(context, param.name)} {why}")


def need_files(*inputs: str | None) -> None:
    """Raise OSError for the first input that does not exist; None and ``-`` are not files."""
    for path in inputs:
        if path not in (None, "-"):
            os.stat(path)


def need_own_files(inputs: Sequence[str | None], outputs: Iterable[str | None]) -> None:
    """Raise UsageError if an output would overwrite an input or another output.

    None and ``-`` are not files; devices, pipes and folders may be named twice. An input that
    does not exist is an OSError, before anything is said about an output.
    """
    need_files(*inputs)
    taken = {_file(path): "an input" for path in inputs}
    taken.pop(None, None)
    for path in outputs:
        file = _file(path)
        if file is None:
            continue
        if file in taken:
            raise click.UsageError(f"{path}: would overwrite {taken[file]}")
        taken[file] = "another output"


def need_places(paths: Iterable[str | None], but_in: Collection[Path] = ()) -> None:
    """Raise OSError for the first path that cannot be written; folders to come are passed over.

    None and ``-`` are not files.
    """
    from prototxt_gen._files import need_place

    later = {os.path.realpath(folder) for folder in but_in if not folder.exists()}
    for path in paths:
        if path not in (None, "-") and os.path.dirname(os.path.realpath(path)) not in later:
            need_place(path)


def as_json(values: object) -> bytes:
    """Values as a text for people and programs."""
    import json

    return (json.dumps(values, indent=2) + "\n").encode()


def _file(path: str | None) -> Hashable:
    """An identity that two paths of one file share; None for anything else."""
    if path is None or path == "-":
        return None
    try:
        state = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return (state.st_dev, state.st_ino) if stat.S_ISREG(state.st_mode) else None


def write_output(path: str, data: bytes) -> None:
    """Write a command's result to a file or to standard output."""
    write_parts(path, (data,))


def write_parts(path: str, parts: Iterable[bytes]) -> None:
    """The same of a result that comes bit by bit."""
    if path == "-":
        sys.stdout.buffer.writelines(parts)
        sys.stdout.buffer.flush()
        return
    from prototxt_gen._files import whole_file

    with whole_file(path) as file:
        for part in parts:
            file.write(part)
