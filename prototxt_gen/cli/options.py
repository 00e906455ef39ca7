"""Decorators and parameter types that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """Whole numbers with commas between them: ``3,4,6,3``."""

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
                self.fail(f"{item!r} is no whole number; expected a form like 3,4,6,3", param, ctx)
        return [int(item) for item in items]


class Dialect(click.ParamType):  # type: ignore[type-arg]
    """The name of a dialect; the schemas are loaded when one is given."""

    name = "dialect"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name as it is, if there is such a dialect."""
        from prototxt_gen.formats.dialects import DIALECTS
        from prototxt_gen.generate.spec import unknown

        if value not in DIALECTS:
            self.fail(unknown("dialect", value, DIALECTS), param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The dialects that begin so."""
        from prototxt_gen.formats.dialects import DIALECTS

        return [CompletionItem(name) for name in DIALECTS if name.startswith(incomplete)]


def output_option(command: F) -> F:
    """``-o FILE``: where to write; standard output where it is not given, or ``-``."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(dir_okay=False),
        default="-",
        help="Write to FILE, whole or not at all. [default: standard output]",
        metavar="FILE",
    )(command)


def dialect_option(command: F) -> F:
    """``--dialect``: whose fields a prototxt may have."""
    return click.option(
        "--dialect",
        type=Dialect(),
        help="Read by the schema of one Caffe: bvlc, ssd, nvcaffe... [default: any that fits]",
        metavar="NAME",
    )(command)


def write_output(path: str, data: bytes) -> None:
    """Write a command's result to a file or to standard output."""
    if path == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    from prototxt_gen._files import whole_file

    with whole_file(path) as file:
        file.write(data)
