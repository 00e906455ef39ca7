"""Specs that make no sense, made by the hundred: each is refused in a line, or is a net."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest
from generate.specfiles import contradicts, refusal

from prototxt_gen.cli import run
from prototxt_gen.cli.spec_options import FLAGS, OPTIONS
from prototxt_gen.errors import SpecError
from prototxt_gen.generate.checks import MOST_CHANNELS, shown
from prototxt_gen.generate.idle import IDLE, Contradiction
from prototxt_gen.generate.sense import CONTRADICTIONS
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.specfile import read_spec

KEYS = sorted(row[0].replace("-", "_") for row in (*OPTIONS, *FLAGS))
DIGITS = "7" * 5000
#: What no key of a spec can be, or hardly any, as YAML.
WRONG = {
    "nothing": "",
    "scalar": "1",
    "zero": "0",
    "minus": "-1",
    "fraction": "1.5",
    "whole fraction": "8.0",
    "bool": "true",
    "text": "nonsense",
    "empty text": '""',
    "empty int": '!!int ""',
    "empty float": '!!float ""',
    "odd bool": "!!bool maybe",
    "odd date": "!!timestamp x",
    "date": "2001-01-01",
    "impossible date": "2001-99-99",
    "bytes": "!!binary aGk=",
    "object": "!!python/object/apply:os.getcwd []",
    "set": "!!set {a, b}",
    "nan": ".nan",
    "infinity": "-.inf",
    "too large a float": "1e300",
    "digits": DIGITS,
    "hex digits": "0x" + DIGITS,
    "sixties": "1" + ":59" * 900,
    "sixties with a point": "1" + ":59" * 900 + ".5",
    "empty list": "[]",
    "nested list": "[[1], 2]",
    "list of texts": "[a, b]",
    "list of nothing": "[null, null, null, null]",
    "list of digits": f"[{DIGITS}, 0x{DIGITS}]",
    "mapping": "{a: 1}",
    "itself": "&a [*a]",
    "unknown alias": "*nowhere",
    "no text": '"\\ud800"',
}
CASES = list(product(KEYS, WRONG))


def text(key: str, what: str) -> str:
    """A spec with one wrong entry."""
    rest = "" if key in ("depth", "stages") else "depth: 18\n"
    return f"{rest}{key}: {WRONG[what]}\n"


def test_there_are_hundreds() -> None:
    assert len(CASES) > 500


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_only_a_spec_error_comes_out(tmp_path: Path, key: str, suffix: str) -> None:
    refused = 0
    for what, value in WRONG.items():
        path = tmp_path / f"spec.{suffix}"
        # As JSON most of this is wrong by itself, and has to be said as well.
        path.write_text(text(key, what) if suffix == "yaml" else f'{{"{key}": {value}}}')
        try:
            Spec.of(read_spec(path).values)
        except SpecError as error:
            refused += 1
            assert len(error.message) < 400, what
            assert "\n" not in error.message, what
    assert refused > len(WRONG) // 2


@pytest.mark.parametrize("key", KEYS)
def test_the_command_exits_with_2_and_one_line(
    tmp_path: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spec.yaml"
    for what in WRONG:
        path.write_text(text(key, what))
        code = run(["gen", "--spec", str(path), "--print-spec"])
        err = capsys.readouterr().err
        assert (code, len(err.splitlines())) in ((0, 0), (2, 1)), f"{what}: {err}"


@pytest.mark.parametrize("value", ["[" * 100_000, "{a: " * 20_000, "- " * 20_000, '"\\uD800"'])
@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_depth_without_end_is_refused(
    tmp_path: Path, value: str, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"spec.{suffix}"
    for content in (value, f"stages: {value}", f'{{"stages": {value}', f'{{"name": {value}}}'):
        path.write_text(content)
        assert run(["gen", "--spec", str(path)]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_bomb_of_aliases_does_not_go_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    path = tmp_path / "spec.yaml"
    path.write_text("\n".join([*lines, "stages: *a29"]))
    assert run(["gen", "--spec", str(path)]) == 2
    assert "unknown key 'a0'" in capsys.readouterr().err
    path.write_text("stages: [&one 3, *one, *one]\nblock: basic\n")
    assert run(["gen", "--spec", str(path), "--print-spec"]) == 0
    assert "stages: [3, 3, 3]" in capsys.readouterr().out


@pytest.mark.parametrize("top", ["1", "text", "[1, 2]", "", "null", "--- 1\n--- 2", "!!set {a}"])
@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_what_is_no_mapping_is_refused(
    tmp_path: Path, top: str, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"spec.{suffix}"
    path.write_text(top)
    assert run(["gen", "--spec", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    "key", ["x" * 9000, 1, None, pytest.param(10**5000, id="digits"), (1, 2), "\udcff"]
)
def test_what_is_no_key_is_named_in_short(key: object) -> None:
    with pytest.raises(SpecError, match="unknown key") as caught:
        Spec.of({key: 1, "depth": 18})  # type: ignore[dict-item]
    assert len(caught.value.message) < 900


@pytest.mark.parametrize("key", KEYS)
def test_numbers_that_python_does_not_print(key: str) -> None:
    rest = {} if key in ("depth", "stages") else {"depth": 18}
    for value in (10**5000, -(10**5000), [10**5000] * 2, {"a": 10**5000}):
        with pytest.raises(SpecError):
            Spec.of({**rest, key: value})


def test_what_is_shown_is_short() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (10**5000, "x" * 10**6, deep, [1] * 10**5):
        assert len(shown(value)) < 70


def test_an_odd_character_is_refused_at_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("depth: 18\nname: \x01\n")
    assert run(["gen", "--spec", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {path}:2: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("words", [f"wrn-{DIGITS}-2", f"resnet{DIGITS}", "x" * 9000])
def test_presets_without_end(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gen", words]) == 2
    assert len(capsys.readouterr().err) < 400


def test_a_json_number_may_be_any(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spec.json"
    for value in (DIGITS, "NaN", "Infinity", "1e999", json.dumps([1] * 9)):
        path.write_text(f'{{"depth": 18, "width": {value}}}')
        assert run(["gen", "--spec", str(path)]) == 2
        assert "width: is " in capsys.readouterr().err


@pytest.mark.parametrize("value", [8.0, 0.0, True, False, "8"])
@pytest.mark.parametrize("key", ["output_stride", "width", "se", "classes"])
def test_a_number_of_another_type_is_no_whole_number(key: str, value: object) -> None:
    with pytest.raises(SpecError) as caught:
        Spec.of({"depth": 50, key: value})
    assert caught.value.path == key


INVERTED: dict[str, object] = {"stages": [1, 1], "block": "inverted"}
#: A spec for each row of the tables, in their order.
SENSELESS: list[dict[str, object]] = [
    {"depth": 50, "input_shape": [3, 224, 224]},
    {"depth": 50, "phase": "train_val", "input_shape": [1, 3, 224, 192]},
    {"stages": [99_999, 2]},
    {"depth": 50, "widths": [64, 128]},
    {"depth": 50, "inner_widths": [64]},
    {"depth": 50, "strides": [1, 2]},
    {**INVERTED, "expansions": [6]},
    {"depth": 50, "strides": [1, 2, 3, 2]},
    {"stages": [1, 1], "block": "dense", "strides": [2, 2]},
    {"depth": 50, "expansions": [6, 6, 6, 6]},
    {**INVERTED, "inner_widths": [64, 64]},
    {"stages": [1] * 33},
    {"depth": 18, "cardinality": 32},
    {"depth": 18, "base_width": 4},
    {"depth": 50, "base_width": 4, "inner_widths": [64, 64, 64, 64]},
    {"depth": 50, "base_width": 3, "width": 20},
    {"depth": 50, "cardinality": 5},
    {"stages": [1, 1], "block": "air", "inner_widths": [64, 33]},
    {"stages": [1], "block": "air", "width": 66, "cardinality": 3},
    {"stages": [1], "block": "senet", "width": 8, "cardinality": 8},
    {"depth": 50, "coeff": [1, 1], "eltwise": "MAX"},
    {"depth": 20, "stem": "cifar", "output_stride": 8},
    {"depth": 50, "stem": "3x3", "stem_width": 33},
    {"stages": [1], "block": "preact-basic", "folded": True},
    {"depth": 50, "head": "embedding", "folded": True},
    {"depth": 50, "dialect": "bvlc-1.0", "shortcut": "A"},
    {"depth": 50, "phase": "train_val", "input_shape": [64, 3, 224, 224]},
    {"depth": 50, "phase": "train_val", "head": "fcn"},
    {"depth": 50, "folded": True, "norm": "scale"},
    {"depth": 50, "norm": "fused"},
    {"depth": 50, "se": 16, "se_join": "axpy"},
    {"depth": 50, "se": 16, "se_join": "axpy", "dialect": "intel", "eltwise": "MAX"},
    {"stages": [1], "block": "plain", "se": 16, "se_join": "axpy", "dialect": "intel"},
    {"stages": [2, 2], "output_stride": 16},
    {"depth": 18, "dilation": "torchvision", "output_stride": 8},
    {"depth": 50, "multi_grid": [1, 2], "output_stride": 8},
    {"depth": 50, "multi_grid": [1, 2, 1 << 20], "output_stride": 8},
    {"depth": 18, "bias": "branch2c"},
    {**INVERTED, "se": 16},
    {"stages": [1], "block": "ir", "relu6": True},
    {"depth": 50, "relu6": True, "dialect": "intel"},
    {"depth": 18, "block": "plain", "shortcut": "A"},
    {"depth": 18, "block": "plain", "eltwise": "MAX"},
    {"depth": 18, "block": "plain", "coeff": [1, 1]},
    {"stages": [2], "block": "basic", "shortcut": "A"},
    {"stages": [2], "shortcut": "avgpool"},
    {"depth": 50, "shortcut": "first"},
    {"depth": 18, "shortcut": "A", "projection": 3},
    {"depth": 18, "shortcut": "A", "bias": "branch1"},
    {**INVERTED, "expansions": [0, 0], "bias": "branch2a"},
    {"stages": [2], "stride_at": "3x3"},
    {"depth": 18, "stride_at": "3x3"},
    {"depth": 20, "stem": "cifar", "pool": "floor"},
    {"depth": 50, "eps": 1e-3, "folded": True},
    {"depth": 50, "moving_average_fraction": 0.9, "norm": "scale"},
    {"depth": 50, "data_norm": True, "norm": "none"},
    {"depth": 50, "se_form": "conv"},
    {"depth": 50, "se_join": "axpy", "dialect": "intel"},
    {"depth": 50, "multi_grid": [1, 2, 4], "output_stride": 32},
    {"depth": 50, "head": "none", "global_pool": True},
    {"depth": 50, "head": "fcn", "classifier_form": "conv"},
    {"depth": 50, "head": "fcn", "classifier_dropout": 0.5},
    {"depth": 50, "head": "none", "classes": 21},
]


@pytest.mark.parametrize(
    ("row", "keys"), list(zip((*CONTRADICTIONS, *IDLE), SENSELESS, strict=True))
)
def test_every_contradiction_is_found(row: Contradiction, keys: dict[str, object]) -> None:
    contradicts(row, keys)


def test_lists_that_repeat_one_another_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    lines = [f"k0: &a [{', '.join('1' * 256)}]", *(f"k{i}: *a" for i in range(1, 256))]
    path.write_text("\n".join(lines))
    assert sum(len(found) for found in read_spec(path).values.values()) == 65536  # type: ignore
    path.write_text("\n".join([*lines, "more: [1]"]))
    with pytest.raises(SpecError, match="has more than 65536 items of lists"):
        read_spec(path)


def test_the_width_is_doubled_for_each_stage_after_the_first() -> None:
    """As many channels as there may be are few enough, and twice as many are not."""
    made = {"block": "basic", "input_shape": [1, 3, 64, 64]}
    Spec.of({**made, "stages": [1, 1], "width": MOST_CHANNELS // 2})
    with pytest.raises(SpecError, match="exceed"):
        Spec.of({**made, "stages": [1, 1, 1], "width": MOST_CHANNELS // 2})


@pytest.mark.parametrize(
    ("line", "place", "tag"),
    [
        ("name: !mine x", "2:7", "!mine"),
        ("name: !!binary aGk=", "2:7", "!!binary"),
        ("stages: !mine [1, 2]", "2:9", "!mine"),
        ("stages: [1, !mine 2]", "2:13", "!mine"),
        ("stages: !!python/tuple [1, 2]", "2:9", "!!python/tuple"),
    ],
)
def test_a_tag_that_nobody_knows_is_refused(
    tmp_path: Path, line: str, place: str, tag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refusal(tmp_path, f"block: basic\n{line}\n", capsys)
    assert message == f"{place}: unknown tag {tag}"


def test_tags_of_plain_values_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("name: !!str 5\nstages: !!seq [!!int 1, 2]\n")
    assert read_spec(path).values == {"name": "5", "stages": [1, 2]}
