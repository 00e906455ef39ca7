"""Two files that belong together change as one: a failure at any step leaves the old pair."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest

from prototxt_gen import api
from prototxt_gen._files import together, whole_file
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.to_onnx.beside import free_name
from prototxt_gen.to_onnx.write import write_model

NET = """input: "data" input_shape { dim: [1, 3, 8, 8] }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "b" type: "BatchNorm" bottom: "c" top: "b" }
"""


def write(value: float, path: Path, *, external_data: bool = True) -> list[str]:
    """A model whose weights all have one value, and which names it as well."""
    graph = api.load(Source(NET.replace('"c"', f'"c{value:.0f}"').encode()))
    blobs = [np.full((4, 3, 3, 3), value, np.float32), np.full(4, value, np.float32)]
    ones = np.ones(4, np.float32)
    graph.stored = {f"c{value:.0f}": blobs, "b": [ones, ones, np.ones(1, np.float32)]}
    made = api.convert(graph, fold=False)
    return write_model(made, path, external_data=external_data)


def value_of(path: Path) -> float:
    """The value of a model's weights; fails where the model is of another one, or of none."""
    model = onnx.load(path)
    (weight,) = (
        onnx.numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if list(tensor.dims) == [4, 3, 3, 3]
    )
    value = float(weight.flat[0])
    assert (weight == value).all()
    assert f"c{value:.0f}" in {name for node in model.graph.node for name in node.output}
    return value


def test_a_net_and_its_report_change_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the report cannot be written, the net that was there stays, and its weights."""
    from prototxt_gen.cli import lift

    write(1, tmp_path / "m.onnx", external_data=False)
    net, weights = tmp_path / "m.prototxt", tmp_path / "m.caffemodel"
    net.write_text("old net")
    weights.write_text("old weights")

    def full(made: object) -> bytes:
        raise OSError(28, "No space left on device", "r.json")

    monkeypatch.setattr(lift, "_report", full)
    words = ["convert", str(tmp_path / "m.onnx"), "-o", str(net)]
    assert run([*words, "--report", str(tmp_path / "r.json")]) == 2
    assert (net.read_text(), weights.read_text()) == ("old net", "old weights")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "m.caffemodel",
        "m.onnx",
        "m.prototxt",
    ]


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, at: int, then: list[object]) -> Iterator[None]:
    """The rename (or removal, or link) of that number fails; ``then`` is called at each."""
    count = 0

    def counted(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **more: object) -> object:
            nonlocal count
            for look in then:
                look()  # type: ignore[operator]
            count += 1
            if count == at:
                raise OSError(5, "failed on purpose", str(args[0]))
            return real(*args, **more)

        patch.setattr(os, name, call)

    with monkeypatch.context() as patch:
        for name in ("replace", "rename", "link"):
            counted(name)
        yield


@pytest.mark.parametrize("first", [True, False], ids=["beside", "inside"])
@pytest.mark.parametrize("second", [True, False], ids=["beside", "inside"])
def test_a_model_never_meets_the_weights_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool, second: bool
) -> None:
    target = tmp_path / "x.onnx"
    write(1, target, external_data=first)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    failures = 0
    for at in range(1, 20):
        seen: list[float] = []
        with failing(monkeypatch, at, [lambda seen=seen: seen.append(value_of(target))]):
            try:
                write(2, target, external_data=second)
            except OSError as error:
                assert error.filename in (str(target), f"{target}.data") or "x.onnx" in str(error)
                failures += 1
        assert set(seen) == {1.0}
        if value_of(target) == 2:
            break
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert failures == at - 1 > 0
    assert len(list(tmp_path.iterdir())) == (2 if second else 1), "the old weights are gone"


def test_weights_have_the_usual_name_again_after_the_next_change(tmp_path: Path) -> None:
    target = tmp_path / "x.onnx"
    usual = f"{target}.data"
    assert write(1, target)[1] == usual
    assert write(1, target)[1] == usual
    other = write(2, target)[1]
    assert other != usual
    assert sorted(map(str, tmp_path.iterdir())) == sorted([str(target), other])
    assert write(3, target)[1] == usual
    assert value_of(target) == 3


def test_weights_that_nothing_reads_are_replaced_and_a_users_file_stays(tmp_path: Path) -> None:
    target = tmp_path / "x.onnx"
    (tmp_path / "x.onnx.data").write_bytes(b"of no model")
    own = tmp_path / "x.onnx.0123abcd.data"
    own.write_bytes(b"not made here")
    assert write(1, target)[1] == f"{target}.data"
    write(2, target)
    assert own.read_bytes() == b"not made here"


def test_the_name_of_weights_is_none_that_is_taken(tmp_path: Path) -> None:
    target, written = tmp_path / "x.onnx", tmp_path / "weights"
    written.write_bytes(b"some")
    taken: dict[str, int] = {}
    for _ in range(4):
        name = free_name(target, written, taken)
        assert name not in taken and name.endswith(".data")
        taken[name] = 1


def test_weights_that_an_interrupted_run_left_go_with_the_next(tmp_path: Path) -> None:
    target = tmp_path / "x.onnx"
    write(1, target)
    other = Path(write(2, target)[1])
    left = other.read_bytes()
    write(1, target)
    other.write_bytes(left)
    usual = write(1, target)[1]
    assert sorted(map(str, tmp_path.iterdir())) == [str(target), usual]


def test_fold_changes_both_files_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, model = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    net.write_text(NET)
    assert run(["weights", "init", str(net), "-o", str(model)]) == 0
    out = tmp_path / "out"
    out.mkdir()
    target, weights = out / "f.prototxt", out / "f.caffemodel"
    target.write_text("old net")
    weights.write_text("old weights")
    command = ["fold", str(net), str(model), "-o", str(target)]
    for at in range(1, 20):
        with failing(monkeypatch, at, []):
            code = run(command)
        if (code, target.read_text()) == (0, "old net"):
            raise AssertionError("nothing was written")
        if code == 0 and target.read_text() != "old net" and at > 3:
            break
        if code:
            assert (target.read_text(), weights.read_text()) == ("old net", "old weights")
            assert len(list(out.iterdir())) == 2
        else:  # a link that fails is made up for by a copy
            target.write_text("old net")
            weights.write_text("old weights")
    assert at == 4
    assert len(list(out.iterdir())) == 2


def test_of_files_that_are_new_none_stays_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = pytest.raises(OSError, match=r"failed on purpose: .*/b'")
    with failing(monkeypatch, 2, []), expected, together():
        for name in "ab":
            with whole_file(tmp_path / name) as file:
                file.write(b"x")
    assert not list(tmp_path.iterdir())
