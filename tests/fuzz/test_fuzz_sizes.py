"""A random net with free sizes is, at each size that it takes, what the net of that size is."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import pytest
from fuzz.fuzzing import fuzz
from fuzz.random_nets import random_net
from hypothesis import strategies as st
from to_onnx.free_nets import computed

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.errors import PrototxtError
from prototxt_gen.graph.infer import infer, named
from prototxt_gen.graph.sample import seeded
from prototxt_gen.layers.parts.ranges import Range
from prototxt_gen.to_onnx.free import read_ranges

Sizes = dict[str, int]


def sizes_to_try(ranges: dict[str, Range], r: Random) -> Iterator[Sizes]:
    """The smallest sizes, those after them, and others, alone and together."""
    for least in (0, None, r.randint(0, 40)):
        yield {
            symbol: one.after(min(one.starts) if least is None else least)
            for symbol, one in ranges.items()
        }
    one = r.choice(sorted(ranges))
    own = {symbol: range_.own for symbol, range_ in ranges.items()}
    yield {**own, one: ranges[one].after(r.randint(0, 40))}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@fuzz(45, st.integers(0, 1 << 32))
def test_a_random_net_with_free_sizes_is_the_net_of_that_size(seed: int) -> None:
    text, r = random_net(seed), Random(seed)
    graph = api.load(Source(text.encode()))
    own = named(infer(graph, Sink()), graph.inputs)["x"]
    free = r.choice([("H", "W"), ("N", "H", "W"), ("H",), ("W",), ("S",)])
    symbols = {"N": 0, "H": 2, "W": 3}
    dims: list[Any] = list(own)
    for symbol in free:
        dims[symbols.get(symbol, 2)] = symbol
    if free == ("S",):  # one symbol for both, if they are of one size
        dims[3] = "S" if own[2] == own[3] else own[3]
    try:
        made = api.convert(graph, weights_init="random", dynamic={"x": dims}, fold=False)
    except PrototxtError as error:
        assert error.message
        return
    # The net in which literal sizes follow, as the report says.
    net = made.graph
    net.stored = {node.name: made.weights.get(at) for at, node in enumerate(net.nodes)}
    ranges, model = read_ranges(made.model), made.model.SerializeToString()
    for sizes in sizes_to_try(ranges, r):
        shape = tuple(sizes.get(dim, dim) for dim in dims)
        given = seeded(graph, {"x": shape})
        fixed = api.to_onnx(net, input_shapes={"x": shape}, fold=False).SerializeToString()
        ours, theirs = computed(model, given), computed(fixed, given)
        for name, value in theirs.items():
            assert ours[name].shape == value.shape, (text, dims, sizes, name)
            if np.isnan(value).any() and np.isnan(ours[name]).any():
                continue  # a greatest value of NaN and others is any of them
            same = np.allclose(ours[name], value, rtol=1e-3, atol=1e-5)
            assert same, (text, dims, sizes, name)
