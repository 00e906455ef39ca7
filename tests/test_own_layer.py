"""Layer types of a user's own: the page that tells how, by its own example; and what goes wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from plugins import forget_layers

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import PluginError
from prototxt_gen.layers import MODULES, layer_class
from prototxt_gen.layers.base import REGISTRY, Layer
from prototxt_gen.layers.python import PYTHON

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "layer.md").read_text("utf-8")
EXAMPLE, _, LIMIT, PROPOSALS = re.findall(r"```python.*?\n(.*?)```", PAGE, re.S)
NET = """name: "own"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [2, 3, 4, 4] } } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
        convolution_param { num_output: 5 kernel_size: 1 } }
layer { name: "r" type: "ReLU" bottom: "c" top: "r" }
layer { name: "g" type: "ChannelGain" bottom: "r" top: "g" scale_param { bias_term: true } }
layer { name: "d" type: "Convolution" bottom: "g" top: "d"
        convolution_param { num_output: 2 kernel_size: 1 } }
layer { name: "h" type: "ChannelGain" bottom: "d" top: "h" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gain.py").write_text(EXAMPLE)
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path


def command(folder: Path, *args: str, gain: str = "gain.py") -> int:
    paths = [
        str(folder / a) if a.endswith((".prototxt", ".caffemodel", ".onnx")) else a for a in args
    ]
    return run([*paths, "--plugin", str(folder / gain)])


def test_the_example_goes_all_the_way(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(folder, "validate", "net.prototxt") == 0
    assert command(folder, "summary", "net.prototxt") == 0
    shown = capsys.readouterr().out
    assert re.search(r"^g +ChannelGain +r +g +2x5x4x4 +10 +\d+$", shown, re.M)
    init = ("weights", "init", "net.prototxt", "-o", "net.caffemodel", "--how", "random")
    assert command(folder, *init) == 0
    convert = ("convert", "net.prototxt", "net.caffemodel", "-o", "net.onnx", "--batch", "dynamic")
    assert command(folder, *convert, "--verify") == 0
    # What is affine is folded: 'h' behind a convolution, not 'g' behind a ReLU.
    assert "\n1 layer folded" in capsys.readouterr().err
    assert command(folder, "verify", "net.prototxt", "net.caffemodel", "net.onnx") == 0


def test_the_example_computes_what_its_page_says(folder: Path) -> None:
    assert api.load_layers(folder / "gain.py") == ("ChannelGain",)
    assert api.load_layers(folder / "gain.py") == ("ChannelGain",), "a second time is no error"
    graph = api.load(folder / "net.prototxt")
    graph.stored = {
        "c": [np.ones((5, 3, 1, 1), np.float32), np.zeros(5, np.float32)],
        "g": [np.arange(5, dtype=np.float32), np.full(5, 2, np.float32)],
        "d": [np.ones((2, 5, 1, 1), np.float32), np.zeros(2, np.float32)],
        "h": [np.array([1, 10], np.float32)],
    }
    found = api.run(graph, {"data": np.ones((2, 3, 4, 4), np.float32)})
    assert found["g"][0, :, 0, 0].tolist() == [2, 5, 8, 11, 14]
    assert found["h"][0, :, 0, 0].tolist() == [40, 400]


def test_a_package_that_is_installed_needs_no_option(folder: Path) -> None:
    info = folder / "own_layers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-layers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[resnet_proto.layers]\ngain = gain\n")
    done = validated(folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "1 file: no errors\n")
    (folder / "gain.py").write_text("1 / 0\n")
    done = validated(folder)
    assert done.returncode == 2
    assert done.stderr == (
        "error: own-layers (entry point 'gain'): ZeroDivisionError: division by zero\n"
    )


def validated(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "prototxt_gen", "validate", str(folder / "net.prototxt")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n", "{}:1: SyntaxError: invalid syntax"),
        ("x = 1\ny = nothing\n", "{}:2: NameError: name 'nothing' is not defined"),
        ("x = 1\n", "{}: registers no layer type; expected a class with @layer"),
        (
            "from prototxt_gen.layers.base import Layer, layer\n"
            '@layer("Convolution")\nclass Mine(Layer):\n    pass\n',
            "{}:2: 'Convolution' is a layer type already; use another name",
        ),
        (
            '@layer("Softmax")\nclass Mine(Layer):\n    pass\n'.join(
                ["from prototxt_gen.layers.base import Layer, layer\n", "import none\n"]
            ),
            "{}:2: 'Softmax' is a layer type already; use another name",
        ),
        (
            "from prototxt_gen.layers.base import Layer, layer\n"
            "import prototxt_gen.layers.convolution\n"
            '@layer("Convolution")\nclass Mine(Layer):\n    pass\n',
            "{}:3: 'Convolution' is a layer type already; use another name",
        ),
    ],
)
def test_a_file_that_fails_registers_nothing(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "own.py"
    file.write_text(text)
    known = set(REGISTRY)
    with pytest.raises(PluginError) as caught:
        api.load_layers(file)
    assert str(caught.value) == message.format(file)
    assert known == {name for name in REGISTRY if name in known or name not in MODULES}
    relu = b'layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 } } }'
    net = relu + b'layer { name: "r" type: "ReLU" bottom: "x" top: "r" }'
    assert api.run(api.load(Source(net)), {})["r"].tolist() == [0, 0]


def test_each_file_answers_for_its_own_types_alone(folder: Path) -> None:
    api.load_layers(folder / "gain.py")
    other = folder / "other.py"
    other.write_text(EXAMPLE.replace("ChannelGain", "OtherGain"))
    assert api.load_layers(other) == ("OtherGain",)
    nothing = folder / "nothing.py"
    nothing.write_text("")
    with pytest.raises(PluginError, match="registers no layer type"):
        api.load_layers(nothing)


def test_a_file_may_be_written_as_ours_are(folder: Path) -> None:
    """With annotations that are looked up in the file's own module, and facets of a base class."""
    text = """from __future__ import annotations
from collections.abc import Sequence
from prototxt_gen.layers.base import Layer, layer

Shape = tuple

class Base(Layer):
    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        return (bottoms[0], bottoms[0])

@layer("Mine", param="scale_param")
class Mine(Base):
    axis: int = 1
"""
    (folder / "mine.py").write_text(text)
    assert api.load_layers(folder / "mine.py") == ("Mine",)
    net = NET.replace("ChannelGain", "Mine")
    with pytest.raises(PluginError, match=r"mine\.py.*'shapes' of layer type 'Mine'.*expected 1"):
        api.validate(Source(net.encode()))


def test_a_file_that_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(folder, "validate", "net.prototxt", gain="none.py") == 2
    assert capsys.readouterr().err == f"error: {folder / 'none.py'}: No such file or directory\n"


@pytest.mark.parametrize(
    ("facet", "old", "new", "args"),
    [
        (
            "blob_shapes",
            "return ((bottoms[0][1],),) * (1 + self.bias_term)",
            "return bottoms[7]",
            ("validate", "net.prototxt"),
        ),
        (
            "run",
            "gain, offset = self.affine(blobs)",
            "gain, offset = {}['x']",
            ("convert", "net.prototxt", "net.caffemodel", "-o", "net.onnx", "--verify"),
        ),
    ],
)
def test_a_facet_that_fails_is_named(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    facet: str,
    old: str,
    new: str,
    args: tuple[str, ...],
) -> None:
    command(folder, "weights", "init", "net.prototxt", "-o", "net.caffemodel")
    capsys.readouterr()
    forget_layers()
    text = EXAMPLE.replace(old, new)
    (folder / "gain.py").write_text(text)
    line = text[: text.index(new)].count("\n") + 1
    assert command(folder, *args) == 2
    err = capsys.readouterr().err
    where = f"error: {folder / 'gain.py'}:{line}: {facet!r} of layer type 'ChannelGain' failed: "
    assert where in err
    assert not (folder / "net.onnx").exists()


def test_the_page_lists_every_facet() -> None:
    table = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", PAGE, re.M))))
    facets = {name for name in vars(Layer) if not name.startswith("_")} - {"type", "param", "known"}
    assert table == facets


def test_a_type_from_outside_is_found_by_its_name(folder: Path) -> None:
    assert layer_class("ChannelGain") is None
    api.load_layers(folder / "gain.py")
    found = layer_class("ChannelGain")
    assert found is not None
    assert found().affine([np.ones(2, np.float32)]) is not None


LIMITED = """name: "limited"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [2, 3] } } }
layer { name: "l" type: "Python" bottom: "data" top: "l"
        python_param { module: "my_layers" layer: "LimitLayer" param_str: "'most': 0.25" } }
"""
PROPOSED = """
layer { name: "s" type: "Input" top: "s" input_param { shape { dim: [1, 18, 14, 17] } } }
layer { name: "o" type: "Input" top: "o" input_param { shape { dim: [1, 36, 14, 17] } } }
layer { name: "i" type: "Input" top: "i" input_param { shape { dim: [1, 3] } } }
layer { name: "p" type: "Python" bottom: "s" bottom: "o" bottom: "i" top: "p" python_param {
        module: "rpn.proposal_layer" layer: "ProposalLayer" param_str: "'feat_stride': 16" } }
"""


def test_a_python_layer_goes_all_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "limit.py").write_text(LIMIT)
    (tmp_path / "net.prototxt").write_text(LIMITED)
    convert = ("convert", "net.prototxt", "-o", "net.onnx", "--verify")
    assert run([convert[0], *(str(tmp_path / a) if "." in a else a for a in convert[1:])]) == 1
    message = "Python: the tops of the Python layer my_layers.LimitLayer are not known; --plugin"
    assert message in capsys.readouterr().err
    for verb in (("validate", "net.prototxt"), ("summary", "net.prototxt"), convert):
        assert command(tmp_path, *verb, gain="limit.py") == 0
    values = {"data": np.array([[1, 0, -1], [0.25, 0.5, 0]], np.float32)}
    found = api.run(api.load(str(tmp_path / "net.prototxt")), values)["l"]
    assert found.tolist() == [[0.25, 0, -1], [0.25, 0.25, 0]]


