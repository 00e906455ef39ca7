"""Binaries whose numbers two forks read differently, by the collisions of their schemas."""

from __future__ import annotations

import pytest

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block
from prototxt_gen.errors import ParseError
from prototxt_gen.formats.binary.message import _difference, read_binary, serialize
from prototxt_gen.formats.binary.wire import encoded
from prototxt_gen.formats.reader import read_text
from prototxt_gen.formats.schema import schema


def net(text: str, dialect: str = "bvlc") -> Source:
    sink = Sink(Source(text.encode()))
    assert sink.source
    document = read_text(sink.source, sink, "NetParameter", dialect)
    assert not sink.errors
    return Source(serialize(document, "NetParameter"))


def test_one_number_of_two_fields_is_refused_with_both() -> None:
    """13 of PoolingParameter: BVLC's round_mode, an enum; Intel's avg_include_pad, a bool.

    BVLC's goes first where it reads the whole file, which with SSD's norm_param it does not.
    """
    source = net('layer { name: "p" type: "Pooling" pooling_param { round_mode: FLOOR } }')
    assert read_binary(source, Sink(source)).dialect == "bvlc"
    mixed = Source(
        source.data + net('layer { name: "n" type: "Normalize" norm_param { } }', "ssd").data
    )
    sink = Sink(mixed)
    with pytest.raises(ParseError):
        read_binary(mixed, sink)
    (found,) = sink.errors
    assert found.rule == "mixed-dialects"
    assert " and intel read this file differently" in found.message
    assert "pooling_param.round_mode" in found.message
    assert "pooling_param.avg_include_pad" in found.message
    assert "--dialect intel" in (found.help or "")
    readings = {
        dialect: read_binary(source, Sink(source), dialect=dialect).root.blocks("layer")[0]
        for dialect in ("bvlc", "intel")
    }
    assert readings["bvlc"].block("pooling_param").get("round_mode", str, "") == "FLOOR"
    assert readings["intel"].block("pooling_param").get("avg_include_pad", bool, False) is True


def test_what_all_read_alike_is_the_firsts() -> None:
    source = net('layer { name: "p" type: "Pooling" pooling_param { pool: AVE stride: 2 } }')
    assert read_binary(source, Sink(source)).dialect == "bvlc"


def test_what_one_fork_alone_can_read_is_its_own() -> None:
    """201 is SSD's multibox_loss_param; 206 its norm_param; BVLC has neither."""
    source = net('layer { name: "n" type: "Normalize" norm_param { eps: 3 } }', "ssd")
    assert read_binary(source, Sink(source)).dialect != "bvlc"


def test_a_number_that_nobody_knows_is_dropped_where_that_is_asked_for() -> None:
    source = net('name: "n"')
    source = Source(source.data + encoded(99999 << 3) + b"\x01")
    with pytest.raises(ParseError, match="99999"):
        read_binary(source, Sink(source), dialect="bvlc")
    with pytest.raises(ParseError):
        read_binary(source, Sink(source))
    assert read_binary(source, Sink(source), drop_unknown=True).root == Block.of(name="n")


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (Block.of(x=1), Block.of(x=1), None),
        (Block.of(x=1), Block.of(y=1), ("`x`", "`y`")),
        (Block.of(x=1), Block.of(x=True), ("`x`",)),
        (Block.of(x=1), Block.of(x=2), ("1", "2")),
        (Block.of(x=1), Block.of(x=1, y=2), ("only one",)),
        (Block.of(a=Block.of(x=1)), Block.of(a=Block.of(x=1)), None),
        (Block.of(a=Block.of(x=1)), Block.of(a=Block.of(x=2)), ("`a.x`",)),
        (Block.of(a=Block.of(x=1)), Block.of(a=1), ("`a`",)),
        (Block.of(a=Block.of(b=Block.of(x=1))), Block.of(a=Block.of(b=Block.of(y=1))), ("a.b.x",)),
        (Block.of(a=Block.of(x=1), z=1), Block.of(a=Block.of(x=1), z=3), ("`z`",)),
    ],
)
def test_where_two_readings_differ(a: Block, b: Block, words: tuple[str, ...] | None) -> None:
    found = _difference(a, b)
    assert (found is None) == (words is None)
    assert all(word in (found or "") for word in words or ())


def test_round_mode_is_number_13_as_the_collision_says() -> None:
    assert "round_mode" in schema("bvlc").message("PoolingParameter").fields
    assert "avg_include_pad" in schema("intel").message("PoolingParameter").fields


@pytest.mark.parametrize(
    ("fields", "dialect"),
    [
        ("", "frcnn"),
        ("feat_stride: 8", "frcnn"),
        ("feat_stride: 8 ratio: 0.5 scale: 8 scale: 16", "pvanet"),
        ("nms_thresh: 0.5", "pvanet"),
    ],
)
def test_text_is_of_the_fork_whose_message_has_its_fields(fields: str, dialect: str) -> None:
    """proposal_param holds a message with one field in frcnn, and with eight in PVANET."""
    text = f'layer {{ name: "p" type: "Proposal" proposal_param {{ {fields} }} }}'
    sink = Sink(Source(text.encode()))
    assert sink.source
    document = read_text(sink.source, sink, "NetParameter")
    assert (document.dialect, sink.errors) == (dialect, [])


def test_text_of_two_forks_is_read_with_the_message_that_has_its_fields() -> None:
    text = (
        'layer { name: "p" type: "Proposal" proposal_param { ratio: 0.5 scale: 8 } }'
        'layer { name: "r" type: "PSROIPooling" '
        "psroi_pooling_param { spatial_scale: 1 output_dim: 1 group_size: 1 } }"
    )
    sink = Sink(Source(text.encode()))
    assert sink.source
    document = read_text(sink.source, sink, "NetParameter")
    assert [found.rule for found in sink.errors] == ["mixed-dialects"]
    assert document.root.get_list("layer", Block)[0].block("proposal_param").get("ratio", float, 0)
