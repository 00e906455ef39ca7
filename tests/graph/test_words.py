"""What findings say: what was found, and what was expected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import prototxt_gen
from prototxt_gen import api
from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Source

#: Messages whose number is never 1.
ALWAYS_MANY = (
    "tops and no loss_weight",
    "bottoms, of which one is padded",
    "the file has {len(data)} bytes",
    "layers; expected",  # the field ``layers``
)

INPUT = 'input: "x" input_shape { dim: [1, 4, 8, 8] }\n'


def told(type: str, bottoms: int, tops: int, more: str = "") -> list[str]:
    text = f'{INPUT}layer {{ name: "l" type: "{type}"' + ' bottom: "x"' * bottoms
    text += "".join(f' top: "t{i}"' for i in range(tops)) + f" {more} }}"
    return [found.message for found in api.validate(Source(text.encode()))]


@pytest.mark.parametrize(
    ("type", "bottoms", "tops", "words"),
    [
        # ExactNumBottomBlobs, MinBottomBlobs, MaxBottomBlobs and their like of each layer's header
        ("ReLU", 2, 1, "has 2 bottoms; ReLU takes 1"),
        ("ReLU", 0, 1, "has 0 bottoms; ReLU takes 1"),
        ("ReLU", 1, 0, "has 0 tops; ReLU takes 1"),
        ("Eltwise", 1, 1, "has 1 bottom; Eltwise takes at least 2"),
        ("Concat", 0, 1, "has 0 bottoms; Concat takes at least 1"),
        ("Scale", 3, 1, "has 3 bottoms; Scale takes 1 to 2"),
        ("Pooling", 1, 3, "has 3 tops; Pooling takes 1 to 2"),
        ("Slice", 1, 0, "has 0 tops; Slice takes at least 1"),
        ("Accuracy", 1, 1, "has 1 bottom; Accuracy takes 2"),
    ],
)
def test_how_many_bottoms_and_tops(type: str, bottoms: int, tops: int, words: str) -> None:
    assert words in told(
        type, bottoms, tops, "pooling_param { kernel_size: 2 }" * (type == "Pooling")
    )


@pytest.mark.parametrize(
    ("more", "tops", "words"),
    [
        ("loss_weight: 0 loss_weight: 0", 1, "has 2 loss_weight for 1 top; expected none, or one"),
        ("loss_weight: 0", 2, "has 1 loss_weight for 2 tops; expected none, or one for each top"),
        ("propagate_down: true propagate_down: true", 1, "has 2 propagate_down for 1 bottom"),
    ],
)
def test_a_field_for_each_top(more: str, tops: int, words: str) -> None:
    (message,) = told("Split", 1, tops, more)
    assert message.startswith(words)


def test_a_loss_of_two_tops_needs_weights_of_its_own() -> None:
    """LossLayer::LayerSetUp gives one loss_weight where there is none."""
    label = 'input: "l" input_shape { dim: 1 }\n'
    text = INPUT + label + 'layer { name: "s" type: "SoftmaxWithLoss" bottom: "x" bottom: "l" %s }'
    for tops, found in (('top: "a"', 0), ('top: "a" top: "b"', 1)):
        messages = [d.rule for d in api.validate(Source((text % tops).encode()))]
        assert messages.count("loss-weight-count") == found


def test_a_blob_of_more_than_an_int_counts() -> None:
    """blob.cpp: the count is an int, 2^31 - 1 at most."""
    for dim, rules in ((2**31 - 1, []), (2**31, ["blob-too-large"])):
        text = f'input: "x" input_shape {{ dim: {dim} }}'
        assert [found.rule for found in api.validate(Source(text.encode()))] == rules


def test_one_is_singular() -> None:
    assert [plural(n, "layer") for n in (0, 1, 2)] == ["0 layers", "1 layer", "2 layers"]
    assert [plural(n, "axis") for n in (1, 2)] == ["1 axis", "2 axes"]
    assert plural(12345, "parameter", ",") == "12,345 parameters"


def test_no_message_counts_without_it() -> None:
    """A number right before a plural noun, in the text of a message, goes through ``plural``."""
    nouns = "layer node top bottom net model file value element channel weight byte note blob"
    found = re.compile(
        rf"\{{(?:len\(|number|count|total)[^{{}}]*\}} ({'|'.join(nouns.split())})s\b"
    )
    code = Path(prototxt_gen.__file__).parent
    hits = [
        f"{path.relative_to(code)}: {line.strip()}"
        for path in code.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if found.search(line)
    ]
    assert [hit for hit in hits if not any(words in hit for words in ALWAYS_MANY)] == []
