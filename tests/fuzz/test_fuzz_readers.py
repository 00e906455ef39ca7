"""Every reader takes any bytes: what it cannot read is refused in words."""

from __future__ import annotations

import atexit
import io
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.generated import SAMPLE
from fuzz.fuzzing import fuzz
from fuzz.mutations import damaged, edited
from fuzz.test_fuzz_convert import GOLDEN, GOLDEN_NETS, is_small
from hypothesis import strategies as st

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source, render
from prototxt_gen.errors import PrototxtError
from prototxt_gen.fleet import manifest
from prototxt_gen.formats.binary.arrays import read_arrays, write_arrays
from prototxt_gen.formats.binary.caffemodel import read_caffemodel
from prototxt_gen.formats.binary.message import read_binary
from prototxt_gen.formats.binary.start import is_binary
from prototxt_gen.formats.dialects import DIALECTS
from prototxt_gen.formats.prototxt import print_document
from prototxt_gen.formats.reader import read_text
from prototxt_gen.generate.specfile import read_spec
from prototxt_gen.graph.write import write

UPGRADE = Path(__file__).parents[1] / "upgrade"
OLD_NETS = [file.read_bytes() for file in sorted(UPGRADE.glob("*.before.prototxt"))]
LABELS = b'item { name: "a" label: 1 display_name: "b" }\nitem { name: "c" label: 2 }\n'
SOLVER = b'net: "n.prototxt"\nbase_lr: 0.1 lr_policy: "step" stepsize: 10 type: "SGD"\n'
CAFFEMODELS = [file.read_bytes() for file in sorted(GOLDEN.glob("*/*/net.caffemodel"))]
FOLDER = Path(tempfile.mkdtemp(prefix="prototxt-fuzz-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
VALUES = {
    "c/weight": np.arange(12, dtype=np.float32).reshape(4, 3),
    "c/bias": np.zeros(4, np.float32),
    "s": np.float32(1.5).reshape(()),
}
SPECS = [
    b"stages: [3, 4, 6, 3]\nblock: basic\nclasses: 10\n",
    b"preset: resnet50\nclasses: 10\nse: 16\nnaming: torchvision\n",
    b"depth: 18\nphase: train_val\ntrain_batch: 32\ninput_shape: [1, 3, 32, 32]\n",
    b"depth: 18\nphase: train_val\ntraining:\n  mean: [1, 2, 3]\n  filler: gaussian:0.1\n"
    b"  net: {debug_info: true}\n  test_transform: {force_color: true}\n",
    b"stages:\n- 2\n- 2\nwidth_factor: 1.5\ncoeff: [1, 0.5]\nname: 'a: b'\n",
]
MANIFEST = json.dumps(
    {"nets": {"a": {"mark": "0f", "status": "converted", "why": "", "size": "10 -"}, "b/c": {}}}
).encode()


def _file(name: str, data: bytes) -> Path:
    path = FOLDER / name
    path.unlink(missing_ok=True)  # so that no map of the earlier one sees the change
    path.write_bytes(data)
    return path


def _written(suffix: str) -> bytes:
    path = FOLDER / f"seed{suffix}"
    write_arrays(path, VALUES)
    return path.read_bytes()


def _compressed() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **VALUES, whole=np.arange(5), half=np.ones(3, np.float16))
    return stream.getvalue()


def _in_words(reading: Callable[[], Any]) -> Any:
    """What is read; None where it is refused, and the refusal says something."""
    try:
        return reading()
    except PrototxtError as error:
        assert error.message
        for diagnostic in error.diagnostics:
            assert render(diagnostic, error.source)
        return None


@fuzz(
    400,
    edited([SAMPLE, LABELS, SOLVER, *OLD_NETS, *GOLDEN_NETS]) | st.binary(max_size=200),
    st.sampled_from([None, None, *DIALECTS]),
)
def test_any_text_is_validated(text: bytes, dialect: str | None) -> None:
    source = Source(text)
    for diagnostic in api.validate(source, dialect):
        assert render(diagnostic, source)
    graph = _in_words(lambda: api.load(source, None, dialect))
    if graph is not None:
        _in_words(lambda: api.dump(graph))


@fuzz(300, edited(OLD_NETS), st.booleans())
def test_any_old_net_is_upgraded(text: bytes, binary: bool) -> None:
    source = Source(text)
    graph = _in_words(lambda: api.load(source))
    if graph is None:
        return
    printed = print_document(write(graph))
    assert not read_text(Source(printed), sink := Sink(Source(printed))).root.has("layers")
    assert not sink.errors, printed


@fuzz(300, damaged(CAFFEMODELS))
def test_any_bytes_are_a_caffemodel_or_refused(data: bytes) -> None:
    path = _file("w.caffemodel", data)
    is_binary(data)
    found = _in_words(lambda: read_caffemodel(path))
    if found is not None:
        for blobs in found.weights().values():
            assert all(blob.dtype == np.float32 for blob in blobs)
    graph = _in_words(lambda: api.read_caffe(path))
    if graph is not None and is_small(graph):
        _in_words(lambda: api.summarize(graph))
        _in_words(lambda: api.convert(graph))
    _in_words(lambda: read_binary(Source(data), Sink(Source(data))))


@pytest.fixture(scope="module")
def hdf5() -> bytes:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    path = FOLDER / "seed.h5"
    with h5py.File(path, "w") as file:
        file["data/c/0"] = VALUES["c/weight"]
        file["data/c/1"] = VALUES["c/bias"]
        file["data/group\\s/0"] = np.arange(3)
    return path.read_bytes()


def test_any_bytes_are_hdf5_or_refused(hdf5: bytes) -> None:
    @fuzz(150, damaged([hdf5]))
    def target(data: bytes) -> None:
        path = _file("w.h5", data)
        _in_words(lambda: read_caffemodel(path))

    target()


@fuzz(400, damaged([_written(".npz"), _compressed()]))
def test_any_bytes_are_an_npz_or_refused(data: bytes) -> None:
    _arrays("w.npz", data)


@fuzz(400, damaged([_written(".safetensors")]) | edited([_written(".safetensors")]))
def test_any_bytes_are_a_safetensors_or_refused(data: bytes) -> None:
    _arrays("w.safetensors", data)


_KEYS = st.sampled_from(["a", "dtype", "shape", "data_offsets", "__metadata__", "nets", "mark"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)
_ENTRIES = st.dictionaries(
    st.sampled_from(["a", "b", "__metadata__"]),
    st.fixed_dictionaries(
        {
            "dtype": st.sampled_from(["F32", "F16", "BF16", "I64"]) | _JSON,
            "shape": st.lists(st.integers(-1, 5), max_size=3) | _JSON,
            "data_offsets": st.lists(st.integers(-1, 40), min_size=2, max_size=2) | _JSON,
        }
    )
    | _JSON,
)


@fuzz(300, _ENTRIES | _JSON)
def test_any_header_is_a_safetensors_or_refused(header: Any) -> None:
    text = json.dumps(header).encode()
    _arrays("w.safetensors", len(text).to_bytes(8, "little") + text + bytes(range(40)))


def _arrays(name: str, data: bytes) -> None:
    path = _file(name, data)
    found = _in_words(lambda: read_arrays(path))
    for value in (found or {}).values():
        assert value.dtype == np.float32


@fuzz(300, damaged([MANIFEST]) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_any_manifest_is_read_or_ignored(data: bytes) -> None:
    _file(manifest.MANIFEST, data)
    rows = manifest.read(FOLDER)
    manifest.write(FOLDER, {**rows, "z": {"mark": "1"}})
    assert manifest.read(FOLDER) == {**rows, "z": {"mark": "1"}}


@fuzz(300, edited(SPECS) | damaged(SPECS))
def test_any_spec_is_built_or_refused(text: bytes) -> None:
    path = _file("spec.yaml", text)
    _in_words(lambda: api.generate(read_spec(path).values))
