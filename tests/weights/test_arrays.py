"""Arrays in npz and safetensors: what is broken, lies about its size or is no float is named."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.arrays import read_arrays, write_arrays


def npy(header: str, content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + content


def described(shape: str = "(1,)", descr: str = "'<f4'", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}"


def saved(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def safetensors(path: Path, header: object, content: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)
    return path


def entry(dtype: object, shape: object, places: object) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": places}


def refused(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        read_arrays(path)
    assert path.name in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy("{'descr': '<f4', 'shape': ("), "'w'"),
        (npy("(" * 300), "'w'"),
        (npy("[" * 9000), "'w'"),
        (npy(described("(1048576, 1048576)")), "4398046511104 bytes.*has 0"),
        (npy(described("(-4,)"), b"abcd"), "shape"),
        (npy(described("(0, -1)")), "shape"),
        (npy(described("(True,)"), b"abcd"), "shape"),
        (npy(described("(" + "1," * 33 + ")"), b"abcd"), "33 axes"),
        (npy(described(f"({2**70},)")), "shape"),
        (npy(described(), b"abc"), "3"),
        (npy(described(), b"abcde"), "5"),
        (npy(described(descr="'<U5'"), b"1\0\0\0" * 5), "<U5.*expected"),
        (npy(described(descr="'<c8'"), b"abcdabcd"), "complex64.*expected"),
        (npy(described(descr="'O'"), b"abcd"), "object.*expected"),
        (npy(described(descr="[('a', '<f4')]"), b"abcd"), "expected"),
        (npy(described(descr="'nope'"), b"abcd"), "'w'"),
        (npy(described(), b"abcd", b"\x09\x00"), "'w'"),
        (b"hello", "'w'"),
        (b"", "'w'"),
    ],
)
def test_an_npz_of_another_form(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        read_arrays(npz(tmp_path / "w.npz", ("w.npy", content)))


def test_an_npz_that_is_encrypted(tmp_path: Path) -> None:
    path = npz(tmp_path / "w.npz", ("w.npy", saved(np.ones(3, np.float32))))
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + flags] |= 1
    path.write_bytes(content)
    assert "encrypted" in refused(path)


def test_an_npz_with_one_name_twice(tmp_path: Path) -> None:
    value = saved(np.ones(3, np.float32))
    assert "'w' twice" in refused(npz(tmp_path / "w.npz", ("w.npy", value), ("w", value)))


def test_an_npz_whose_directory_points_nowhere(tmp_path: Path) -> None:
    path = npz(tmp_path / "w.npz", ("w.npy", saved(np.ones(3, np.float32))))
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x05\x06") + 16
    content[at : at + 4] = b"\xff\xff\xff\x7f"
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f8", "<f2", "<i8", "u1", "?"])
def test_numbers_of_an_npz_are_read_as_float(tmp_path: Path, kind: str, order: Any) -> None:
    value = np.array([[1, 0, 1], [0, 0, 1]], kind, order=order)
    found = read_arrays(npz(tmp_path / "w.npz", ("w.npy", saved(value))))["w"]
    assert found.dtype == np.float32 and np.array_equal(found, value)


def test_doubles_that_are_too_large_are_infinite(tmp_path: Path) -> None:
    content = saved(np.array([1e308, -1e308]))
    found = read_arrays(npz(tmp_path / "w.npz", ("w.npy", content)))["w"]
    assert found.tolist() == [np.inf, -np.inf]
    header = {"w": entry("F64", [1], [0, 8])}
    found = read_arrays(
        safetensors(tmp_path / "w.safetensors", header, np.float64(1e308).tobytes())
    )
    assert found["w"].tolist() == [np.inf]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"__metadata__": [1]}, "__metadata__.*mapping"),
        ({"__metadata__": {"a": 1}}, "__metadata__.*mapping"),
        ([], "not a JSON object"),
        (b"{", "header"),
        (b"[" * 9000, "header"),
        (b'{"\xff": 1}', "UTF-8"),
        (b'{"\\ud800": ' + json.dumps(entry("F32", [1], [0, 4])).encode() + b"}", "UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b'{"w": 1, "w": 2}', "'w' twice"),
        (b'{"w": {"dtype": "F32", "dtype": "F32"}}', "'dtype' twice"),
        ({"w": 1}, "'w'"),
        ({"w": {"dtype": "F32", "shape": [1]}}, "'w'.*data_offsets"),
        *(
            ({"w": entry(kind, [1], [0, 4])}, f"'w' is {kind}; expected F32, F64, F16 or BF16")
            for kind in ("I64", "I32", "I16", "I8", "U64", "U8", "BOOL", "F8_E4M3")
        ),
        ({"w": entry(["F32"], [1], [0, 4])}, "'w'.*expected F32"),
        ({"w": entry("F32", 1, [0, 4])}, "'w'.*shape"),
        ({"w": entry("F32", [-1], [0, 4])}, "'w'.*shape"),
        ({"w": entry("F32", [True], [0, 4])}, "'w'.*shape"),
        ({"w": entry("F32", [1.0], [0, 4])}, "'w'.*shape"),
        ({"w": entry("F32", [2**31, 2**31], [0, 4])}, "'w'.*shape.*2147483647"),
        ({"w": entry("F32", [2**16, 2**16], [0, 4])}, "'w' needs 17179869184 .* has 4"),
        ({"w": entry("F32", [0, *[2**31 - 1] * 31], [0, 0])}, "'w'.*too large"),
        ({"w": entry("F32", [1] * 33, [0, 4])}, "'w'.*33 axes"),
        ({"w": entry("F32", [1], [0])}, "'w'.*data_offsets"),
        ({"w": entry("F32", [1], "04")}, "'w'.*data_offsets"),
        ({"w": entry("F32", [1], [-4, 0])}, "'w'.*data_offsets"),
        ({"w": entry("F32", [1], [4, 0])}, "'w'.*data_offsets"),
        ({"w": entry("F32", [1], [0.0, 4.0])}, "'w'.*data_offsets"),
        ({"w": entry("F32", [2], [0, 8])}, "'w'.*data_offsets.*4 bytes"),
        ({"w": entry("F32", [1], [2**70, 2**70 + 4])}, "'w'.*data_offsets"),
        ({"w": entry("F32", [1], [0, 4]), "v": entry("F32", [1], [0, 4])}, "'v'.*data_offsets"),
        ({"w": entry("F16", [1], [2, 4])}, "'w'.*data_offsets"),
        ({"w": entry("F16", [1], [0, 2])}, "2 bytes after the last array"),
    ],
)
def test_a_safetensors_of_another_form(tmp_path: Path, header: object, words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        read_arrays(safetensors(tmp_path / "w.safetensors", header, b"abcd"))


def test_a_header_longer_than_the_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes((2**63).to_bytes(8, "little") + b"{}")
    assert "longer than the file" in refused(path)


def test_bfloat16_is_read_by_its_upper_half(tmp_path: Path) -> None:
    # 1.0, -2.0, infinity, and 3.140625, the bfloat16 nearest to pi.
    content = np.array([0x3F80, 0xC000, 0x7F80, 0x4049], "<u2").tobytes()
    path = safetensors(
        tmp_path / "w.safetensors",
        {"__metadata__": {"format": "pt"}, "w": entry("BF16", [2, 2], [0, 8])},
        content,
    )
    found = read_arrays(path)["w"]
    assert found.dtype == np.float32
    assert found.tolist() == [[1.0, -2.0], [np.inf, 3.140625]]


def test_what_its_own_library_writes_is_read(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    values = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.array(2.5, np.float16),
        "c": np.zeros((0, 3), np.float64),
        "é": np.array([1e-3], np.float64),
    }
    path = tmp_path / "w.safetensors"
    library.save_file(values, path, metadata={"format": "np"})
    found = read_arrays(path)
    assert found.keys() == values.keys()
    for name, value in values.items():
        assert found[name].dtype == np.float32
        assert np.array_equal(found[name], value.astype(np.float32))
        assert found[name].shape == value.shape


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_name_that_is_not_utf8_is_not_written(tmp_path: Path, suffix: str) -> None:
    name = b"caf\xe9/weight".decode("utf-8", "surrogateescape")
    path = tmp_path / f"w{suffix}"
    with pytest.raises(WeightsError, match="UTF-8"):
        write_arrays(path, {name: np.ones(3, np.float32)})
    assert not path.exists()
