"""What CI installs as the lowest versions is what setup.cfg says."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SETUP = (ROOT / "setup.cfg").read_text("utf-8")
lowest: Any = runpy.run_path(str(ROOT / ".ci/lowest.py"))["lowest"]


def test_every_dependency_has_its_bound() -> None:
    found = lowest(SETUP)
    assert {"click", "jinja2", "numpy", "onnx", "protobuf", "pyyaml", "rich"} < set(found)
    assert {"onnxruntime", "h5py", "pillow", "pytest", "hypothesis"} < set(found)
    assert "mypy" not in found
    for name, version in found.items():
        assert f"\n    {name} >= {version}" in SETUP


def test_a_bound_that_is_raised_is_raised_there() -> None:
    assert "numpy >= 1.26\n" in SETUP
    assert lowest(SETUP.replace("numpy >= 1.26\n", "numpy >= 2.1, < 3\n"))["numpy"] == "2.1"


@pytest.mark.parametrize("line", ["numpy", "numpy < 3", "numpy == 2"])
def test_a_dependency_without_a_lower_bound_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"has no lower bound"):
        lowest(SETUP.replace("numpy >= 1.26\n", f"{line}\n"))


def test_two_bounds_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"h5py has the lower bounds 3\.9 and 3\.10"):
        lowest(SETUP.replace("h5py >= 3.9", "h5py >= 3.10", 2).replace("3.10", "3.9", 1))
