"""Weights that point out of their file, or stand for more than a file has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.arrays import read_arrays
from prototxt_gen.formats.binary.caffemodel import read_caffemodel

SECRET = np.arange(10, dtype="<f4")


@pytest.fixture
def h5py() -> Any:
    return pytest.importorskip("h5py", reason="h5py is not installed")


@pytest.fixture
def secret(tmp_path: Path, h5py: Any) -> Path:
    """A file that no weights are to be read from."""
    file = tmp_path / "secret.h5"
    with h5py.File(file, "w") as opened:
        opened["data/c/0"] = SECRET
    return file


@pytest.mark.parametrize("kind", ["storage", "virtual"])
def test_a_dataset_of_another_file_is_refused(
    tmp_path: Path, h5py: Any, secret: Path, kind: str
) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        if kind == "storage":
            file.create_dataset("data/c/0", (10,), "<f4", external=[(str(secret), 0, 40)])
        else:
            layout = h5py.VirtualLayout((10,), "<f4")
            layout[:] = h5py.VirtualSource(str(secret), "data/c/0", (10,))
            file.create_virtual_dataset("data/c/0", layout)
    words = {"storage": "external storage", "virtual": "virtual dataset"}[kind]
    with pytest.raises(WeightsError, match=rf"w\.h5: '/data/c/0' .*{words}"):
        read_caffemodel(path)


@pytest.mark.parametrize("place", ["data", "data/c", "data/c/0", "soft"])
def test_a_link_out_of_the_file_is_refused(
    tmp_path: Path, h5py: Any, secret: Path, place: str
) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        inner = {"data": "/data", "data/c": "/data/c"}.get(place, "/data/c/0")
        if place == "soft":  # a link of the file's own leads to it
            file["out"] = h5py.ExternalLink(str(secret), inner)
            file.create_group("data/c")["0"] = h5py.SoftLink("/out")
        else:
            file[place] = h5py.ExternalLink(str(secret), inner)
    with pytest.raises(WeightsError, match=r"w\.h5: '/data.*' is an external link to '.*secret"):
        read_caffemodel(path)


def test_links_inside_of_the_file_are_followed(tmp_path: Path, h5py: Any) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file["kept/here"] = SECRET
        file["kept/also"] = h5py.SoftLink("here")
        file.create_group("data/c")["0"] = h5py.SoftLink("/kept/also")
        file["data/d"] = h5py.SoftLink("/data/c")
    found = read_caffemodel(path).weights()
    assert np.array_equal(found["c"][0], SECRET) and np.array_equal(found["d"][0], SECRET)


@pytest.mark.parametrize("kind", ["weight", "layer", "itself"])
def test_links_in_a_circle_are_refused(tmp_path: Path, h5py: Any, kind: str) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        if kind == "weight":
            file.create_group("data/c")["0"] = h5py.SoftLink("/data/c/0")
        elif kind == "layer":
            file.create_group("data")["c"] = h5py.SoftLink("/data/d")
            file["data/d"] = h5py.SoftLink("/data/c")
        else:
            file["data/c"] = h5py.SoftLink("/data")
    with pytest.raises(WeightsError, match=r"w\.h5"):
        read_caffemodel(path)


@pytest.mark.parametrize("names", ["07", "1", "00", "a"])
def test_gaps_between_weights_are_refused(tmp_path: Path, h5py: Any, names: str) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        for name in ["00"] if names == "00" else names:
            file[f"data/c/{name}"] = SECRET
    with pytest.raises(WeightsError, match=r"the weights of 'c' are .*; expected 0, 1"):
        read_caffemodel(path)


def test_many_weights_keep_their_order(tmp_path: Path, h5py: Any) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        for index in range(12):  # 10 goes before 2 in the file
            file[f"data/c/{index}"] = np.full(1, index, np.float32)
    found = read_caffemodel(path).weights()["c"]
    assert [float(blob[0]) for blob in found] == list(range(12))


@pytest.mark.parametrize("kind", ["packed", "never written", "many"])
def test_a_small_hdf5_of_endless_numbers_is_refused(tmp_path: Path, h5py: Any, kind: str) -> None:
    path, size = tmp_path / "w.h5", 1 << 40
    with h5py.File(path, "w") as file:
        if kind == "packed":
            more = {"chunks": (1 << 20,), "compression": "gzip"}
            file.create_dataset("data/c/0", (size,), "<f4", **more)
        elif kind == "never written":
            file.create_dataset("data/c/0", (size,), "<f4")
        else:
            for index in range(16):
                file.create_dataset(f"data/c{index}/0", (1 << 24,), "<f2")
    with pytest.raises(WeightsError, match=r"unpacks to .* bytes or more"):
        read_caffemodel(path)


def test_a_small_npz_of_endless_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    some = np.zeros(40 << 20, np.uint8)
    np.savez_compressed(path, **{f"c{index}": some for index in range(7)})
    with pytest.raises(WeightsError, match=r"unpacks to .* bytes or more"):
        read_arrays(path)


def test_numbers_that_shrink_well_are_read(tmp_path: Path, h5py: Any) -> None:
    path, zeros = tmp_path / "w.h5", np.zeros(1 << 20, np.float32)
    with h5py.File(path, "w") as file:
        file.create_dataset("data/c/0", data=zeros, chunks=True, compression="gzip")
    np.savez_compressed(tmp_path / "w.npz", c=zeros)
    assert path.stat().st_size < zeros.nbytes // 100
    assert np.array_equal(read_caffemodel(path).weights()["c"][0], zeros)
    assert np.array_equal(read_arrays(tmp_path / "w.npz")["c"], zeros)
