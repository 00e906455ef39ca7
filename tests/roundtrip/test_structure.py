"""Nets whose models do not say where they are from: each comes back from its structure, or not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from roundtrip.trips import Outcome, back, nets, stripped, unlike
from to_onnx.recorded import assert_close, blobs, run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.graph.check import check, checked
from prototxt_gen.graph.comparison import compare
from prototxt_gen.graph.sample import seeded
from prototxt_gen.layers import layer_class
from prototxt_gen.passes.canonical import canonical
from prototxt_gen.weights import make

PAGE = (Path(__file__).parents[2] / "docs/roundtrip.md").read_text("utf-8")
#: What the page says of each net that does not come back in its normal form.
ROWS = {
    name: tuple(word.replace("\\|", "|") for word in words)
    for name, *words in (
        re.split(r"(?<!\\) \| ", line.strip("| \n"))
        for line in PAGE.splitlines()
        if line.startswith("| ") and "/" in line
    )
}
NETS = dict(nets())

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NaN is what Caffe gives


@pytest.mark.parametrize("name", NETS)
def test_a_net_comes_back_from_its_structure(name: str) -> None:
    of = NETS[name]
    outcome, made, found = back(of)
    kind = {0: "canonical", 1: "refused", 2: "form"}[len(ROWS.get(name, ()))]
    assert outcome == Outcome(kind, ROWS.get(name, ()))
    if found is None:
        return
    shapes = checked(made.graph).blobs
    if isinstance(of, Path):
        inputs, wanted = blobs(of)
        values = api.run(found.graph, {r.blob: inputs[r.blob] for r in found.graph.inputs})
    else:  # a deep net: numpy takes seconds for each, and the export has been proven
        inputs = seeded(made.graph, {r.blob: shapes[r] for r in made.graph.inputs}, 0)
        wanted = run_onnx(made.model.SerializeToString(), inputs)
        values = run_onnx(api.to_onnx(found.graph).SerializeToString(), inputs)
    # A value near 0 is the difference of larger ones, and these are large in a deep net.
    largest = max([1.0, *(float(np.abs(value).max()) for value in wanted.values() if value.size)])
    assert_close(values, wanted, 1e-5 if isinstance(of, Path) else 1e-5 + 2e-6 * largest)
    inner = {ref.blob for ref in found.graph.outputs if ref not in found.graph.inputs}
    assert inner <= set(wanted), "nothing else comes out"


def test_the_page_has_no_other_nets() -> None:
    assert ROWS.keys() <= NETS.keys()
    counts = list(map(int, re.findall(r"\b\d+\b", PAGE[PAGE.index("\nOf ") :].split("\n\n")[0])))
    forms = sum(len(words) == 2 for words in ROWS.values())
    assert counts == [len(NETS), len(NETS) - len(ROWS), forms, len(ROWS) - forms]


#: Layers of a random chain, each with parameters to choose from.
LINKS = {
    "Convolution": "convolution_param { num_output: 2%d kernel_size: %d pad: 1 }",
    "Deconvolution": "convolution_param { num_output: 1%d kernel_size: %d bias_term: false }",
    "Pooling": "pooling_param { kernel_size: %d stride: %d }",
    "BatchNorm": "batch_norm_param { eps: 0.00%d%d }",
    "Scale": "scale_param { bias_term: true }",
    "Bias": "",
    "ReLU": "",
    "PReLU": "",
    "ELU": "elu_param { alpha: %d.%d }",
    "Sigmoid": "",
    "TanH": "",
    "AbsVal": "",
    "BNLL": "",
    "LRN": "lrn_param { local_size: 3 alpha: 0.%d beta: 0.%d }",
    "Dropout": "",
    "Split": "",
    "Softmax": "",
}
ENDS = {
    "none": "",
    "fc": 'layer { name: "end" type: "InnerProduct" bottom: "%s" top: "end" '
    "inner_product_param { num_output: 3 } }",
    "flat": 'layer { name: "f" type: "Flatten" bottom: "%s" top: "f" } '
    'layer { name: "end" type: "InnerProduct" bottom: "f" top: "end" '
    "inner_product_param { num_output: 3 transpose: true } }",
}
RESIZING = {"Convolution", "Deconvolution", "Pooling"}
LINK = st.tuples(
    st.sampled_from(sorted(LINKS)), st.integers(1, 3), st.integers(1, 3), st.booleans()
)

_EMPTY = 1e37  #: smaller than what the maximum of no value leaves in any sum


@settings(max_examples=60)
@given(st.lists(LINK, min_size=1, max_size=6), st.sampled_from(sorted(ENDS)))
def test_a_chain_comes_back_in_its_normal_form(
    links: list[tuple[str, int, int, bool]], end: str
) -> None:
    text, x = 'input: "x" input_shape { dim: 2 dim: 3 dim: 7 dim: 7 }', "x"
    # A layer at the end that does nothing is kept, for its name.
    for index, (kind, a, b, apart) in enumerate([*links, ("ReLU", 1, 1, True)]):
        params = LINKS[kind] % (a, b) if "%" in LINKS[kind] else LINKS[kind]
        own = apart or index == 0 or not layer_class(kind).in_place or kind in RESIZING
        top = f"b{index}" if own else x
        text += f'layer {{ name: "l{index}" type: "{kind}" bottom: "{x}" top: "{top}" {params} }}\n'
        x = top
    text += ENDS[end] % x if end != "none" else ""
    source = api.load(Source(text.encode()))
    if check(source, sink := Sink()) and sink.errors:
        reject()  # a window that does not fit
    source.stored = make(source, "random", 1)
    model = stripped(api.to_onnx(source, fold=False))
    found = api.from_onnx(model)
    assert unlike(canonical(source), found.graph) is None
    inputs = {"x": np.random.default_rng(0).standard_normal((2, 3, 7, 7)).astype(np.float32)}
    values = api.run(found.graph, inputs)
    for name, wanted in run_onnx(model.SerializeToString(), inputs).items():
        # A sum of the lowest numbers of empty windows overflows in one order and not in another.
        if np.abs(wanted).max() < _EMPTY:
            assert compare(name, "", wanted, values[name]).agrees
