"""What a reader does grows with its input, and no faster; and so does what it reports."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import MOST_OF_A_RULE, Severity, Sink, Source
from prototxt_gen.errors import ParseError, PrototxtError
from prototxt_gen.formats.binary.caffemodel import parse_caffemodel
from prototxt_gen.formats.binary.message import read_binary
from prototxt_gen.formats.binary.safetensors import read_safetensors
from prototxt_gen.formats.binary.wire import encoded
from prototxt_gen.formats.reader import read_text
from prototxt_gen.generate.specfile import read_spec

#: Twice the input may cost twice as much, and a little for what is sorted.
MOST = 2.5
SIZE = 600


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python run, each turn of a loop counted."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    # What other tests left behind is not to be cleared away, and counted, meanwhile.
    gc.collect()
    gc.disable()
    sys.settrace(trace)
    try:
        work()
    except PrototxtError:
        pass
    finally:
        sys.settrace(before)
        gc.enable()
    return count


def assert_linear(work: Callable[[int], object]) -> None:
    steps(lambda: work(10))  # what is made once is made
    # The least of some: what is loaded or kept for the first time counts once.
    small = min(steps(lambda: work(SIZE)) for _ in range(2))
    large = min(steps(lambda: work(2 * SIZE)) for _ in range(2))
    assert large / small < MOST


TEXTS: dict[str, Callable[[int], str]] = {
    "layers": lambda n: 'layer { name: "a" type: "ReLU" bottom: "a" top: "a" }\n' * n,
    "on one line": lambda n: 'layer { name: "a" type: "ReLU" bottom: "a" top: "a" }' * n,
    "a list of what is one": lambda n: f"name: [{','.join('1' * n)}]",
    "unknown fields": lambda n: "".join(f"foo{i}: 1 " for i in range(n)),
    "given twice, and late": lambda n: "foo: 1 " * n + 'name: "a" ' * n,
    "empty lists": lambda n: "layer {" + "bottom: [] " * n + "}",
    "empty lists with comments": lambda n: "layer {" + "# c\nbottom: [] # d\n" * n + "}",
    "wrong types": lambda n: "layer { name: 1 }" * n,
    "what lacks": lambda n: "name " * n,
    "lines that lack": lambda n: "name 1 :\n" * n,
    "never closed": lambda n: "layer { " * n,
    "closed too often": lambda n: "}\n" * n,
    "parts of a string": lambda n: 'name: "a"' + " 'b'" * n,
    "escapes": lambda n: 'name: "' + "\\q" * n + '"',
    "comments": lambda n: "# a\n" * n + 'name: "a"',
    "angles": lambda n: "a < b: 1 >" * n,
    "forks": lambda n: "layer { permute_param { } reorg_param { } }" * n,
}


@pytest.mark.parametrize("made", TEXTS.values(), ids=TEXTS.keys())
def test_texts_are_read_in_linear_time(made: Callable[[int], str]) -> None:
    def read(n: int) -> None:
        sink = Sink(Source(made(n).encode()))
        assert sink.source is not None
        read_text(sink.source, sink)
        sink.sorted()
        sink.raise_errors(ParseError)

    assert_linear(read)


@pytest.mark.parametrize(
    "text", ["name%s", "name%s:", "name:%s", "name: 1%s}", "%s", "name: 'a'%s"]
)
def test_a_line_of_spaces_is_read_in_linear_time(text: str) -> None:
    # Expressions take no steps of Python: with a quadratic one this test does not end.
    source = Source((text % (" " * 1_000_000)).encode())
    read_text(source, Sink(source))


def field(number: int, data: bytes) -> bytes:
    return encoded(number << 3 | 2) + encoded(len(data)) + data


LAYER = field(100, field(1, b"a") + field(2, b"ReLU"))
NUMBER = encoded(5 << 3 | 5) + b"abcd"  # one float of a blob, not packed
BINARIES: dict[str, Callable[[int], bytes]] = {
    "layers": lambda n: LAYER * n,
    "unknown fields": lambda n: LAYER + field(1000, b"") * n,
    "unknown fields of a layer": lambda n: field(100, field(1000, b"") * n),
    "empty layers": lambda n: LAYER + field(100, b"") * n,
    "blobs": lambda n: field(100, field(7, field(5, b"abcd") + b"\x08\1\x10\1\x18\1\x20\1") * n),
    "floats one by one": lambda n: field(100, field(7, NUMBER * n)),
    "parts of a blob": lambda n: field(100, field(7, (field(5, b"abcd") + b"\x08\1") * n)),
    "axes": lambda n: field(100, field(7, field(7, field(1, b"\1" * n)))),
    "old layers": lambda n: field(2, field(1, field(1, b"a") + field(2, b"relu"))) * n,
}


@pytest.mark.parametrize("made", BINARIES.values(), ids=BINARIES.keys())
def test_binaries_are_read_in_linear_time(made: Callable[[int], bytes]) -> None:
    assert_linear(lambda n: parse_caffemodel("m", made(n)))

    def read(n: int) -> None:
        source = Source(made(n))
        read_binary(source, Sink(source), drop_unknown=True)

    assert_linear(read)


def test_fields_that_no_caffe_has_are_no_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of each there was one, in every dialect; only what is said of the first is looked for.
    from prototxt_gen.formats.binary import message

    looked: list[object] = []
    original = message.UnknownFieldSet
    monkeypatch.setattr(message, "UnknownFieldSet", lambda m: looked.append(m) or original(m))
    source = Source(LAYER + field(1000, b"") * SIZE)
    assert len(read_binary(source, Sink(source), drop_unknown=True).root) == 1
    assert not looked
    with pytest.raises(ParseError, match="NetParameter has no field number 1000"):
        read_binary(source, Sink(source))
    assert len(looked) == 1


@pytest.mark.parametrize("kind", ["json", "yaml", "lists", "aliases"])
def test_specs_are_read_in_linear_time(kind: str, tmp_path: Path) -> None:
    def read(n: int) -> None:
        path = tmp_path / ("spec.json" if kind == "json" else "spec.yaml")
        keys = [f"k{i}" for i in range(n)]
        if kind == "json":
            text = json.dumps(dict.fromkeys(keys, 1))[:-1] + f', "{keys[-1]}": 2}}'
        elif kind == "yaml":
            text = "".join(f"{key}: 1\n" for key in [*keys, keys[-1]])
        elif kind == "lists":
            text = f"stages: [{', '.join('1' * n)}]\n"
        else:
            text = f"a: &a [{', '.join('1' * n)}]\n" + "".join(f"{key}: *a\n" for key in keys)
        path.write_text(text)
        read_spec(path)

    assert_linear(read)


def test_safetensors_are_read_in_linear_time(tmp_path: Path) -> None:
    def read(n: int) -> None:
        path = tmp_path / "w.safetensors"
        entries = {
            f"a{i}": {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]}
            for i in range(n)
        }
        head = json.dumps(entries).encode()
        numbers = np.zeros(n, np.float32).tobytes()
        path.write_bytes(len(head).to_bytes(8, "little") + head + numbers)
        assert len(read_safetensors(str(path))) == n

    assert_linear(read)


EXCLUDED = (
    'layer {{ name: "l{i}" type: "DummyData" top: "t{i}" include {{ phase: TRAIN stage: "s{i}" }} '
    "dummy_data_param {{ shape {{ dim: 1 }} }} }}\n"
)


def test_layers_of_other_states_are_looked_at_in_linear_time() -> None:
    def load(n: int) -> None:
        text = "".join(EXCLUDED.format(i=i) for i in range(n))
        assert len(api.load(Source(text.encode())).elsewhere) == min(n, 8)

    assert_linear(load)


def test_of_one_rule_the_first_hundred_are_shown_and_a_count() -> None:
    found = api.validate(Source(f"layer {{ name: [{','.join(['1'] * 5000)}] }}\nfoo: 1".encode()))
    rules = {d.rule for d in found if d.severity is Severity.ERROR}
    assert "unknown-field" in rules
    for rule in rules - {"unknown-field"}:
        kept = [d for d in found if d.rule == rule and d.severity is Severity.ERROR]
        assert len(kept) == MOST_OF_A_RULE
        starts = [d.span.start for d in kept if d.span]
        assert starts == sorted(starts)
        (note,) = [d for d in found if d.rule == rule and d.severity is Severity.NOTE]
        assert note.message.split()[0] in ("4899", "4900", "4901")
    assert len(rules) == 3


def test_a_hundred_of_a_rule_are_all_there_are() -> None:
    text = 'layer { name: "s" type: "Silence" bottom: "x" }\ninput: "x" input_dim: [1, 2, 3, 4]\n'
    text += "".join(f"foo{i}: 1\n" for i in range(MOST_OF_A_RULE))
    assert len(api.validate(Source(text.encode()))) == MOST_OF_A_RULE
    assert len(api.validate(Source((text + "bar: 1").encode()))) == MOST_OF_A_RULE + 1
    with pytest.raises(ParseError, match=r"\(and 149 more\)"):
        api.load(Source("".join(f"foo{i}: 1\n" for i in range(150)).encode()))


def test_of_layers_too_the_first_hundred() -> None:
    layers = "".join(
        f'layer {{ name: "l{i}" type: "ReLU" bottom: "nowhere{i}" top: "t{i}" }}\n'
        for i in range(150)
    )
    found = api.validate(Source(layers.encode()))
    assert sum(d.severity is Severity.ERROR for d in found) == MOST_OF_A_RULE
    assert [d.message for d in found if d.severity is Severity.NOTE] == [
        "50 more errors of this rule are not shown"
    ]
