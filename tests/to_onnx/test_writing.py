"""One file, or two where weights are asked for beside the model or are too many for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from to_onnx.recorded import run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.to_onnx import write as writing

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
