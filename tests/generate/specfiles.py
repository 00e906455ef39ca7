"""Specs that are refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from prototxt_gen.cli import run
from prototxt_gen.errors import SpecError
from prototxt_gen.generate.idle import Contradiction
from prototxt_gen.generate.spec import Spec


def contradicts(row: Contradiction, keys: Mapping[str, object]) -> None:
    """The first row of all tables that a spec breaks is this one."""
    with pytest.raises(SpecError) as caught:
        Spec.of(keys)
    assert caught.value.path == row.path
    # The words of the row that are not filled in.
    assert row.message.rpartition("}")[2].strip()[:40] in caught.value.message


def refusal(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What ``gen`` says of a spec file, in one line, after the file's name: its place first."""
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    assert run(["gen", "--spec", str(path)]) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    start = f"error: {path}:"
    assert (out, line[: len(start)]) == ("", start)
    return line.removeprefix(start)
