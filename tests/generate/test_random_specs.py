"""Specs at random: one that is accepted is a net that Caffe loads, and is what its keys say."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from generate.specs import KEYS, TRAINING, specs
from hypothesis import HealthCheck, given, reject, settings

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import SpecError
from prototxt_gen.generate.blocks import build
from prototxt_gen.generate.forms import PHASES
from prototxt_gen.generate.recipe import Training
from prototxt_gen.generate.render import render
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.specfile import read_spec

#: ``make fuzz`` takes 1,500 that are accepted, anew each time.
EXAMPLES = 1500 if "FUZZ_SECONDS" in os.environ else 80


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("specs") / "spec.yaml"


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(specs)
def test_what_is_accepted_is_a_net_in_both_phases(path: Path, keys: dict[str, Any]) -> None:
    made = 0
    for phase in PHASES:
        try:
            spec = Spec.of({**keys, "phase": phase})
            net = build(spec)
        except SpecError as error:
            # 64 pixels are enough for the strides of each net, so that a layer which does not
            # fit has another reason.
            small = min(keys.get("input_shape", [224])[-2:]) < 64
            assert small or "is too small" not in error.message, error.message
            continue
        made += 1
        text = render(net)
        assert api.validate(Source(text.encode("utf-8", "surrogateescape"))) == []
        path.write_text(yaml.safe_dump(spec.to_dict(), default_flow_style=None, sort_keys=False))
        assert Spec.of(read_spec(path).values) == spec
    if not made:
        reject()


def test_every_key_is_drawn() -> None:
    assert {field.name for field in fields(Spec)} == {"stages", "block", *KEYS}
    assert {field.name for field in fields(Training)} == {*TRAINING}
