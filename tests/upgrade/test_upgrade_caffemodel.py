"""``upgrade`` of caffemodels: the nets as Caffe's own tool makes them, the weights as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.errors import ParseError, WeightsError
from prototxt_gen.formats import content
from prototxt_gen.formats.binary.caffemodel import read_caffemodel
from prototxt_gen.formats.binary.message import message_class, to_message
from prototxt_gen.formats.reader import read_text

OWN = sorted(Path(__file__).parent.glob("*.before.prototxt"))


def after(file: Path) -> Path:
    return file.with_name(file.name.replace("before", "after"))


def blob(number: int) -> dict[str, Any]:
    """A blob in one of the forms that Caffe has written."""
    forms: list[dict[str, Any]] = [
        {"num": 1, "channels": 1, "height": 1, "width": 2, "data": [number, 0.1]},
        {"shape": {"dim": [3]}, "data": [number, 1, 2]},
        {"shape": {"dim": [1]}, "double_data": [number], "diff": [4]},
    ]
    return forms[number % 3]


def with_blobs(net: Any, outputs: list[str]) -> Any:
    """The message of a net with one to three blobs for each of its layers of these names."""
    layers = [*net.layer, *net.layers]
    for layer in layers:
        own = layer.layer if hasattr(layer, "layer") and layer.HasField("layer") else layer
        if own.name in outputs:
            first = outputs.index(own.name)
            for number in range(first, first + 1 + first % 3):
                own.blobs.add(**blob(number))
    return net


def message(file: Path) -> Any:
    source = Source(file.read_bytes())
    return to_message(read_text(source, Sink(source)).root, "NetParameter")


def test_caffemodels_are_as_caffes_own_tool_makes_the_nets(recorded: Path, tmp_path: Path) -> None:
    for before in [*OWN, *sorted((recorded / "upgrade").glob("*.before.prototxt"))]:
        wanted = message(after(before))
        names = [layer.name for layer in wanted.layer if layer.type != "Input"]
        given, new = tmp_path / "old.caffemodel", tmp_path / "new.caffemodel"
        given.write_bytes(with_blobs(message(before), names).SerializeToString())
        assert run(["upgrade", str(given), str(new)]) == 0
        found: Any = message_class("NetParameter").FromString(new.read_bytes())
        assert found == with_blobs(wanted, names), before
        old_weights, weights = (read_caffemodel(path).weights() for path in (given, new))
        assert {name: [a.tolist() for a in blobs] for name, blobs in weights.items()} == {
            name: [a.tolist() for a in blobs] for name, blobs in old_weights.items()
        }
        again = api.upgrade(new)
        assert (again.changes, again.data) == ([], new.read_bytes())


def test_the_caffemodels_of_the_corpus(corpus: Path) -> None:
    files = sorted(corpus.rglob("*.caffemodel"))
    assert files
    for file in files:
        made = api.upgrade(file)
        again = api.upgrade(Source(made.data))
        assert (again.changes, again.data) == ([], made.data)


def test_a_large_caffemodel_is_read_bit_by_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net: Any = message_class("NetParameter")()
    net.layers.add(name="a", type="CONVOLUTION").blobs.add(data=range(1000))
    file = tmp_path / "net.caffemodel"
    file.write_bytes(net.SerializeToString())
    whole = api.upgrade(file).data
    monkeypatch.setattr(content, "READ_WHOLE", 100)
    assert run(["upgrade", str(file), "--in-place"]) == 0
    assert file.read_bytes() == whole
    assert api.upgrade(file).data == whole


def test_layers_of_one_name_keep_their_own_blobs() -> None:
    net: Any = message_class("NetParameter")()
    for number in range(3):
        net.layers.add(name="same", type="CONVOLUTION").blobs.add(**blob(number))
    made: Any = message_class("NetParameter").FromString(
        api.upgrade(Source(net.SerializeToString())).data
    )
    for number, layer in enumerate(made.layer):
        (found,) = layer.blobs
        assert found == net.layers[number].blobs[0]


def test_a_caffemodel_that_cannot_be_upgraded() -> None:
    net: Any = message_class("NetParameter")()
    net.layers.add(name="a", type="RELU")
    whole = net.SerializeToString()
    with pytest.raises(WeightsError, match="cut off"):
        api.upgrade(Source(whole[:-1], "x.caffemodel"))
    with pytest.raises(ParseError, match="no field number 777"):
        api.upgrade(Source(whole + b"\xc8\x30\x01"))
    new: Any = message_class("NetParameter")()
    new.layer.add(name="a", type="ReLU")
    kept = new.SerializeToString() + b"\xc8\x30\x01"
    assert api.upgrade(Source(kept)).data == kept
    with pytest.raises(WeightsError, match="HDF5"):
        api.upgrade(Source(b"\x89HDF\r\n\x1a\n"))
    net.layer.add(name="b", type="ReLU")
    with pytest.raises(ParseError, match="1 layer and 1 layers"):
        api.upgrade(Source(net.SerializeToString()))
