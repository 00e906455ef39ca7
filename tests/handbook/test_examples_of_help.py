"""Commands that are shown, in --help and in sentences, have options that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
import pytest

from prototxt_gen.cli import cli

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/cli.md").read_text("utf-8")


def examples() -> Iterator[str]:
    """The commands of the page, without the lines of usage; each of a pipe alone."""
    for line in re.findall(r"^    (resnet-proto .*)$", PAGE, re.M):
        if "[OPTIONS]" not in line:
            yield from (part.strip() for part in line.partition(" > ")[0].split("|"))


def mentioned() -> Iterator[str]:
    """Commands in sentences of README and all pages; an argument may be missing there."""
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.S | re.M)
        yield from re.findall(r"`(resnet-proto\s[a-z][^`]*)`", text)


@pytest.mark.parametrize("example", sorted({" ".join(one.split()) for one in mentioned()}))
def test_a_command_in_a_sentence_is_understood(example: str) -> None:
    with suppress(click.MissingParameter):  # which is told after an option that there is not
        parse(shlex.split(example)[1:])


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
    while isinstance(command, click.Group) and rest:
        name, command, rest = command.resolve_command(context, rest)
        assert command is not None
    command.make_context(name, rest, parent=context)
