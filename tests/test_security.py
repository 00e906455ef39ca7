"""SECURITY.md names limits and options that are there, with their numbers."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import click
import pytest

from prototxt_gen.cli import COMMANDS
from prototxt_gen.layers import outside

PAGE = (Path(__file__).parents[1] / "SECURITY.md").read_text("utf-8")
ROWS = [
    (limit, re.findall(r"`([\w.]+)`", names))
    for limit, names in re.findall(r"^\| (?!what \|)[^|]+ \| ([^|]+) \|([^|]*)\|$", PAGE, re.M)
]
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def numbers(limit: str) -> list[int]:
    """The numbers of a cell, in bytes where they have a unit."""
    found = re.findall(r"([\d,]*\d)(?: (\w+))?", limit)
    return [int(number.replace(",", "")) * UNITS.get(unit, 1) for number, unit in found]


def test_the_table_is_read() -> None:
    assert len(ROWS) == PAGE.count("\n| ") - 1
    assert sum(len(names) for _, names in ROWS) >= 14


@pytest.mark.parametrize(("limit", "names"), [row for row in ROWS if row[1]])
def test_each_limit_is_a_constant_of_that_value(limit: str, names: list[str]) -> None:
    found = []
    for name in names:
        module, _, constant = name.rpartition(".")
        found.append(getattr(import_module(f"prototxt_gen.{module}"), constant))
    # 2 GiB is what Caffe has less one byte.
    assert [number + (number == 2**31 - 1) * ("GiB" in limit) for number in found] == numbers(limit)


def test_each_option_exists() -> None:
    given: set[str] = set()
    for name in COMMANDS:
        command = import_module(f"prototxt_gen.cli.{name}").command
        commands = [command]
        if isinstance(command, click.Group):
            commands += command.commands.values()
        for one in commands:
            given.update(option for param in one.params for option in param.opts)
    named = set(re.findall(r"(?<![\w-])(--?[a-z][\w-]*)", PAGE)) - {"--version"}
    assert {"--plugin", "--templates", "--jobs", "-o"} <= named
    assert named - given == {"-v"}, "-v is of ulimit"


def test_the_entry_point_is_that_of_the_code() -> None:
    assert f"`{outside.GROUP}`" in PAGE
