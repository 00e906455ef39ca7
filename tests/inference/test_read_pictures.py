"""Pictures of every kind are the numbers that OpenCV's imread gives, which Caffe's tools use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.errors import VerificationError
from prototxt_gen.inference.images import Frame, open_picture, values
from prototxt_gen.passes.preprocessing import held

cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
RANDOM = np.random.default_rng(5)


def _deep(path: Path) -> None:
    """Grey, of 16 bits."""
    Image.fromarray(RANDOM.integers(0, 1 << 16, (9, 7)).astype(np.uint16)).save(path)


def _turned(path: Path) -> None:
    """A photograph that was taken with the camera upright."""
    exif = Image.Exif()
    exif[0x112] = 6
    _colours().save(path.with_suffix(".png"), exif=exif)


def _colours() -> Any:
    return Image.fromarray(RANDOM.integers(0, 256, (9, 7, 3), dtype=np.uint8))


def _in(mode: str) -> Any:
    return lambda path: _colours().convert(mode).save(path)


MADE = {
    "16 bits": _deep,
    "turned": _turned,
    **{mode: _in(mode) for mode in ("RGB", "RGBA", "L", "LA", "P", "1")},
}


@pytest.mark.parametrize("kind", MADE)
def test_a_picture_is_what_opencv_reads(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.png"
    MADE[kind](path)
    theirs = cv2.imread(str(path), cv2.IMREAD_COLOR)
    ours = values(open_picture(str(path), 3), Frame(3, None, None))
    assert (ours == theirs.transpose(2, 0, 1)).all()
    # Grey is rounded otherwise.
    grey = values(open_picture(str(path), 1), Frame(1, None, None))
    assert np.abs(grey[0] - cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)).max() <= 1


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (np.ones((2, 2), np.float32), "its numbers are floats; expected 8 or 16 bits"),
        (np.full((2, 2), 70_000, np.int32), "its numbers have 32 bits; expected 8 or 16"),
        (np.full((2, 2), -1, np.int32), "its numbers have 32 bits; expected 8 or 16"),
    ],
)
def test_numbers_that_eight_bits_cannot_tell_are_refused(
    tmp_path: Path, numbers: Any, words: str
) -> None:
    Image.fromarray(numbers).save(tmp_path / "x.tif")
    with pytest.raises(VerificationError, match=words):
        open_picture(str(tmp_path / "x.tif"), 3)


@pytest.mark.parametrize(
    ("dtype", "good", "bad", "words"),
    [
        ("uint8", [0, 255, 7.0], [-3.5, 300, 1.5, np.nan], "uint8, whole numbers from 0 to 255"),
        ("int64", [-5.0, 2], [np.inf, 0.5], "int64, whole numbers from -9223372036854775808"),
        ("bool", [0, 1], [2], "bool, 0 or 1"),
        ("float16", [65504, 0.1, np.inf, np.nan], [1e5, -1e6], "float16, numbers up to 65504"),
        ("float32", [0.1, np.nan, -3e38], [1e39], "float32, numbers up to 3.40282e"),
    ],
)
def test_a_number_that_an_input_cannot_hold_is_refused(
    dtype: str, good: list[float], bad: list[float], words: str
) -> None:
    given = np.array(good)
    assert (held(given, np.dtype(dtype), "x") == given.astype(dtype))[given == given].all()
    for one in bad:
        with pytest.raises(VerificationError) as caught:
            held(np.array([0, one]), np.dtype(dtype), "x")
        assert words in caught.value.message and f"found {one:.9g}" in caught.value.message


def test_each_command_refuses_values_for_a_model_of_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    net, model, odd = tmp_path / "net.prototxt", tmp_path / "net.onnx", tmp_path / "odd.npy"
    net.write_text(
        'input: "data" input_shape { dim: 1 dim: 3 dim: 2 dim: 2 }\n'
        'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }'
    )
    onnx.save(api.to_onnx(api.load(net), input_type="uint8"), model)
    np.save(odd, np.full((1, 3, 2, 2), -3.5, np.float32))
    np.save(tmp_path / "good.npy", np.full((1, 3, 2, 2), 7, np.float32))
    words = "the input 'data' takes uint8, whole numbers from 0 to 255; found -3.5"
    assert run(["run", str(model), str(odd), str(tmp_path / "good.npy")]) == 2
    out, err = capsys.readouterr()
    assert f"{odd}: {words}" in err and "good.npy: r: " in out
    assert run(["verify", str(net), str(model), "--input", f"data={odd}"]) == 2
    assert words in capsys.readouterr().err


def test_what_run_says_of_labels_and_of_nothing_to_draw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, values_, names = tmp_path / "net.prototxt", tmp_path / "x.npy", tmp_path / "names.txt"
    net.write_text(
        'input: "data" input_shape { dim: 1 dim: 3 }\n'
        'layer { name: "prob" type: "Softmax" bottom: "data" top: "prob" }'
    )
    np.save(values_, np.zeros((1, 3), np.float32))
    command = ["run", str(net), str(values_), "--labels", str(names)]
    for text, words in (
        ("a\nb", "there are 2 labels, but of classes 'prob' has 3"),
        ("a", "there is 1 label, but of classes 'prob' has 3"),
        ("a\nb\nc", ""),
    ):
        names.write_text(text)
        assert run(command) == 0
        assert capsys.readouterr().err == (words and f"{words}\n")
    assert run([*command, "--draw", str(tmp_path / "drawn")]) == 0
    words = "nothing is drawn: no output has boxes, or a class or a score for each pixel\n"
    assert capsys.readouterr().err == words


def test_what_is_no_image_in_a_folder_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, folder = tmp_path / "net.prototxt", tmp_path / "photos"
    net.write_text(
        'input: "data" input_shape { dim: 1 dim: 3 dim: 2 dim: 2 }\n'
        'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }'
    )
    (folder / "older").mkdir(parents=True)
    _colours().save(folder / "a.png")
    for others, words in ((["older"], "1 entry"), (["older", "notes.txt"], "2 entries")):
        (folder / others[-1]).exists() or (folder / others[-1]).write_text("x")
        assert run(["run", str(net), str(folder)]) == 0
        out, err = capsys.readouterr()
        assert out.startswith(f"{folder / 'a.png'}: r: ")
        assert err == f"{folder}: {words} left out, without the suffix of an image\n"
