"""One file, or two where weights are asked for beside the model or are too many for one."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from to_onnx.recorded import run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import VerificationError
from prototxt_gen.to_onnx import write as writing
from prototxt_gen.to_onnx.pieces import write_pieces

TEXT = (
    b'input: "x" input_shape { dim: [1, 3] }\n'
    b'layer { name: "i" type: "InnerProduct" bottom: "x" top: "y"'
    b" inner_product_param { num_output: 2 } }\n"
)
BYTES = 4 * (3 * 2 + 2)  #: of the weights, as float32


def made() -> Any:
    return api.convert(api.load(Source(TEXT)), weights_init="random")


@pytest.mark.parametrize(
    ("asked", "largest", "files"),
    [(False, None, 1), (True, None, 2), (False, BYTES, 1), (False, BYTES - 1, 2)],
)
def test_how_many_files(
    asked: bool, largest: int | None, files: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if largest is not None:
        monkeypatch.setattr(writing, "LARGEST_MODEL", largest)
    target = tmp_path / "net.onnx"
    names = [str(target), f"{target}.data"][:files]
    assert writing.write_model(made(), target, external_data=asked) == names
    assert sorted(map(str, tmp_path.iterdir())) == names
    if files == 1:
        x = np.ones((1, 3), np.float32)
        found = run_onnx(target.read_bytes(), {"x": x})["y"]
        weight, bias = made().weights.get(1)
        np.testing.assert_allclose(found[0], weight.sum(axis=1) + bias, rtol=1e-5)
    else:
        assert Path(names[1]).stat().st_size == BYTES


def test_what_protobuf_cannot_hold_goes_beside() -> None:
    """Its messages have at most 2 GiB less one byte, of which names and nodes need some."""
    assert 2**31 - 1 - 2**22 < writing.LARGEST_MODEL < 2**31 - 1


def test_the_pieces_are_what_protobuf_writes() -> None:
    several = api.generate("resnet18", classes=10, input_shape=(1, 3, 32, 32))
    for model in (made(), api.convert(api.load(Source(several.encode())), weights_init="zeros")):
        file = BytesIO()
        places = write_pieces(model, file)
        assert file.getvalue() == model.model.SerializeToString(deterministic=True)
        assert places.keys() == model.values.keys()
        for tensor in model.model.graph.initializer:
            offset, length = places[tensor.name]
            assert file.getvalue()[offset : offset + length] == tensor.raw_data


@pytest.mark.parametrize("external", [False, True])
def test_a_model_that_does_not_load_is_not_written(
    external: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, target = made(), tmp_path / "net.onnx"
    target.write_bytes(b"old")
    model.skeleton.graph.node[0].op_type = "Sinh"
    with pytest.raises(VerificationError, match="does not load"):
        writing.write_model(model, target, external_data=external)
    assert target.read_bytes() == b"old" and list(tmp_path.iterdir()) == [target]


def test_a_model_goes_into_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_bytes)
        writing.write_model(made(), pipe)
        assert read.result() == made().model.SerializeToString(deterministic=True)
    assert list(tmp_path.iterdir()) == [pipe]
