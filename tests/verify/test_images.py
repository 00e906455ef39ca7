"""An image as a value of an input: blue, green, red, as OpenCV hands it to Caffe's tools."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.cli.verify_inputs import inputs_of
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import VerificationError

#: The red, green and blue of two pixels, one above the other.
PIXELS = np.array([[[200, 100, 50]], [[1, 2, 3]]], np.uint8)


class Picture:
    """What Pillow's Image is to us."""

    mode = "RGB"

    def __init__(self, pixels: Any) -> None:
        self.pixels = pixels

    def __enter__(self) -> Picture:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def convert(self, mode: str) -> Picture:
        assert mode == "RGB"
        return self

    def resize(self, size: tuple[int, int]) -> Picture:
        width, height = size
        rows = np.arange(height) * self.pixels.shape[0] // height
        columns = np.arange(width) * self.pixels.shape[1] // width
        return Picture(self.pixels[rows][:, columns])

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.pixels.astype(dtype)


@pytest.fixture(params=["pillow", "stand-in"])
def image(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = tmp_path / "image.png"
    if request.param == "pillow":
        module = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
        module.fromarray(PIXELS).save(path)
        return str(path)
    stand_in = ModuleType("PIL")
    stand_in.Image = ModuleType("PIL.Image")  # type: ignore[attr-defined]
    stand_in.Image.open = lambda name: Picture(PIXELS)  # type: ignore[attr-defined]
    stand_in.ImageOps = ModuleType("PIL.ImageOps")  # type: ignore[attr-defined]
    stand_in.ImageOps.exif_transpose = lambda picture: picture  # type: ignore[attr-defined]
    stand_in.UnidentifiedImageError = OSError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "PIL", stand_in)
    return str(path)


def net(*shape: int) -> Any:
    text = f'input: "data" input_shape {{ dim: {list(shape)} }}'
    return api.load(Source(text.encode()))


def test_channels_are_blue_green_red_from_0_to_255(image: str) -> None:
    found = inputs_of(net(2, 3, 2, 1), (image,))
    assert found is not None
    assert found["data"].dtype == np.float32
    one = [[[50], [3]], [[100], [2]], [[200], [1]]]
    assert found["data"].tolist() == [one, one], "each image of the batch is that"
    assert found["data"].flags["C_CONTIGUOUS"]


def test_an_image_has_the_size_of_the_input(image: str) -> None:
    found = inputs_of(net(1, 3, 4, 6), (f"data={image}",))
    assert found is not None
    assert found["data"].shape == (1, 3, 4, 6)


@pytest.mark.parametrize("shape", [(1, 2, 2, 1), (3, 2, 1), (1, 4, 2, 1)])
def test_an_input_without_three_channels_takes_no_image(shape: Any, image: str) -> None:
    with pytest.raises(VerificationError, match="an image does not fit"):
        inputs_of(net(*shape), (image,))


def test_arrays_by_name_and_by_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((1, 3)))
    np.savez(tmp_path / "x.npz", data=np.zeros((1, 3)))
    assert inputs_of(net(1, 3), ()) is None
    for given, value in ((("x.npy",), 1), (("x.npz",), 0)):
        found = inputs_of(net(1, 3), tuple(str(tmp_path / name) for name in given))
        assert found is not None and set(found["data"].flat) == {value}
    with pytest.raises(click.UsageError, match="no input 'other'"):
        inputs_of(net(1, 3), (f"other={tmp_path / 'x.npy'}",))


def test_a_grey_input_takes_a_grey_image(tmp_path: Path) -> None:
    module = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    module.fromarray(PIXELS[:, :, 0]).save(tmp_path / "grey.png")
    found = inputs_of(net(1, 1, 2, 1), (str(tmp_path / "grey.png"),))
    assert found is not None and found["data"].tolist() == [[[[200], [1]]]]
