"""Caffemodels that are read alone: what we write we can read, and whose fields they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Document
from prototxt_gen.errors import ParseError
from prototxt_gen.formats.binary.message import message_class, read_binary, serialize
from prototxt_gen.formats.binary.told import telling
from prototxt_gen.formats.dialects import DIALECTS
from prototxt_gen.formats.reader import read_text
from prototxt_gen.generate.zoo import PRESETS, preset

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [1, 4, 8, 8] } } }\n'
POOL = 'layer { name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param { %s } }\n'
#: Field 13 of PoolingParameter is avg_include_pad in intel/caffe, and round_mode in BVLC's.
INTEL = INPUT + POOL % "pool: AVE kernel_size: 3 pad: 1 avg_include_pad: true"
#: Only frcnn has a field 210 with packed numbers in it; x2paddle has Axpy's there.
FRCNN = INPUT + (
    'layer { name: "p" type: "Permute" bottom: "x" top: "p" permute_param { order: [0, 2, 3, 1] } }'
)
#: Field 205 of LayerParameter, and 1 in it, is a height in SSD's and a num_classes elsewhere.
SSD = INPUT + (
    'layer { name: "p" type: "Interp" bottom: "x" top: "p" interp_param { height: 8 width: 8 } }'
)


def small(name: str) -> dict[str, object]:
    """A preset of the same layers with few channels."""
    own = preset(name)
    if own.get("cardinality"):
        return {"cardinality": 2, "base_width": 2, "width": 64}
    return {"width": 4, "width_factor": 1}


def binary(text: str, dialect: str) -> Source:
    source = Source(text.encode())
    sink = Sink(source)
    document = read_text(source, sink, dialect=dialect)
    sink.raise_errors(ParseError)
    data = serialize(Document(document.root, dialect=dialect), "NetParameter")
    return Source(data, "net.caffemodel")


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_read_back_from_its_weights(name: str, tmp_path: Path) -> None:
    net, model = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    net.write_text(api.generate(name, **small(name)))
    assert run(["weights", "init", str(net), "--how", "zeros", "-o", str(model)]) == 0
    alone, wanted = api.read_caffe(model), api.read_caffe(net, model)
    assert alone.dialect == "bvlc"
    assert [(n.name, n.layer, n.bottoms, n.tops) for n in alone.nodes] == [
        (n.name, n.layer, n.bottoms, n.tops) for n in wanted.nodes
    ]
    assert set(alone.stored) == set(wanted.stored)


@pytest.mark.parametrize("name", ["resnet18-tv", "resnext29-8x64d", "se-resnet50", "wrn-16-8"])
def test_weights_alone_are_converted(name: str, tmp_path: Path) -> None:
    net, model, target = (tmp_path / f"net.{x}" for x in ("prototxt", "caffemodel", "onnx"))
    net.write_text(api.generate(name, **small(name)))
    assert run(["weights", "init", str(net), "-o", str(model)]) == 0
    assert run(["convert", str(model), "-o", str(target)]) == 0
    assert run(["weights", "export", str(model), "-o", str(tmp_path / "net.npz")]) == 0


def test_bvlc_goes_first_where_its_reading_is_whole() -> None:
    source = binary(INPUT + POOL % "kernel_size: 3 round_mode: FLOOR", "bvlc")
    found = read_binary(source, Sink(source))
    assert found.dialect == "bvlc"
    pool = list(found.root.blocks("layer"))[1].block("pooling_param")
    assert pool.get("round_mode", str, "") == "FLOOR"


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        (FRCNN, "frcnn"),
        (INTEL.replace('"Pooling"', '"Pooling" engine: "MKLDNN"'), "intel"),
        (
            INPUT + 'layer { name: "p" type: "BatchNorm" bottom: "x" top: "p" '
            "batch_norm_param { scale_bias: true } forward_type: FLOAT16 }",
            "nvcaffe",
        ),
    ],
)
def test_a_file_that_another_dialect_alone_explains(text: str, dialect: str) -> None:
    source = binary(text, dialect)
    found = read_binary(source, Sink(source))
    assert found.dialect == dialect
    assert len(list(found.root.blocks("layer"))) == 2


def test_what_several_others_read_differently_is_refused_with_the_way_out() -> None:
    source = binary(SSD, "ssd")
    readers = [name for name in DIALECTS if _reads(source, name)]
    assert "bvlc" not in readers and len(readers) > 1
    with pytest.raises(ParseError) as caught:
        read_binary(source, Sink(source))
    (found,) = caught.value.diagnostics
    assert found.rule == "mixed-dialects"
    assert "--dialect ssd" in (found.help or "")
    assert read_binary(source, Sink(source), dialect="ssd").dialect == "ssd"


def _reads(source: Source, dialect: str) -> bool:
    try:
        read_binary(source, Sink(source), dialect=dialect)
    except ParseError:
        return False
    return True


def test_a_dialect_is_taken_wherever_a_net_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, model = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    fc = 'layer { name: "f" type: "InnerProduct" bottom: "p" top: "f"\n'
    net.write_text(SSD + fc + "  inner_product_param { num_output: 2 } }\n")
    init = ["weights", "init", str(net), "-o", str(model)]
    assert run([*init, "--dialect", "bvlc"]) == 2
    assert run([*init, "--dialect", "ssd"]) == 0
    as_caffe_writes(model, "ssd")
    capsys.readouterr()
    target = str(tmp_path / "net.npz")
    export = ["weights", "export", str(model), "-o", target]
    assert run(export) == 2
    assert "--dialect" in capsys.readouterr().err
    assert run([*export, "--dialect", "ssd"]) == 0
    rest = [str(net), "-o", str(tmp_path / "again"), "--dialect"]
    assert run(["weights", "import", target, *rest, "ssd"]) == 0
    assert run(["weights", "copy", str(model), *rest, "ssd"]) == 0
    assert run(["weights", "copy", str(model), *rest, "bvlc"]) == 2
    onnx = ["convert", str(model), "-o", str(tmp_path / "net.onnx")]
    assert run(onnx) == 2
    assert run([*onnx, "--dialect", "ssd"]) == 0
    capsys.readouterr()
    assert run([*onnx, "--dialect", "bvlc"]) == 2
    words = "net.caffemodel: error: by the schema of bvlc, LayerParameter has no field number 205"
    assert words in capsys.readouterr().err


def as_caffe_writes(model: Path, dialect: str) -> None:
    """Take out of a file what it tells of its dialect, which Caffe does not write."""
    data = model.read_bytes()
    assert data.endswith(telling(dialect))
    model.write_bytes(data.removesuffix(telling(dialect)))


CEIL = INPUT + POOL % "kernel_size: 3 stride: 2 ceil_mode: false"
FC = """layer { name: "f" type: "InnerProduct" bottom: "p" top: "f"
  inner_product_param { num_output: 2 } }
