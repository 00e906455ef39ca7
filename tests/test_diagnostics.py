from prototxt_gen.diagnostics import Diagnostic, Severity, Sink, Source, Span, render
from prototxt_gen.errors import ParseError


def test_a_position_counts_lines_and_characters_from_one() -> None:
    source = Source("a: 1\nµ: 2\n".encode(), "net.prototxt")
    assert source.position(0) == (1, 1)
    assert source.position(7) == (2, 2)
    assert source.line(2) == "µ: 2"


def test_a_column_counts_bytes_where_the_line_is_not_utf8() -> None:
    assert Source(b"\xff\xfe: 1").position(2) == (1, 3)


def test_a_diagnostic_shows_place_layer_and_rule() -> None:
    source = Source(b"a\nbc", "net.prototxt")
    found = Diagnostic("unknown-bottom", Severity.ERROR, "no blob 'x'", Span(3, 4), "conv1")
    assert render(found, source) == (
        "net.prototxt:2:2: error: layer 'conv1': no blob 'x' [unknown-bottom]"
    )


def test_a_sink_raises_the_first_error_of_the_file_and_carries_all() -> None:
    sink = Sink(Source(b"one\ntwo"))
    sink.error("late", "second", span=Span(4, 5))
    sink.warning("mild", "only a warning", span=Span(0, 1))
    sink.error("early", "first", span=Span(1, 2))
    try:
        sink.raise_errors(ParseError)
    except ParseError as error:
        assert str(error) == "first (and 1 more)"
        assert [d.rule for d in error.diagnostics] == ["mild", "early", "late"]
    else:
        raise AssertionError("nothing was raised")
