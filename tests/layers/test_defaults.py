"""The defaults of every layer, held against those of the schemas of BVLC's Caffe and its forks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.document import Block
from prototxt_gen.layers import MODULES, layer_class, read_layer
from prototxt_gen.layers.parts.fields import fields
from prototxt_gen.layers.resize import Upsample

FACTS = Path(__file__).parents[1] / "formats" / "facts"
#: What a field of a schema is called where a fork has its own name, or where two are one.
SPELT = {"kernel": "kernel_size"}
#: Whether the field is there, which is no value of it.
OTHERWISE = {("Pooling", "ceil_mode")}


def declared() -> dict[str, dict[str, dict[str, Any]]]:
    """Of each parameter field of a layer: the fields of its message, of every fork."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for path in sorted(FACTS.glob("*.json"), key=lambda path: path.stem != "bvlc"):
        facts = json.loads(path.read_text("utf-8"))
        bvlc = json.loads((FACTS / "bvlc.json").read_text("utf-8"))["messages"]
        own = {**bvlc, **facts.get("new_messages", {})}
        changed = facts["messages"] if path.stem != "bvlc" else {}
        layer = {**bvlc["LayerParameter"]["fields"]}
        layer.update(changed.get("LayerParameter", {}).get("added", {}))
        for param, place in layer.items():
            message = own.get(place["type"], {}).get("fields", {})
            added = changed.get(place["type"], {}).get("added", {})
            for name, fact in {**message, **added}.items():
                found.setdefault(param, {}).setdefault(name, {})
                found[param][name].setdefault(path.stem, fact)
    return found


DECLARED = declared()


def pairs() -> list[Any]:
    found = []
    for type_ in sorted(MODULES):
        cls = layer_class(type_)
        assert cls is not None
        for name, default, kind, repeated, optional in fields(cls):
            facts = DECLARED.get(cls.param or "", {}).get(SPELT.get(name, name), {})
            if facts and (type_, name) not in OTHERWISE:
                values = (list(facts.values()), default, kind, repeated, optional)
                found.append(pytest.param(*values, id=f"{type_}.{name}"))
    return found


PAIRS = pairs()


@pytest.mark.parametrize(("facts", "default", "kind", "repeated", "optional"), PAIRS)
def test_a_default_is_that_of_a_schema(
    facts: list[dict[str, Any]], default: Any, kind: type, repeated: bool, optional: bool
) -> None:
    """Of one of the forks that have the field; where none says one it is protobuf's, 0."""
    if repeated or any(fact["label"] == "repeated" for fact in facts):
        # A window, and what Caffe's code takes where there is none (base_conv_layer.cpp).
        assert default in ((), (0,), (1,), "")
        return
    if optional:
        assert default is None
        return
    given = {fact["default"] for fact in facts if "default" in fact}
    if kind is bool:
        assert default in {value == "true" for value in given or {"false"}}
    elif kind in (int, float):
        required = all(fact["label"] == "required" for fact in facts)
        assert required or float(default) in set(map(float, given or {"0"}))
    else:
        assert str(default) in (given or {""})


@pytest.mark.parametrize(
    ("dialect", "bottoms", "params", "scale"),
    [
        ("segnet", 2, "", 2),
        ("segnet", 1, "", 2),
        ("tengine", 1, "", 1),
        ("x2paddle", 1, "upsample_param { }", 1),
        (None, 1, "", 1),  # the forks that have no mask
        (None, 1, "upsample_param { }", 1),
        (None, 2, "", 2),
        (None, 2, "upsample_param { }", 2),
        (None, 2, "upsample_param { scale: 1 }", 1),
    ],
)
def test_an_upsampling_without_scale_has_that_of_its_fork(
    dialect: str | None, bottoms: int, params: str, scale: int
) -> None:
    text = f'layer {{ type: "Upsample" top: "u" {params} '
    text += "".join(f'bottom: "{name}" ' for name in "xm"[:bottoms]) + "}"
    graph = api.load(Source(text.encode()), dialect=dialect)
    assert graph.nodes[0].layer == Upsample(scale)


def test_the_schemas_know_most_fields_of_the_layers() -> None:
    known = {pair.id for pair in PAIRS}
    params = [cls for name in MODULES if (cls := layer_class(name)) and cls.param in DECLARED]
    every = {f"{cls.type}.{name}" for cls in params for name, *_ in fields(cls)}
    assert len(every & known) > 0.85 * len(every)


SPECIAL = {"float": 3.0, "double": 3.0, "uint32": 3, "int32": 3, "int64": 3, "uint64": 3}


def values() -> list[Any]:
    """Each field of one value, with a value that is no default, in the first fork that has it."""
    found = []
    for type_ in sorted(MODULES):
        cls = layer_class(type_)
        assert cls is not None
        for name, default, _, repeated, _ in fields(cls):
            for fact in DECLARED.get(cls.param or "", {}).get(name, {}).values():
                if fact["label"] == "repeated" or repeated or (type_, name) in OTHERWISE:
                    break
                if name == "crop_size":  # Caffe reads that of transform_param instead
                    break
                value: Any = SPECIAL.get(fact["type"])
                if fact["type"] == "bool":
                    value = default is not True
                elif fact["type"] == "string":
                    value = "text"
                if value is not None:
                    if value == default:
                        value += 1
                    found.append(pytest.param(type_, name, value, id=f"{type_}.{name}"))
                break
    return found


@pytest.mark.parametrize(("type_", "name", "value"), values())
def test_a_value_is_read_and_written(type_: str, name: str, value: Any) -> None:
    cls = layer_class(type_)
    assert cls is not None and cls.param is not None
    block = Block.of(type=type_)
    block.add(cls.param, Block.of(**{name: value}))
    layer = read_layer(block)
    assert getattr(layer, name) == value
    written = layer.write()
    assert written.all(name)[-1:] == [value]
    again = Block.of(type=type_)
    again.add(cls.param, written)
    assert getattr(read_layer(again), name) == value
