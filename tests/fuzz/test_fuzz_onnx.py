"""What is read as an ONNX model becomes a net that computes the same, or is refused in words."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from math import prod

import numpy as np
import onnx
import onnxruntime
from fuzz.fuzzing import fuzz
from fuzz.mutations import damaged
from hypothesis import strategies as st
from layers.cases import CASES
from layers.test_cases import net

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import PrototxtError
from prototxt_gen.graph.check import checked
from prototxt_gen.graph.sample import seeded

MOST_ELEMENTS = 1 << 16
NUMBERS = [-(2**63), -(2**31), -7, -1, 0, 1, 2, 3, 5, 1000, 2**31, 2**63 - 1]


@cache
def models() -> list[bytes]:
    """The models of the layer cases, which are small."""
    found = []
    for case in CASES:
        try:
            graph = api.load(Source(net(case).encode(), "net.prototxt"))
            made = api.convert(graph, weights_init="random", opset=17)
        except PrototxtError:
            continue
        found.append(made.model.SerializeToString(deterministic=True))
    return found


@fuzz(300, st.deferred(lambda: damaged(models())))
def test_bytes_become_a_net_or_are_refused_in_words(data: bytes) -> None:
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except Exception:
        return
    lifted(proto)


@fuzz(300, st.integers(0, 2**32))
def test_a_changed_model_becomes_a_net_that_computes_the_same(seed: int) -> None:
    generator = random.Random(seed)
    proto = onnx.ModelProto.FromString(generator.choice(models()))
    for _ in range(generator.randint(1, 3)):
        change(proto, generator)
    made = lifted(proto)
    if made is None:
        return
    every = checked(made).blobs
    if sum(prod(dim or 0 for dim in shape) for shape in every.values()) > MOST_ELEMENTS:
        return
    shapes = {ref.blob: shape for ref, shape in every.items() if ref in made.inputs}
    inputs = seeded(made, shapes, seed)
    theirs = computed(proto, inputs)
    if theirs is None:
        return
    try:
        ours = api.run(made, inputs)
    except PrototxtError:
        return  # a layer has no reference, or a value is no index
    for name, value in theirs.items():
        if value.size and np.isfinite(value).all():
            np.testing.assert_allclose(ours[name], value, rtol=1e-3, atol=1e-3, err_msg=name)


def lifted(proto: onnx.ModelProto):
    """The net of a model; None if it is refused in words."""
    try:
        made = api.from_onnx(proto)
        api.dump(made.graph)
    except PrototxtError as error:
        assert error.message
        return None
    return made.graph


def computed(proto: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> dict | None:
    """What onnxruntime makes of a model; None if it refuses it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
        names = [value.name for value in session.get_outputs()]
        return dict(zip(names, session.run(names, inputs), strict=True))
    except Exception:
        return None


def change(proto: onnx.ModelProto, generator: random.Random) -> None:
    """One number, name or dimension of a model is another."""
    places = list(_places(proto))
    message, field, index = generator.choice(places)
    value = getattr(message, field) if index is None else getattr(message, field)[index]
    if isinstance(value, int):
        new = generator.choice([value + 1, value - 1, generator.choice(NUMBERS)])
        new = max(-(2**63), min(2**63 - 1, new))
    elif isinstance(value, float):
        new = generator.choice([0.0, 1.0, -1.0, 0.5, 1e30, float("inf"), float("nan")])
    else:
        same = [getattr(m, f)[i] for m, f, i in places if f == field and i is not None]
        new = generator.choice(same or [value])
    if index is None:
        setattr(message, field, new)
    else:
        getattr(message, field)[index] = new


def _places(proto: onnx.ModelProto) -> Iterator[tuple[object, str, int | None]]:
    for node in proto.graph.node:
        for field in ("input", "output"):
            yield from ((node, field, index) for index in range(len(getattr(node, field))))
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.INT:
                yield attribute, "i", None
            elif attribute.type == onnx.AttributeProto.FLOAT:
                yield attribute, "f", None
            yield from ((attribute, "ints", index) for index in range(len(attribute.ints)))
    for value in proto.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            yield dim, "dim_value", None
