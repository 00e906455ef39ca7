"""Weights that are odd, of another form, or of another net: named, and nothing written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen import weights as tools
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.arrays import read_arrays, write_arrays
from prototxt_gen.formats.binary.caffemodel import read_caffemodel
from prototxt_gen.formats.binary.start import is_binary
from prototxt_gen.formats.binary.wire import encoded

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [1, 3, 8, 8] } } }\n'


def convolution(name: str = "c", filler: str = "", more: str = "") -> str:
    return (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "x" top: "{name}" '
        f"convolution_param {{ num_output: 4 kernel_size: 3 {filler} }} {more} }}\n"
    )


def written(folder: Path, text: str, name: str = "net.prototxt") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def init(net: Path, *more: str, name: str = "m.caffemodel") -> Path:
    target = net.with_name(name)
    arguments = ["weights", "init", str(net), "--how", "random", "-o", str(target), *more]
    assert run(arguments) == 0
    return target


def field(number: int, content: bytes) -> bytes:
    return encoded(number << 3 | 2) + encoded(len(content)) + content


def layer(name: str, *blobs: bytes) -> bytes:
    return field(100, field(1, name.encode()) + b"".join(field(7, blob) for blob in blobs))


def blob(shape: tuple[int, ...], values: bytes) -> bytes:
    return field(7, field(1, b"".join(map(encoded, shape)))) + field(5, values)


def made(text: str, how: str = "fillers") -> dict[str, list[np.ndarray]]:
    return tools.make(api.load(Source(text.encode())), how)  # type: ignore[arg-type]


def copy(model: Path, net: Path, *names: str) -> int:
    target = net.with_name("copied")
    maps = [word for name in names for word in ("--map", name)]
    return run(["weights", "copy", str(model), str(net), "-o", str(target), *maps])


def test_a_map_goes_before_a_layer_of_the_same_name(tmp_path: Path) -> None:
    model = init(written(tmp_path, INPUT + convolution("a") + convolution("c")))
    net = written(tmp_path, INPUT + convolution("c"), "other.prototxt")
    assert copy(model, net, "a=c") == 0
    stored, copied = tools.stored(model), tools.stored(tmp_path / "copied")
    assert np.array_equal(copied["c"][0], stored["a"][0])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("a=c", "b=c"), "'a' and 'b' cannot both become 'c'"),
        (("a=nope",), "no layer 'nope'"),
        (("nope=c",), "no layer 'nope'"),
        ((), "none of its layers matches"),
    ],
)
def test_a_copy_that_cannot_be(
    tmp_path: Path, names: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = init(written(tmp_path, INPUT + convolution("a") + convolution("b")))
    net = written(tmp_path, INPUT + convolution("c"), "other.prototxt")
    assert copy(model, net, *names) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "copied").exists()


def test_two_layers_cannot_get_one_name() -> None:
    graph = api.load(Source((INPUT + convolution()).encode()))
    with pytest.raises(WeightsError, match="both become 'c'"):
        tools.copy({}, graph, {"a": "c", "b": "c"})


def test_shapes_of_v1_fit(tmp_path: Path) -> None:
    net = written(tmp_path, INPUT + convolution())
    graph = api.load(net)
    old = {"c": [np.ones((4, 3, 3, 3), np.float32), np.ones((1, 1, 1, 4), np.float32)]}
    found, _ = tools.copy(old, graph)
    assert [value.shape for value in found["c"]] == [(4, 3, 3, 3), (4,)]
    assert tools.nested(graph, tools.flat(graph, old))["c"][1].shape == (4,)


def test_copy_into_a_net_for_training(tmp_path: Path) -> None:
    model = init(written(tmp_path, INPUT + convolution()))
    data = 'layer { name: "d" type: "Data" top: "x" data_param { source: "a" batch_size: 2 } }\n'
    assert copy(model, written(tmp_path, data + convolution(), "train.prototxt")) == 0
    assert tools.difference(tools.stored(model), tools.stored(tmp_path / "copied")) == []


def test_export_says_what_the_net_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = init(written(tmp_path, INPUT + convolution("a") + convolution("b")))
    net = written(tmp_path, INPUT + convolution("a"), "part.prototxt")
    other = written(tmp_path, INPUT + convolution("z"), "other.prototxt")
    arrays, again = tmp_path / "w.npz", tmp_path / "again"
    export = ["weights", "export", str(model)]
    assert run([*export, str(other), "-o", str(arrays)]) == 2
    assert not arrays.exists()
    assert run([*export, str(net), "-o", str(arrays)]) == 0
    assert "no such layer: b" in capsys.readouterr().err
    assert run(["weights", "import", str(arrays), str(net), "-o", str(again)]) == 0
    assert set(tools.stored(again)) == {"a"}


@pytest.mark.parametrize("suffix", [".h5", ".npz", ".safetensors", ".onnx", ".PROTOTXT"])
def test_a_caffemodel_has_no_name_of_another_form(tmp_path: Path, suffix: str) -> None:
    net, target = written(tmp_path, INPUT + convolution()), tmp_path / f"x{suffix}"
    model, arrays = init(net), tmp_path / "w.npz"
    assert run(["weights", "export", str(model), str(net), "-o", str(arrays)]) == 0
    for words in (["init", str(net)], ["import", str(arrays), str(net)]):
        assert run(["weights", *words, "-o", str(target)]) == 2
    assert run(["weights", "copy", str(model), str(net), "-o", str(target)]) == 2
    assert not target.exists()


def test_no_input_is_overwritten(tmp_path: Path) -> None:
    net = written(tmp_path, INPUT + convolution(), "net.txt")
    model, arrays = init(net), tmp_path / "w.npz"
    assert run(["weights", "export", str(model), str(net), "-o", str(arrays)]) == 0
    for words, target in (
        (["init", str(net)], net),
        (["export", str(model), str(net)], model),
        (["import", str(arrays), str(net)], net),
        (["copy", str(model), str(net)], model),
    ):
        before = target.read_bytes()
        assert run(["weights", *words, "-o", str(target)]) == 2
        assert target.read_bytes() == before


def test_a_shape_that_is_not_known_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = 'layer { name: "d" type: "Data" top: "x" data_param { source: "a" batch_size: 2 } }\n'
    net = written(tmp_path, data + convolution(filler='weight_filler { type: "xavier" }'))
    target = tmp_path / "m"
    arguments = ["weights", "init", str(net), "-o", str(target)]
    assert run(arguments) == 2
    assert "'c': the shape of its weights is not known" in capsys.readouterr().err
    assert not target.exists()
    assert run([*arguments, "--input-shape", "x=1,3,8,8"]) == 0
    assert tools.stored(target)["c"][0].shape == (4, 3, 3, 3)
    assert run([*arguments, "--seed", "-1"]) == 2


def test_a_layer_behind_an_unknown_one_is_named() -> None:
    python = (
        'layer { name: "p" type: "Python" bottom: "x" top: "y" python_param { module: "a" } }\n'
    )
    with pytest.raises(WeightsError, match=r"layer 'c': the shape of its weights.*layer 'p'"):
        made(INPUT + python + convolution().replace('bottom: "x"', 'bottom: "y"'))


@pytest.mark.parametrize(
    ("type", "empty", "value", "usual"),
    [("Scale", "scale_param { filler {} }", 0, 1), ("PReLU", "prelu_param { filler {} }", 0, 0.25)],
)
def test_an_empty_filler_is_a_filler(type: str, empty: str, value: float, usual: float) -> None:
    text = INPUT + 'layer { name: "s" type: "%s" bottom: "x" top: "s" %s }'
    assert made(text % (type, empty))["s"][0].tolist() == [value] * 3
    assert made(text % (type, ""))["s"][0].tolist() == [usual] * 3


@pytest.mark.parametrize(
    "filler",
    [
        'weight_filler { type: "gaussian" std: -1 }',
        'weight_filler { type: "uniform" min: 0 max: inf }',
        'weight_filler { type: "uniform" min: 1 max: 0 }',
        'weight_filler { type: "uniform" min: nan }',
    ],
)
def test_fillers_that_make_no_sense(filler: str) -> None:
    with pytest.raises(WeightsError, match="layer 'c'"):
        made(INPUT + convolution(filler=filler))


def test_a_bias_on_the_unit_ball_is_one() -> None:
    """Each output's inputs add up to 1, and a bias has one (PositiveUnitballFiller, filler.hpp)."""
    found = made(INPUT + convolution(filler='bias_filler { type: "positive_unitball" }'))
    assert found["c"][1].tolist() == [1] * 4


