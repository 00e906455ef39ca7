"""Models that PyTorch exported: each becomes a net, or is refused with the reason.

Two engines compute the net, numpy's reference and OpenCV's own reader of Caffe's files;
onnxruntime computes the model.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from lifting import computed, drawn, lifted

from prototxt_gen import api
from prototxt_gen.engines import against_opencv
from prototxt_gen.errors import UnsupportedError, VerificationError
from prototxt_gen.from_onnx.convert import Lift, lift
from prototxt_gen.from_onnx.target import Target
from prototxt_gen.weights import save

FILES = sorted((Path(__file__).parent / "models").glob("*.onnx"))
#: What BVLC's Caffe cannot be told, and the words that say so.
REFUSED = {
    "attention": "both matrices are computed from the inputs",
    "gelu": "approximate='tanh'",
}
#: What OpenCV cannot read or run, in its own words.
NOT_IN_OPENCV = {
    "adaptive": "Tile: repeats needs to be",
    "align_corners": "Number of input channels should be multiple",  # a convolution along axis 2
    "argmax": 'of type "ArgMax"',
    "bilstm": 'of type "DummyData"',
    "extremes": 'of type "Bias"',
    "lstm": 'of type "Parameter"',
    "mean": 'of type "Bias"',
    "normalize": "Tile: repeats needs to be",
    "unet_bilinear": "numOutput == w.total()",  # it fuses a Scale into a Deconvolution by groups
}


def net(path: Path) -> str:
    return path.name.partition(".")[0]


def names(table) -> list[Path]:
    return [path for path in FILES if net(path) in table or path.stem in table]


def of(table: dict[str, str], path: Path) -> str | None:
    """What a table says of a file, or of all files of its net."""
    return table.get(path.stem, table.get(net(path)))


TAKEN = [path for path in FILES if of(REFUSED, path) is None]


@pytest.mark.parametrize("path", TAKEN, ids=lambda path: path.stem)
def test_it_becomes_a_net(path: Path, tmp_path: Path) -> None:
    """For today's BVLC, and for its release 1.0, which has the layers that OpenCV knows."""
    model = onnx.load(path)
    lifted(model)
    made = lifted(model, "bvlc-1.0")
    if of(NOT_IN_OPENCV, path) is None:
        inputs = drawn(made, 1)
        found = by_opencv(made, inputs, tmp_path)
        for name, wanted in computed(model, inputs).items():
            np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("path", names(REFUSED), ids=lambda path: path.stem)
def test_it_is_refused(path: Path) -> None:
    words = of(REFUSED, path)
    assert words
    with pytest.raises(UnsupportedError) as caught:
        lift(onnx.load(path), Lift(Target("bvlc")))
    assert any(words in one.message for one in caught.value.diagnostics), [
        one.message for one in caught.value.diagnostics
    ]


@pytest.mark.parametrize("path", names(NOT_IN_OPENCV), ids=lambda path: path.stem)
def test_opencv_still_cannot(path: Path, tmp_path: Path) -> None:
    """The table is true: a new OpenCV that can run a net is noticed."""
    made = lift(onnx.load(path), Lift(Target("bvlc-1.0")))
    with pytest.raises(VerificationError) as caught:
        by_opencv(made, drawn(made, 1), tmp_path)
    assert (of(NOT_IN_OPENCV, path) or "?") in str(caught.value)


def test_the_tables_speak_of_files_that_are_there() -> None:
    there = {net(path) for path in FILES} | {path.stem for path in FILES}
    assert {*REFUSED, *NOT_IN_OPENCV} <= there
    assert len(FILES) > 100


def by_opencv(made, inputs: dict[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    prototxt, weights = folder / "net.prototxt", folder / "net.caffemodel"
    prototxt.write_text(api.dump(made.graph))
    save(made.graph, made.graph.stored, weights)
    return against_opencv(str(prototxt), str(weights), made.graph, inputs)
