"""Published nets, and the commands that make them (published.yml)."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from generate.structure import Structures, header, written

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block
from prototxt_gen.formats.reader import read_text
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.phase import PHASES, State
from prototxt_gen.layers.combine import Concat, Eltwise

TABLE = yaml.safe_load(Path(__file__).with_name("published.yml").read_text("utf-8"))
EQUAL: list[dict[str, Any]] = TABLE["equal"]
TRAINED = [entry for entry in EQUAL if "training" in entry]
SOLVERS = [(entry, row) for entry in EQUAL for row in entry.get("solvers", [])]
CASES = [(entry, phase) for entry in EQUAL for phase in entry.get("phases", ["TEST"])]


def generated(arguments: str, capsys: pytest.CaptureFixture[str]) -> Source:
    code = run(["gen", *shlex.split(arguments)])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return Source(out.encode())


def joins(graph: Graph) -> bool:
    """Whether a net has a sum, or concatenates a blob with what a chain of layers makes of it."""
    makers = graph.makers
    for node in graph.nodes:
        if isinstance(node.layer, Eltwise) and str(node.layer.operation) == "SUM":
            return True
        if isinstance(node.layer, Concat) and len(node.bottoms) == 2:
            before = node.bottoms[1]
            while before in makers and len(makers[before].bottoms) == 1:
                before = makers[before].bottoms[0]
                if before == node.bottoms[0]:
                    return True
    return False


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


@pytest.mark.parametrize("entry", [e for e in EQUAL if "named" in e], ids=lambda e: str(e["file"]))
def test_equal_in_names(
    corpus: Path, entry: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    ours = api.load(generated(entry["gen"], capsys))
    theirs = api.load(corpus / entry["file"])
    assert [(n.name, n.type) for n in ours.nodes] == [(n.name, n.type) for n in theirs.nodes]


def test_every_net_of_the_corpus_is_in_the_table(corpus: Path) -> None:
    """Each file with a sum of blobs; those of R-FCN's training have another in their losses.

    And each where a blob is concatenated with what a chain of layers makes of it.
    """
    files = set()
    for path in corpus.rglob("*.prototxt"):
        text = path.read_bytes()
        if (b"Eltwise" in text or b"Concat" in text) and joins(api.load(path)):
            files.add(path.relative_to(corpus).as_posix())
    assert files == {entry["file"] for entry in (*EQUAL, *TABLE["left"])}
    assert all(entry["why"] for entry in TABLE["left"])


def recipe(entry: dict[str, Any], tmp_path: Path) -> str:
    """The arguments of an entry, with its training in a file."""
    spec = tmp_path / "spec.yaml"
    spec.write_text(yaml.safe_dump({"training": entry["training"]}))
    return f"{entry['gen']} --spec {spec}"


def text_of(path: Path) -> Block:
    source = Source(path.read_bytes())
    return read_text(source, Sink(source)).root


@pytest.mark.parametrize("entry", TRAINED, ids=lambda entry: str(entry["file"]))
def test_training_nets_are_equal_strictly(
    corpus: Path, tmp_path: Path, entry: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """With data layers, fillers, rates, losses, accuracies and the phases of each; up to names."""
    source = generated(recipe(entry, tmp_path), capsys)
    dialect = re.search(r"--dialect (\w+)", entry["gen"])
    assert api.validate(source, dialect[1] if dialect else None) == []
    structures = Structures()
    for phase in PHASES:
        ours, theirs = (api.load(net, State(phase)) for net in (source, corpus / entry["file"]))
        assert header(ours) == header(theirs)
        found, wanted = (structures.whole(net, phase) for net in (ours, theirs))
        assert (found == wanted) == ("unsaid" not in entry), phase
        if "unsaid" in entry:  # and nothing else
            for node in (*ours.nodes, *theirs.nodes):
                node.params.remove(*(["filler"] if node.type == "BatchNorm" else []))
            found, wanted = (structures.whole(net, phase) for net in (ours, theirs))
            assert found == wanted, phase


def test_every_training_net_is_tried() -> None:
    assert {entry["file"] for entry in TRAINED} == {e["file"] for e in EQUAL if "phases" in e}
    assert sum("unsaid" not in entry for entry in TRAINED) == 12


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("source", "other"),
        ("mean", [127]),
        ("scale", 0.5),
        ("mirror", False),
        ("test_batch", 50),
        ("test_crop", 32),
        ("backend", "LEVELDB"),
        ("filler", "xavier"),
        ("filler", "msra:FAN_OUT"),
        ("bias_filler", "constant:1"),
        ("classifier_filler", "gaussian:0.01"),
        ("last_scale_filler", "constant:0"),
        ("weight_rates", [1, 0]),
        ("bias_rates", [2, 0]),
        ("classifier_bias_rates", [1, 0]),
        ("scale_rates", [1, 0]),
        ("shift_rates", [1, 0]),
        ("freeze", 1),
        ("loss_weight", 2),
        ("loss_phase", "TRAIN"),
        ("accuracy", [1, 5]),
        ("accuracy_phase", "TEST"),
        ("accuracy_of", "scores"),
        ("train_transform", {"force_color": True}),
    ],
)
def test_the_strict_comparison_sees_every_key(
    corpus: Path, tmp_path: Path, key: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    (entry,) = (e for e in TRAINED if "resnet-20/" in e["file"])
    changed = {**entry, "training": {**entry["training"], key: value}}
    structures = Structures()
    source = generated(recipe(changed, tmp_path), capsys)
    equal = [
        structures.whole(api.load(source, State(phase)), phase)
        == structures.whole(api.load(corpus / entry["file"], State(phase)), phase)
        for phase in PHASES
    ]
    assert not all(equal)


@pytest.mark.parametrize(("entry", "row"), SOLVERS, ids=[str(row["file"]) for _, row in SOLVERS])
def test_solvers_are_equal(
    corpus: Path,
    tmp_path: Path,
    entry: dict[str, Any],
    row: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = f"{recipe(entry, tmp_path)} {row['solver']}"
    assert run(["solver", *shlex.split(arguments)]) == 0
    made = tmp_path / "solver.prototxt"
    made.write_text(capsys.readouterr().out)
    assert api.validate(made) == []
    assert written(text_of(made)) == written(text_of(corpus / row["file"]))


def test_every_solver_of_a_training_net_is_tried(corpus: Path) -> None:
    folders = {(corpus / entry["file"]).parent for entry in TRAINED}
    found = {path for folder in folders for path in folder.glob("*solver*.prototxt")}
    assert found == {corpus / row["file"] for _, row in SOLVERS}


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