def test_a_scalar_has_no_fan() -> None:
    text = 'layer { name: "s" type: "Scale" bottom: "x" top: "s" scale_param { %s num_axes: 0 } }'
    for kind in ("xavier", "msra"):
        with pytest.raises(WeightsError, match="layer 's'"):
            made(INPUT + text % f'filler {{ type: "{kind}" }}')


def test_init_says_what_is_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    norm = 'layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }\n'
    net = written(tmp_path, INPUT + convolution() + norm)
    arguments = ["weights", "init", str(net), "-o", str(tmp_path / "m")]
    assert run(arguments) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "1 layer (c)" in lines[0]
    assert "BatchNorm" in lines[1]
    assert run([*arguments, "--how", "random"]) == 0
    assert capsys.readouterr().err == ""


UNKNOWN = 'layer { name: "u" type: "Mine" bottom: "x" top: "u" }\n'
MINE = "no weights are known of the type 'Mine'"


def test_a_layer_of_an_unknown_type_is_not_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = written(tmp_path, INPUT + convolution() + UNKNOWN)
    for how in ("fillers", "random", "zeros"):
        assert run(["weights", "init", str(net), "--how", how, "-o", str(tmp_path / "m")]) == 2
        assert f"layer 'u': {MINE}" in capsys.readouterr().err
    model = init(written(tmp_path, INPUT + convolution(), "known.prototxt"))
    arrays, target = tmp_path / "a.npz", tmp_path / "new"
    assert run(["weights", "export", str(model), "-o", str(arrays)]) == 0
    assert run(["weights", "import", str(arrays), str(net), "-o", str(target)]) == 2
    assert f"layer 'u': {MINE}" in capsys.readouterr().err
    assert not target.exists()
    assert run(["weights", "copy", str(model), str(net), "-o", str(target)]) == 0
    out, err = capsys.readouterr()
    assert MINE in out and "1 of 2 layers matched" in err