def test_a_facet_of_a_python_layer_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / "limit.py").write_text(LIMIT)
    assert api.load_layers(tmp_path / "limit.py") == ("my_layers.LimitLayer",)
    graph = api.load(Source(LIMITED.replace("most", "least").encode()))
    with pytest.raises(PluginError) as caught:
        api.convert(graph)
    where = r"limit\.py:\d+: 'lower' of layer type 'my_layers.LimitLayer' failed: KeyError: 'most'"
    assert re.search(where, str(caught.value))


def test_the_description_of_a_class_may_be_replaced(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = {
        "s": random.normal(size=(1, 18, 14, 17)).astype(np.float32),
        "o": random.normal(size=(1, 36, 14, 17)).astype(np.float32),
        "i": np.array([[224, 272, 1]], np.float32),
    }
    before = api.run(api.load(Source(PROPOSED.encode())), values)["p"]
    (tmp_path / "mine.py").write_text(PROPOSALS.replace("1000", "20"))
    api.load_layers(tmp_path / "mine.py")
    after = api.run(api.load(Source(PROPOSED.encode())), values)["p"]
    assert len(before) > len(after) == 20
    np.testing.assert_array_equal(before[:20], after)
    with pytest.raises(PluginError, match="described already by another plug-in"):
        (tmp_path / "other.py").write_text(PROPOSALS)
        api.load_layers(tmp_path / "other.py")
    assert len(api.run(api.load(Source(PROPOSED.encode())), values)["p"]) == len(after)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PROPOSALS + "\nbad", "NameError: name 'bad' is not defined"),
        (
            "from prototxt_gen.layers.base import Layer\n"
            "from prototxt_gen.layers.python import python_layer\n"
            '@python_layer("m", "L")\nclass L(Layer):\n    pass\n',
            "'L' has to be a subclass of Python",
        ),
    ],
)
def test_a_file_with_python_layers_that_fails_registers_nothing(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "own.py").write_text(text)
    known = dict(PYTHON)
    with pytest.raises(PluginError, match=re.escape(message)):
        api.load_layers(tmp_path / "own.py")
    assert known == PYTHON
