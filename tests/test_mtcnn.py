"""The example that finds faces: a whole cascade of trained nets in onnxruntime."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prototxt_gen import api

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def models(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = corpus / "DuinoDu+mtcnn" / "model"
    if not folder.is_dir():
        pytest.skip(f"no nets of MTCNN in {folder}")
    pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    monkeypatch.syspath_prepend(EXAMPLES)
    return folder


def example() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / "mtcnn.py"))


def test_the_faces_that_were_drawn_are_found(models: Path) -> None:
    mtcnn = example()
    picture, drawn = mtcnn["draw"]()
    found = mtcnn["Mtcnn"](models).find(picture)
    assert len(found) == len(drawn) == 4
    heads = np.stack([face.box for face in drawn])
    taken = set()
    for face in found:
        overlaps = mtcnn["overlap"](face.box, heads, "union")
        nearest = int(overlaps.argmax())
        taken.add(nearest)
        left, top, right, bottom = heads[nearest]
        assert overlaps[nearest] > 0.5
        assert 0.9 < face.score <= 1
        assert ((left, top) < face.landmarks).all() and (face.landmarks < (right, bottom)).all()
        away = np.hypot(*(face.landmarks - drawn[nearest].landmarks).T)
        assert (away < 0.05 * (bottom - top)).all(), away
    assert len(taken) == len(drawn)


@pytest.mark.parametrize("shape", [(90, 120, 3), (15, 120, 3)])
def test_no_face_is_found_where_none_is(models: Path, shape: tuple[int, ...]) -> None:
    assert example()["Mtcnn"](models).find(np.full(shape, 200, np.uint8)) == []


def test_the_reference_agrees_on_what_the_nets_are_given(models: Path) -> None:
    mtcnn = example()
    picture, drawn = mtcnn["draw"]()
    cascade = mtcnn["Mtcnn"](models)
    data = [
        mtcnn["blob"](picture)[None],
        mtcnn["crops"](picture, cascade.propose(picture), 24),
        mtcnn["crops"](picture, np.stack([face.box for face in drawn]), 48),
    ]
    p_net = mtcnn["session"](cascade.nets[0], input_shapes={"data": data[0].shape})
    sessions = [p_net, cascade.r_net, cascade.o_net]
    for net, session, given, outputs in zip(cascade.nets, sessions, data, (2, 2, 3), strict=True):
        names = [output.name for output in session.get_outputs()]
        assert len(names) == outputs
        blobs = api.run(net, {"data": given})
        for name, value in zip(names, session.run(names, {"data": given}), strict=True):
            np.testing.assert_allclose(value, blobs[name], rtol=1e-4, atol=1e-5)


def test_the_program_tells_and_shows_what_it_finds(
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    faces = tmp_path / "faces.png"

    def run(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["mtcnn.py", str(models), *arguments])
        runpy.run_path(str(EXAMPLES / "mtcnn.py"), run_name="__main__")
        return capsys.readouterr().out.count("face at ")

    assert run("-o", str(faces)) == 4
    assert run("--image", str(faces), "-o", str(tmp_path / "again.png")) == 4
    with pytest.raises(SystemExit, match="cannot be read as an image"):
        run("--image", str(tmp_path / "none.png"))
