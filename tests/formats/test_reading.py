from pathlib import Path

import pytest

from prototxt_gen._resources import data_dir
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block, Number, Symbol
from prototxt_gen.formats.dialects import DIALECTS
from prototxt_gen.formats.prototxt import parse, print_block
from prototxt_gen.formats.reader import read_text


def read(text: bytes) -> tuple[Block, Sink]:
    sink = Sink(Source(text))
    assert sink.source is not None
    return parse(sink.source, sink), sink


def test_values_are_read_by_their_form() -> None:
    block, sink = read(b'name: "a" "b" pad: 0x1F pool: MAX inner { x: -1 }')
    assert not sink.diagnostics
    inner = Block.of(x=Number("-1"))
    assert block == Block.of(name=b"ab", pad=Number("0x1F"), pool=Symbol("MAX"), inner=inner)


def test_a_file_cut_in_the_middle_is_an_error() -> None:
    _, sink = read(b'layer {\n  name: "conv1"\n  convolution_param {\n')
    assert [d.rule for d in sink.errors] == ["unclosed-block"]


def test_a_binary_given_for_text_is_named() -> None:
    _, sink = read(b"\x1f\x8b\x08\x00abc")
    assert [d.rule for d in sink.errors] == ["not-text"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_label_map_is_read_by_the_dialects_that_have_one(dialect: str) -> None:
    source = Source(b'item { name: "a" label: 1 }')
    sink = Sink(source)
    found = read_text(source, sink, dialect=dialect).root.type
    overlay = data_dir("proto").joinpath("dialects", f"{dialect}.proto")
    if dialect != "bvlc" and "message LabelMap " in overlay.read_text():
        assert not sink.diagnostics and found is not None and found.name == "LabelMap"
        return
    (error,) = sink.errors
    assert error.rule == "unknown-message" and found is None
    assert f"LabelMap, which is not a message of {dialect}" in error.message
    assert error.help is not None and "mobilenet_ssd" in error.help and "frcnn" in error.help


def test_every_file_of_the_corpus_survives_printing(corpus: Path) -> None:
    files = sorted(corpus.rglob("*.prototxt"))
    assert files
    for file in files:
        block, sink = read(file.read_bytes())
        assert not sink.diagnostics, file
        again, _ = read(print_block(block).encode("utf-8", "surrogateescape"))
        assert again == block, file
        exact = parse(Source(file.read_bytes()), Sink(), fast=False)
        assert exact == block, file


def test_a_word_at_the_end_of_the_file_is_read_whole() -> None:
    block, sink = read(b"test: TRUE")
    assert not sink.diagnostics
    assert block == Block.of(test=Symbol("TRUE"))


COMMENTED = b"""# the net
name: "n"  # its name

# \xe9 is not UTF-8
layer {
  # inside
  name: "a"

  # last
}
# the end
"""


def test_comments_and_blank_lines_survive_printing() -> None:
    block, sink = read(COMMENTED)
    assert not sink.diagnostics
    printed = print_block(block).encode("utf-8", "surrogateescape")
    assert printed == COMMENTED.replace(b'"n"  #', b'"n" #')
    again, _ = read(printed)
    assert print_block(again).encode("utf-8", "surrogateescape") == printed


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b'\xef\xbb\xbfname: "n"', "byte-order-mark"),
        (b"<!DOCTYPE html>\n<html>", "not-text"),
        (b"\x7fELF\x02\x01\x01\0", "not-text"),
        (b"layer { " * 200 + b"} " * 200, "nesting-too-deep"),
        (b"input_dim: " + b"1" * 5000, "number-too-long"),
        (b"[caffe.extension]: 1", "extension"),
    ],
)
def test_what_is_no_prototxt_is_named(text: bytes, rule: str) -> None:
    _, sink = read(text)
    assert [d.rule for d in sink.errors] == [rule]


def test_all_errors_of_a_file_come_out_at_once() -> None:
    _, sink = read(
        b'name: "a\nlayer { name "b" }\nlayer { pad: 08 }\nlayer { x: 1_0 }\nname: "z"\n'
    )
    assert sink.source
    lines = [sink.source.position(d.span.start)[0] for d in sink.errors if d.span]
    assert lines == [1, 2, 3, 4]
