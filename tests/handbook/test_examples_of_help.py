"""Each example of a command's --help has commands and options that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from prototxt_gen.cli import cli

PAGE = (Path(__file__).parents[2] / "docs/cli.md").read_text("utf-8")


def examples() -> Iterator[str]:
    """The commands of the page, without the lines of usage; each of a pipe alone."""
    for line in re.findall(r"^    (resnet-proto .*)$", PAGE, re.M):
        if "[OPTIONS]" not in line:
            yield from (part.strip() for part in line.partition(" > ")[0].split("|"))


@pytest.mark.parametrize("example", sorted(set(examples())))
def test_an_example_is_understood(example: str) -> None:
    parse(shlex.split(example)[1:])


@pytest.mark.parametrize("wrong", ["gen --depht 50", "genn", "convert a b -o c --layout wide"])
def test_one_with_a_mistake_is_not(wrong: str) -> None:
    with pytest.raises(click.UsageError):
        parse(shlex.split(wrong))


def parse(words: list[str]) -> None:
    """Read arguments as the command does, and run nothing."""
    context = click.Context(cli, info_name="resnet-proto")
    command: click.Command | None = cli
    rest = words
    while isinstance(command, click.Group):
        name, command, rest = command.resolve_command(context, rest)
        assert command is not None
    command.make_context(name, rest, parent=context)
