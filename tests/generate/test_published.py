"""Published nets of the residual family, and the commands that make them (published.yml)."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from generate.structure import Structures

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.phase import State
from prototxt_gen.layers.combine import Eltwise

TABLE = yaml.safe_load(Path(__file__).with_name("published.yml").read_text("utf-8"))
EQUAL: list[dict[str, Any]] = TABLE["equal"]
CASES = [(entry, phase) for entry in EQUAL for phase in entry.get("phases", ["TEST"])]


def generated(arguments: str, capsys: pytest.CaptureFixture[str]) -> Source:
    code = run(["gen", *shlex.split(arguments)])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return Source(out.encode())


def structure(structures: Structures, graph: Graph, phase: str, blob: str) -> int:
    """That of a blob as its last layer leaves it."""
    found = structures.of(graph, phase=phase)
    tops = [top for node in graph.nodes for top in node.tops if top.blob == blob]
    return found[tops[-1]]


@pytest.mark.parametrize(
    ("entry", "phase"), CASES, ids=[f"{Path(e['file']).stem}-{p}" for e, p in CASES]
)
def test_equal_up_to_names(
    corpus: Path, entry: dict[str, Any], phase: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    structures = Structures()
    theirs = api.load(corpus / entry["file"], State(phase))
    source = generated(entry["gen"], capsys)
    dialect = re.search(r"--dialect (\w+)", entry["gen"])
    assert api.validate(source, dialect[1] if dialect else None) == []
    ours = api.load(source, State(phase))
    for own, other in entry["blobs"].items():
        made = structure(structures, ours, phase, own)
        assert made == structure(structures, theirs, phase, other), own


def test_every_residual_net_of_the_corpus_is_in_the_table(corpus: Path) -> None:
    """Each file with a sum of blobs; those of R-FCN's training have another in their losses."""
    files = set()
    for path in corpus.rglob("*.prototxt"):
        if b"Eltwise" in path.read_bytes() and any(
            isinstance(node.layer, Eltwise) and str(node.layer.operation) == "SUM"
            for node in api.load(path).nodes
        ):
            files.add(path.relative_to(corpus).as_posix())
    assert files == {entry["file"] for entry in (*EQUAL, *TABLE["left"])}
    assert all(entry["why"] for entry in TABLE["left"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("resnet50 --global-pool --stride-at 3x3", "1x1 and 3x3"),
        ("resnet50 --global-pool --pool floor", "pads"),
        ("resnet50 --global-pool --eps 1e-4", "eps"),
        ("resnet50 --global-pool --bias none", "a bias"),
        ("resnet50 --global-pool --output-stride 16", "dilation"),
        ("resnet50 --global-pool --widths 64,128,256,640", "a width"),
    ],
)
def test_the_comparison_sees_differences(
    corpus: Path, arguments: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    structures = Structures()
    theirs = api.load(corpus / EQUAL[3]["file"])
    assert EQUAL[3]["gen"] == "resnet50 --global-pool"
    ours = api.load(generated(arguments, capsys))
    found = structure(structures, ours, "TEST", "prob")
    assert found != structure(structures, theirs, "TEST", "prob"), words