def test_a_given_shape_tells_which_weights_a_layer_has(tmp_path: Path) -> None:
    text = """layer { name: "d" type: "HDF5Data" top: "x" hdf5_data_param { source: "s" } }
      layer { name: "f" type: "InnerProduct" bottom: "x" top: "f"
        inner_product_param { num_output: 2 } }"""
    net, shape = written(tmp_path, text), ["--input-shape", "x=1,5"]
    model, arrays = init(net, *shape), tmp_path / "a.npz"
    assert run(["weights", "export", str(model), str(net), "-o", str(arrays)]) == 0
    for verb, source in (("import", arrays), ("copy", model)):
        target = tmp_path / verb
        arguments = ["weights", verb, str(source), str(net), "-o", str(target)]
        assert run(arguments) == 2
        assert run([*arguments, *shape]) == 0
        assert [blob.shape for blob in tools.stored(target)["f"]] == [(2, 5), (2,)]


def test_arrays_that_are_none(tmp_path: Path) -> None:
    whole = tmp_path / "whole.npz"
    write_arrays(whole, {"c/weight": np.ones((40, 40), np.float32)})
    model = init(written(tmp_path, INPUT + convolution())).read_bytes()
    listed = (2).to_bytes(8, "little") + b"[]"
    entry = (10).to_bytes(8, "little") + b'{"a": [1]}'
    for name, content in (
        ("cut.npz", whole.read_bytes()[:500]),
        ("empty.npz", b""),
        ("model.npz", model),
        ("empty.safetensors", b""),
        ("list.safetensors", listed),
        ("entry.safetensors", entry),
        ("model.safetensors", model),
    ):
        file = tmp_path / name
        file.write_bytes(content)
        with pytest.raises(WeightsError, match=name) as caught:
            read_arrays(file)
        assert "pickle" not in str(caught.value)


@pytest.mark.parametrize("seed", range(40))
def test_a_caffemodel_without_a_name_is_binary(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 3000))
    values = random.integers(1, 255, 4 * count, dtype=np.uint8).tobytes()
    head = field(3, b"data") + b"\x20\x01" * 4 if seed % 2 else b""
    file = tmp_path / "m"
    file.write_bytes(head + layer("c" * (1 + seed), blob((count,), values)))
    assert is_binary(file.read_bytes())
    assert read_caffemodel(file).weights()["c" * (1 + seed)][0].tobytes() == values


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "utf-8-sig"])
@pytest.mark.parametrize(
    "start", ["", "\n", "\n\n", "\t", " ", "\r\n", "# 网络 卷积\n", "\n# 池化\n"]
)
def test_a_text_is_no_caffemodel(tmp_path: Path, encoding: str, start: str) -> None:
    file = tmp_path / "net.prototxt"
    text = start + "# 卷积网络的定义 " * 400 + "\n" + INPUT
    file.write_bytes(text.encode(encoding))
    assert not is_binary(file.read_bytes())
    file.write_bytes(b"\n# caf\xe9 \xa2\n" + INPUT.encode())
    assert not is_binary(file.read_bytes())
    with pytest.raises(WeightsError, match="this is a text"):
        read_caffemodel(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x08\x08" + field(2, b"pytorch") + field(7, b"\0" * 200), "is an ONNX model, not a"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "is a PNG picture, not a caffemodel"),
        (b"\xff\xff\0\x01" * 50, "not a caffemodel"),
        (layer("c", blob((1,) * 33, b"abcd")), "33 axes"),
        (layer("c", blob((0, 2**62), b"")), "not a caffemodel"),
    ],
)
def test_what_is_no_caffemodel_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "w"
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=words):
        read_caffemodel(file)


@pytest.mark.parametrize("kind", ["dataset", "link", "layer", "key", "cut"])
def test_hdf5_of_another_form(tmp_path: Path, kind: str) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        if kind == "dataset":
            file["data"] = np.ones(3)
        elif kind == "link":
            file.create_group("data")["c"] = h5py.SoftLink("/nowhere")
        elif kind == "layer":
            file["data/c"] = np.ones(3)
        else:
            file["data/c/weight"] = np.ones(3)
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(WeightsError, match=r"w\.h5"):
        read_caffemodel(path)


@pytest.mark.filterwarnings("error")
def test_nan_is_like_nan() -> None:
    nan, inf = np.nan, np.inf
    a = {"c": [np.array([nan, 1, inf], np.float32)], "d": [np.array([nan, nan], np.float32)]}
    b = {"c": [np.array([nan, 3, inf], np.float32)], "d": [np.array([nan, 0], np.float32)]}
    assert tools.difference(a, a) == []
    assert tools.difference(a, b) == [
        ("c[0]", "1 of 3 differ, by 2"),
        ("d[0]", "1 of 2 differ, 1 of them NaN in one file"),
    ]
