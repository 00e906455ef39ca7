"""SECURITY.md names limits and options that are there, with their numbers."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import click
import numpy as np
import pytest

from prototxt_gen import _limits, api
from prototxt_gen import weights as tools
from prototxt_gen.cli import COMMANDS, cli, run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import WeightsError
from prototxt_gen.graph import fillers
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
    for module in COMMANDS.values():
        command = import_module(f"prototxt_gen.cli.{module}").command
        commands = [command]
        if isinstance(command, click.Group):
            commands += command.commands.values()
        for one in commands:
            given.update(option for param in one.params for option in param.opts)
    given.update(option for param in cli.params for option in param.opts)
    named = set(re.findall(r"(?<![\w-])(--?[a-z][\w-]*)", PAGE)) - {"--version"}
    assert {"--plugin", "--templates", "--jobs", "-o"} <= named
    assert named - given == {"-v"}, "-v is of ulimit"


#: For each bound in bytes, a command that comes to it where it is 1,000.
BOUNDED = {
    "formats.prototxt.LARGEST_FILE": ["validate", "net"],
    "formats.binary.caffemodel._LARGEST_NET": ["convert", "large.caffemodel", "-o", "x.onnx"],
    "formats.content.MOST_PIPED": ["weights", "show", "pipe"],
    "formats.binary.declared._ANY": ["weights", "import", "zeros.npz", "net", "-o", "out"],
    "formats.protoc._LARGEST": ["proto", "diff", "large.proto"],
    "generate.specfile.LARGEST_SPEC": ["gen", "--spec", "spec"],
    "generate.sandbox.LARGEST_TEMPLATE": ["gen", "resnet18", "--templates", "."],
}


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, which is the working one, with an input for each command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(_limits.RAISED, raising=False)
    Path("net").write_text("name: 'n' layer { name: 'l' type: 'Silence' }" + " " * 2000)
    layers = "".join(f"layer {{ name: 'l{i}' type: 'Split' top: 'x{i}' }} " for i in range(100))
    large = api.load(Source(f"name: 'n' {layers}".encode()))
    tools.save(large, {}, "large.caffemodel")
    os.mkfifo("pipe")
    np.savez_compressed("zeros", **{"l/0": np.zeros(5000, np.float32)})
    Path("large.proto").write_text("message NetParameter {}" + " " * 2000)
    Path("spec").write_text("preset: resnet18\n" + "#" * 2000)
    Path("net.prototxt.j2").write_text("{# %s #}" % ("a" * 2000))
    return tmp_path


@pytest.mark.parametrize("name", BOUNDED)
def test_an_option_raises_each_bound_of_bytes(
    name: str, inputs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    module, _, constant = name.rpartition(".")
    monkeypatch.setattr(import_module(f"prototxt_gen.{module}"), constant, 1000)
    for before, refused in (([], True), (["--limit", "1k"], True), (["--limit", "1M"], False)):
        with ExitStack() as stack:
            if "pipe" in BOUNDED[name]:
                pool = stack.enter_context(ThreadPoolExecutor())
                pool.submit(Path("pipe").write_bytes, b"\x0a\x90\x4e" + b"a" * 10000)
            run([*before, *BOUNDED[name]])
        told = capfd.readouterr().err
        assert (_limits.HINT in told) == refused, told


def test_every_bound_of_bytes_can_be_raised() -> None:
    in_bytes = {name for limit, names in ROWS if "iB" in limit for name in names}
    others = {"formats.content.READ_WHOLE", "formats.binary.declared._TIMES"}
    assert in_bytes - others == BOUNDED.keys()


def test_weights_that_need_more_than_the_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the machine says of itself is not all that there may be: it may have swap."""
    monkeypatch.setattr(fillers, "_memory", lambda: 10)
    graph = api.load(Source(api.generate("plain18").encode()))
    with pytest.raises(WeightsError, match=re.escape(_limits.HINT)):
        tools.make(graph, "zeros")
    monkeypatch.setenv(_limits.RAISED, "1G")
    assert tools.make(graph, "zeros")


@pytest.mark.parametrize(
    ("text", "size"),
    [("12", 12), ("600M", 600 << 20), ("4GiB", 4 << 30), ("4 gb", 4 << 30), ("1t", 1 << 40)],
)
def test_sizes(text: str, size: int) -> None:
    assert _limits.size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "4x", "1.5G", "G", "1" * 30])
def test_what_is_no_size(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--limit", text, "gen"]) == 2
    assert "expected a number of bytes, or such as 600M or 4G" in capfd.readouterr().err


def test_the_entry_point_is_that_of_the_code() -> None:
    assert f"`{outside.GROUP}`" in PAGE
