"""The house: what CONTRIBUTING.md says of it, followed to the letter and looked for."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from prototxt_gen.layers import MODULES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
WALK = PAGE[PAGE.index("## Adding a layer type") : PAGE.index("## Adding a rule")]
CODE = [
    re.sub(r"^   ", "", block, flags=re.M)
    for block in re.findall(r"   ```(?:python)?\n(.*?)   ```", WALK, re.S)
]
NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [2, 3, 4] } } }
layer { name: "gate" type: "Input" top: "gate" input_param { shape { dim: [1, 2] } } }
layer { name: "d" type: "MemoryData" top: "unread" top: "label"
        memory_data_param { batch_size: 2 channels: 1 height: 1 width: 1 } }
layer { name: "i" type: "InnerProduct" bottom: "data" top: "i"
        inner_product_param { num_output: 5 } }
layer { name: "g" type: "Gain" bottom: "i" top: "g"
        bias_param { filler { type: "constant" value: 3 } } }
layer { name: "h" type: "Gain" bottom: "g" bottom: "gate" top: "h" }
layer { name: "l" type: "GainLoss" bottom: "h" bottom: "label" top: "l" }
"""
SCRIPT = """
import sys
import numpy as np
from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.graph.sample import seeded
from prototxt_gen.verify import verify_export
from prototxt_gen.weights import make

graph = api.load(Source(sys.argv[1].encode()))
graph.stored = make(graph, "fillers")
assert graph.stored["g"][0].tolist() == [3.0] * 5, "the filler that the net gives"
assert graph.stored["h"][0].tolist() == [1.0] * 5, "the value without a filler"
graph.stored["i"] = [np.ones((5, 12), np.float32), np.ones(5, np.float32)]
made = api.convert(graph, batch="dynamic")
shapes = {
    value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
    for value in (*made.model.graph.input, *made.model.graph.output)
}
del shapes["unread"]
assert shapes == {"data": ["batch", 3, 4], "gate": [1, "batch"], "h": ["batch", 5]}, shapes
changes = {change.layer: change.what for change in made.changes}
assert changes["g"] == "folded into 'i'", changes
assert changes["l"].startswith("left out"), changes
assert verify_export(made).agrees
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package and the cases with the made-up types in them, as the page says."""
    root = tmp_path_factory.mktemp("copy")
    for folder in ("prototxt_gen", "proto", "templates", "tests/layers"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    module, table, cases = CODE
    (root / "prototxt_gen/layers/gain.py").write_text(module)
    _insert(root / "prototxt_gen/layers/__init__.py", '    "HDF5Data"', table)
    _insert(root / "tests/layers/cases.py", '    good("Parameter"', cases)
    (root / "pytest.ini").write_text("[pytest]\npythonpath = . tests\n")
    return root


def _insert(path: Path, before: str, lines: str) -> None:
    text = path.read_text("utf-8")
    at = text.index(before)
    path.write_text(text[:at] + lines + text[at:], "utf-8")


def test_the_walk_through_gives_a_whole_layer_type(copy: Path) -> None:
    done = python(copy, "-c", SCRIPT, NET)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_cases_of_the_walk_through_hold(copy: Path) -> None:
    files = ("test_table.py", "test_cases.py", "test_facets.py")
    paths = [str(copy / "tests/layers" / name) for name in files]
    done = python(
        copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "Gain or table", *paths
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d\d passed", done.stdout, re.M), done.stdout


def python(copy: Path, *args: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(copy)}
    return subprocess.run(
        [sys.executable, *args], cwd=copy, env=env, capture_output=True, text=True
    )


#: Files that may name types, which CONTRIBUTING.md lists with the reasons; a folder ends in /.
LISTED = {
    file
    for row in re.findall(r"^\| (`[^|]+) \| [^|]+ \| [^|]+ \|$", WALK, re.M)
    for file in re.findall(r"`([^`]+)`", row)
}
TYPES = frozenset(MODULES)
NAMES: frozenset[object] = TYPES
FAMILIES = frozenset(f"prototxt_gen.layers.{module}" for module in MODULES.values())


def test_no_type_is_asked_for_by_name_outside_of_layers() -> None:
    package = ROOT / "prototxt_gen"
    naming, asking = set(), {}
    for path in package.rglob("*.py"):
        file = path.relative_to(package).as_posix()
        if not file.startswith("layers/"):
            tree = ast.parse(path.read_text("utf-8"))
            if set(_names(tree)):
                naming.add(file)
            if asked := set(_instances(tree)):
                asking[file] = asked
    assert asking == {}
    listed = {file for file in naming if any(_covers(entry, file) for entry in LISTED)}
    assert naming - listed == set()
    assert [entry for entry in LISTED if not any(_covers(entry, f) for f in naming)] == []


def test_the_check_finds_what_it_looks_for() -> None:
    text = """
from prototxt_gen.layers.affine import Scale
from prototxt_gen.layers import affine
def ask(node):
    "Softmax"
    return node.type == "ReLU" or isinstance(node.layer, (Scale, int)) or type(node) is Scale
"""
    tree = ast.parse(text)
    assert list(_names(tree)) == ["Scale", "ReLU"]
    assert list(_instances(tree)) == ["Scale", "Scale"]


def _covers(entry: str, file: str) -> bool:
    return file.startswith(entry) if entry.endswith("/") else file == entry


def _names(tree: ast.Module) -> Iterator[str]:
    """Layer types as strings, but for docstrings, and as names that a family gives."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body
        if isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in FAMILIES:
            yield from (alias.name for alias in node.names if alias.name in TYPES)
        elif isinstance(node, ast.Constant) and node.value in NAMES and id(node) not in docs:
            yield str(node.value)


def _instances(tree: ast.Module) -> Iterator[str]:
    """Classes of layers that something is held against."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in ("isinstance", "issubclass"):
                yield from _classes(node.args[1])
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Is, ast.IsNot)):
            yield from _classes(node.comparators[0])


def _classes(node: ast.expr) -> Iterator[str]:
    found = (n.id for n in ast.walk(node) if isinstance(n, ast.Name))
    return (name for name in found if name in TYPES)
