import pytest

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Document
from prototxt_gen.errors import ParseError
from prototxt_gen.formats.binary.message import read_binary, serialize
from prototxt_gen.formats.reader import read_text

NET = b"""name: "net"
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [1, 3, 8, 8] } } }
layer {
  name: "pool" type: "Pooling" bottom: "x" top: "y"
  param { lr_mult: 0.1 } pooling_param { pool: AVE kernel_size: 2 }
}
"""


def net() -> Document:
    sink = Sink(Source(NET))
    document = read_text(Source(NET), sink)
    assert not sink.diagnostics
    return document


def test_a_net_is_the_same_in_text_and_in_binary() -> None:
    source = Source(serialize(net(), "NetParameter"))
    again = read_binary(source, Sink(source))
    assert again.root == net().root
    assert again.dialect == "bvlc"


def test_a_binary_that_is_cut_off_is_refused() -> None:
    source = Source(serialize(net(), "NetParameter")[:-3])
    with pytest.raises(ParseError, match="cut off"):
        read_binary(source, Sink(source))
