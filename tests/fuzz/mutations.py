"""Valid files with some damage: bytes, spans, and numbers at the edges of their types."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hypothesis import strategies as st

_EXTREMES = [
    *(b"0 -1 1 2 3 7 1000 32767 65536".split()),
    *(b"2147483647 2147483648 4294967295 9223372036854775807 18446744073709551616".split()),
    *(b"-2147483648 -9223372036854775808 1e308 -1e308 3.5e38 1e-300 1e-45 inf -inf nan".split()),
    *(b"0.5 -0.5 true false".split()),
]
_INTEGERS = [0, 1, 2, 0x7F, 0x80, 0xFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]
_NUMBER = re.compile(rb"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])")
_WORD = re.compile(rb'"[^"\n]*"|[A-Za-z_]+')


@st.composite
def damaged(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """One of some binary files, with up to four changes; now and then bytes of no file."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=64))
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        data = _damage(draw, data)
    return data


@st.composite
def edited(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """One of some texts, with other numbers, words and lines; sometimes with other bytes."""
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["number"] * 5 + ["word"] * 2 + ["line"] * 2 + ["bytes"]))
        if kind == "number":
            text = _replaced(draw, text, _NUMBER, _EXTREMES)
        elif kind == "word":
            text = _replaced(draw, text, _WORD, [*_WORD.findall(text), b'""', b'"\\351"'])
        elif kind == "line":
            text = _lines(draw, text)
        else:
            text = _damage(draw, text)
    return text


def _damage(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, max(0, len(data) - 1)))
    end = min(len(data), at + draw(st.sampled_from([1, 1, 2, 4, 8, 30, 300])))
    kind = draw(st.sampled_from(["flip", "byte", "integer", "cut", "delete", "repeat", "move"]))
    if kind == "flip":
        flipped = bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) if data else b""
        return data[:at] + flipped + data[at + 1 :]
    if kind == "byte":
        return data[:at] + draw(st.binary(min_size=1, max_size=2)) + data[at + 1 :]
    if kind == "integer":
        size = draw(st.sampled_from([1, 2, 4, 8]))
        number = draw(st.sampled_from(_INTEGERS)) % 256**size
        return data[:at] + number.to_bytes(size, "little") + data[at + size :]
    if kind == "cut":
        return data[:at]
    if kind == "delete":
        return data[:at] + data[end:]
    if kind == "repeat":
        return data[:end] + data[at:end] * draw(st.sampled_from([1, 1, 50])) + data[end:]
    to = draw(st.integers(0, len(data)))
    return data[:to] + data[at:end] + data[to:]


def _replaced(
    draw: st.DrawFn, text: bytes, pattern: re.Pattern[bytes], others: Sequence[bytes]
) -> bytes:
    places = list(pattern.finditer(text))
    if not places:
        return text
    place = draw(st.sampled_from(places))
    return text[: place.start()] + draw(st.sampled_from(others)) + text[place.end() :]


def _lines(draw: st.DrawFn, text: bytes) -> bytes:
    """A line taken out, said twice or moved."""
    lines = text.split(b"\n")
    at = draw(st.integers(0, len(lines) - 1))
    kind = draw(st.sampled_from(["delete", "repeat", "move"]))
    line = lines[at] if kind == "repeat" else lines.pop(at)
    if kind != "delete":
        lines.insert(draw(st.integers(0, len(lines))), line)
    return b"\n".join(lines)
