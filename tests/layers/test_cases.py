"""Every case of the table: shapes, weights and cost, or the rule that refuses it; reading and
writing."""

from __future__ import annotations

import pytest
from layers.cases import CASES, Case

from prototxt_gen.diagnostics import Severity, Sink, Source
from prototxt_gen.document import Block
from prototxt_gen.formats.prototxt import print_block
from prototxt_gen.formats.reader import read_text
from prototxt_gen.graph.check import check
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.infer import Shapes, costs
from prototxt_gen.graph.read import read
from prototxt_gen.graph.validation import validate
from prototxt_gen.graph.write import write_layer
from prototxt_gen.layers import MODULES, read_layer

TAKEN = [case for case in CASES if case.rule is None]
REFUSED = [case for case in CASES if case.rule is not None]


def net(case: Case) -> str:
    # By ``input`` fields, since SegNet's fork has no Input layer.
    inputs = "".join(
        f'input: "b{i}" input_shape {{ dim: [{", ".join(map(str, shape))}] }}\n'
        for i, shape in enumerate(case.bottoms)
    )
    bottoms = " ".join(f'bottom: "b{i}"' for i in range(len(case.bottoms)))
    tops = " ".join(f'top: "t{i}"' for i in range(case.top_count))
    return f'{inputs}layer {{ name: "l" type: "{case.type}" {bottoms} {tops} {case.params} }}\n'


def analysed(text: str) -> tuple[Graph, Shapes, Sink]:
    source = Source(text.encode())
    sink = Sink(source)
    graph = read(read_text(source, sink), sink)
    return graph, check(graph, sink), sink


@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_what_comes_out(case: Case) -> None:
    graph, shapes, sink = analysed(net(case))
    assert not sink.errors
    node, index = graph.nodes[-1], len(graph.nodes) - 1
    found = tuple(shapes.blobs.get(top) for top in node.tops)
    if case.tops == ((None,),):  # nothing at all is known, and there is a reason
        assert found == (None,)
        assert shapes.reasons[index]
        return
    assert found == case.tops
    assert shapes.weights[index] == case.weights
    cost = next(cost for at, cost in costs(graph, shapes) if at is node)
    weights = sum(_product(shape) for shape in case.weights)
    assert cost == (weights - case.statistics, case.statistics, case.multiply_adds)


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_is_refused(case: Case) -> None:
    text = net(case)
    found = [d for d in validate(Source(text.encode())).sorted() if d.severity is Severity.ERROR]
    assert {d.rule for d in found} == {case.rule}
    line = text.count("\n")
    assert all(d.span and Source(text.encode()).position(d.span.start)[0] == line for d in found)


@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_a_layer_survives_writing(case: Case) -> None:
    graph, _, _ = analysed(net(case))
    node = graph.nodes[-1]
    # Of another name, so that its block is made anew; then the text of that is read.
    made = write_layer(Node("other", node.layer, node.bottoms, node.tops, node.source))
    assert made is not node.source
    again, sink = _layer(made)
    assert not sink.errors
    assert read_layer(again) == node.layer
    # And by its own parameters alone, without the block it was read from.
    if node.layer.param is not None:
        block = Block.of(type=node.type, top=[top.blob for top in node.tops])
        for field in node.source:
            if field.name not in ("name", "type", "bottom", "top", node.layer.param):
                block.fields.append(field)
        params = node.layer.write()
        modelled = node.layer.models()
        params.fields.extend(f for f in node.params if f.name not in modelled)
        if params.fields:
            block.add(node.layer.param, params)
        alone, sink = _layer(block)
        assert not sink.errors
        assert read_layer(alone) == node.layer


def test_every_registered_type_has_a_case() -> None:
    assert {case.type for case in TAKEN} == set(MODULES)


def _layer(block: Block) -> tuple[Block, Sink]:
    source = Source(f"layer {{\n{print_block(block)}}}\n".encode())
    sink = Sink(source)
    return read_text(source, sink, "NetParameter").root.blocks("layer")[0], sink


def _product(shape: tuple[int | None, ...]) -> int:
    product = 1
    for dim in shape:
        assert dim is not None
        product *= dim
    return product