"""


@pytest.mark.parametrize(
    ("text", "dialect", "other"),
    [
        (INTEL, "intel", "round_mode: FLOOR"),
        # As BVLC's it would round up.
        (CEIL, "caffe_priv", "round_mode: CEIL"),
        (SSD, "ssd", ""),
        (INPUT + POOL % "kernel_size: 3 round_mode: FLOOR", "bvlc", "round_mode: FLOOR"),
    ],
)
def test_a_file_of_ours_tells_its_dialect(
    tmp_path: Path, text: str, dialect: str, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    net, model = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    # Its input is of the old kind, so that there is something to upgrade.
    old = 'input: "x" input_shape { dim: [1, 4, 8, 8] }\n'
    net.write_text(text.replace(INPUT, old) + FC)
    asked = ["--dialect", dialect]
    assert run(["weights", "init", str(net), "-o", str(model), *asked]) == 0
    assert "--dialect" not in capsys.readouterr().err
    assert run(["diff", str(model), str(net)]) == 0
    # An upgrade and a fold keep it.
    more = tmp_path / "more.caffemodel"
    assert run(["upgrade", str(model), "-o", str(more)]) == 0
    assert run(["diff", str(more), str(net)]) == 0
    assert run(["fold", str(net), str(model), "-o", str(tmp_path / "f.prototxt"), *asked]) == 0
    assert run(["diff", str(tmp_path / "f.caffemodel"), str(tmp_path / "f.prototxt")]) == 0
    if dialect == "bvlc":
        assert telling("") not in model.read_bytes()
    else:
        as_caffe_writes(model, dialect)
    capsys.readouterr()
    assert run(["weights", "net", str(model)]) == (0 if other else 2)
    assert other in capsys.readouterr().out


def test_what_is_asked_for_goes_before_what_a_file_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, model = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    net.write_text(CEIL + FC)
    assert run(["weights", "init", str(net), "-o", str(model)]) == 0
    assert run(["weights", "net", str(model), "--dialect", "bvlc"]) == 0
    assert "round_mode: CEIL" in capsys.readouterr().out
    as_caffe_writes(model, "caffe_priv")
    model.write_bytes(model.read_bytes() + telling("martian"))
    assert run(["weights", "net", str(model)]) == 2
    assert "it tells a dialect that is not known, 'martian'" in capsys.readouterr().err


def test_protobuf_skips_what_a_file_tells(tmp_path: Path) -> None:
    """So does Caffe, which reads with the same library."""
    net, model = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    net.write_text(CEIL + FC)
    assert run(["weights", "init", str(net), "-o", str(model)]) == 0
    built = message_class("NetParameter", "caffe_priv")()
    assert built.ParseFromString(model.read_bytes())
    known = type(built)()
    known.CopyFrom(built)
    known.DiscardUnknownFields()
    assert known.SerializeToString() + telling("caffe_priv") == built.SerializeToString()
