"""Whatever a spec says changes the net, or is refused: every key, on every kind of net."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.errors import SpecError
from prototxt_gen.generate import forms
from prototxt_gen.generate.spec import Spec

SMALL = {"width": 8, "input_shape": [1, 3, 64, 64]}
BASES: dict[str, dict[str, Any]] = {
    **{block: {"stages": [2, 2, 2], "block": block} for block in forms.BLOCKS},
    "cifar": {"stages": [2, 2], "stem": "cifar"},
    "dense-cifar": {"stages": [2, 2], "block": "dense", "stem": "cifar"},
    "one-inverted": {"stages": [1, 1], "block": "inverted", "expansions": [0, 0]},
    "cifar-A": {"stages": [2, 2], "stem": "cifar", "shortcut": "A"},
    "one-stage": {"stages": [2], "block": "basic"},
    "one-narrow-stage": {"stages": [2], "block": "bottleneck", "stem_width": 32},
    "one-block": {"stages": [1, 1], "block": "basic"},
    "dilated": {"stages": [2, 2, 2], "output_stride": 8},
    "se": {"stages": [2, 2], "se": 4},
    "axpy": {"stages": [2, 2], "se": 4, "se_join": "axpy", "dialect": "intel"},
    "folded": {"stages": [2, 2], "folded": True},
    "no norm": {"stages": [2, 2], "norm": "none"},
    "scale": {"stages": [2, 2], "norm": "scale"},
    "trunk": {"stages": [2, 2], "head": "none"},
    "fcn": {"stages": [2, 2], "head": "fcn"},
    "training": {"stages": [2, 2], "phase": "train_val"},
}
OTHER: dict[str, list[Any]] = {
    "strides": [[2, 1, 2], [2, 2], [2]],
    "expansions": [[0, 4, 2][:n] for n in (1, 2, 3)],
    "last_width": [24],
    "relu6": [True],
    "classifier_form": ["conv"],
    "width": [16],
    "widths": [[12, 24, 40][:n] for n in (1, 2, 3)],
    "inner_widths": [[4, 6, 10][:n] for n in (1, 2, 3)],
    "width_factor": [2],
    "stem_width": [64],
    "cardinality": [2],
    "base_width": [16],
    "shortcut": ["A", "C", "avgpool", "first"],
    "projection": [3],
    "stride_at": ["3x3"],
    "stem": list(forms.STEMS),
    "pool": list(forms.POOLS),
    "bias": ["all", *forms.BIASED],
    "norm": list(forms.NORMS),
    "eps": [1e-3],
    "moving_average_fraction": [0.5],
    "data_norm": [True],
    "se": [2],
    "se_form": ["conv"],
    "se_join": ["axpy"],
    "dropout": [0.5],
    "output_stride": [8, 16],
    "dilation": ["torchvision"],
    "multi_grid": [[2, 3], [2]],
    "eltwise": ["MAX"],
    "coeff": [[1, 2]],
    "folded": [True],
    "head": list(forms.HEADS),
    "global_pool": [True],
    "classifier_dropout": [0.5],
    "naming": ["torchvision", "shicai"],
    "phase": ["train_val"],
    "training": [{"train_batch": 7}, {"freeze": 1}],
    "classes": [21],
    "name": ["other"],
}
#: Said by a preset before it has an effect, or to the solver; the command refuses them.
LATER = {"dilation", "training"}


def test_every_key_is_tried() -> None:
    keys = {field.name for field in fields(Spec)}
    assert {*OTHER, "stages", "block", "input_shape", "dialect"} == keys


@pytest.mark.parametrize("key", OTHER)
@pytest.mark.parametrize("base", BASES)
def test_what_a_key_says_changes_the_net(base: str, key: str) -> None:
    plain = {**SMALL, **BASES[base], "name": "net"}
    before = Spec.of(plain)
    for value in OTHER[key]:
        try:
            after = Spec.of({**plain, key: value})
            text = api.generate(after)
        except SpecError:
            continue
        stated = key == "output_stride" and value == before.natural_stride
        implied = key == "bias" and before.folded
        if after != before and not (stated or implied or key in LATER):
            assert text != api.generate(before), value


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("plain18 --shortcut A", "changes nothing in plain blocks"),
        ("resnet18 --stride-at 3x3", "changes nothing in basic blocks"),
        ("resnet20 --pool floor", "the stem cifar has no pooling"),
        ("resnet50 --dilation torchvision", "changes nothing without an output_stride"),
        ("resnet50 --folded --bias conv1", "a folded net has all biases"),
        ("resnet50 --train-batch 64", "changes nothing without --phase train_val"),
        ("resnet50 --input-shape 64,3,224,224 --phase train_val", "has 64 images"),
        ("resnet50 --dropout 0.99999999", "which is 1 as a float of 32 bits"),
        ("resnet50 --eps 1e-60", "which is 0 as a float of 32 bits"),
        ("resnet50 --output-stride 16 --stages 2,2", "the strides of the net make 8"),
    ],
)
def test_options_without_effect_are_refused(
    arguments: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["gen", *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err


@pytest.mark.parametrize("name", ["resnet50-tv", "se-resnext50-32x4d", "resnet18-tv"])
def test_what_a_preset_says_is_not_refused(
    name: str, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A preset's own dilation has no effect before an output stride is asked for."""
    assert run(["gen", name, "--print-spec"]) == 0
    path = tmp_path / "spec.yaml"
    path.write_text(capsys.readouterr().out)
    assert run(["gen", "--spec", str(path)]) == 0
