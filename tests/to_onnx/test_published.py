"""Whole published nets, with seeded or with their trained weights, against what Caffe gave."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from to_onnx.recorded import GOLDEN, Array, assert_close, run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import infer
from prototxt_gen.graph.weights import bind
from prototxt_gen.passes.fold import fold
from prototxt_gen.to_onnx.convert import Conversion, convert
from prototxt_gen.verify import verify
from prototxt_gen.weights import save

ROOT = Path(__file__).parents[2] / "../shared"
CORPUS = Path(os.environ.get("PROTOTXT_CORPUS", ROOT / "corpus"))
#: But for one repository, which has the nets of another in an older form: that is the upgrader's.
RECORDINGS = sorted((CORPUS.parent / "golden" / "nets").glob("[!r]*.npz"))
#: Of the VGG nets, those with something to fold.
FOLDED = [file for file in RECORDINGS if "__vgg__" not in file.stem or "bn" in file.stem]
SEEDED: dict[str, Any] = runpy.run_path(str(GOLDEN / "seed_weights.py"))
#: Small ones of several families, for an ordinary run; the others have the marker ``nets``.
FEW = {
    "BVLC+caffe__examples__mnist__lenet.real",
    "BVLC+caffe__examples__cifar10__cifar10_full",
    "DuinoDu+mtcnn__model__det1.real",
    "forresti+SqueezeNet__SqueezeNet_v1.1__deploy",
    "Linzaer+Ultra-Light-Fast-Generic-Face-Detector-1MB__caffe__model__Slim-320__slim-320.real",
    "soeaver+caffe-model__cls__resnet__deploy_resnet10-1x32d",
}


def params() -> list[Any]:
    return [
        pytest.param(file, id=file.stem, marks=[] if file.stem in FEW else pytest.mark.nets)
        for file in RECORDINGS
    ]


def prototxt(recording: Path) -> Path:
    name = recording.stem.removesuffix(".real")
    for file in CORPUS.rglob("*.prototxt"):
        if "__".join(file.relative_to(CORPUS).with_suffix("").parts) == name:
            return file
    raise AssertionError(f"no prototxt for {recording.name}")


def net(recording: Path, found: Any) -> tuple[Graph, dict[str, Array]]:
    file = prototxt(recording)
    if recording.stem.endswith(".real"):
        beside = [*file.parent.glob("*.caffemodel"), *CORPUS.rglob(f"{file.stem}_*.caffemodel")]
        same = file.with_suffix(".caffemodel")
        graph = api.read_caffe(file, same if same.exists() else beside[0])
    else:
        graph = api.load(file)
        shapes = json.loads(str(found["blob_shapes_json"]))
        graph.stored = {
            name: [SEEDED["blob"](name, kind, i, tuple(s)) for i, s in enumerate(blobs)]
            for name, (kind, blobs) in shapes.items()
        }
    shapes_of = infer(graph, Sink()).blobs
    return graph, {ref.blob: SEEDED["net_input"](ref.blob, shapes_of[ref]) for ref in graph.inputs}


@pytest.mark.skipif(not RECORDINGS, reason="no recordings: set PROTOTXT_CORPUS")
@pytest.mark.parametrize("recording", params())
def test_a_published_net(recording: Path) -> None:
    with np.load(recording) as found:
        graph, inputs = net(recording, found)
        wanted = {name[4:]: found[name] for name in found.files if name.startswith("out.")}
    model = convert(graph, Conversion()).model
    # A value near 0 is the difference of larger ones: what is lost in that is theirs.
    largest = max(float(np.abs(value).max()) for value in wanted.values())
    found_tops = run_onnx(model.SerializeToString(), inputs)
    assert_close(found_tops, wanted, 2e-6 * max(1.0, largest), 1e-3)
    assert verify(graph, model, inputs).agrees


@pytest.mark.nets
@pytest.mark.skipif(not RECORDINGS, reason="no recordings: set PROTOTXT_CORPUS")
@pytest.mark.parametrize("recording", FOLDED, ids=lambda file: file.stem)
def test_folded_and_deployed_nets_are_the_same(recording: Path, tmp_path: Path) -> None:
    with np.load(recording) as found:
        graph, inputs = net(recording, found)
        wanted = {name[4:]: found[name] for name in found.files if name.startswith("out.")}
    source, _ = api.deploy(graph)
    sink = Sink()
    weights = bind(source, infer(source, sink), source.stored, sink)
    made, folded, _ = fold(source, weights)
    stored = {node.name: folded.get(index) for index, node in enumerate(made.nodes)}
    save(made, stored, tmp_path / "net.caffemodel")
    (tmp_path / "net.prototxt").write_bytes(api.dump(made).encode("utf-8", "surrogateescape"))
    assert [d for d in api.validate(tmp_path / "net.prototxt") if d.severity.value != "note"] == []
    again = api.read_caffe(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    kinds = {node.type for node in again.nodes}
    assert not kinds & {"Data", "Accuracy", "SoftmaxWithLoss", "Silence"}
    model = convert(again, Conversion(fold=False)).model
    assert_close(run_onnx(model.SerializeToString(), inputs), wanted, 1e-4, 1e-3)
