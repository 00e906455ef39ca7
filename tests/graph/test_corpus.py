"""Nets by other people: their graphs are written back without loss, and weigh what is published."""

from pathlib import Path

import pytest

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block, Document
from prototxt_gen.formats.reader import read_text
from prototxt_gen.formats.upgrade.net import upgrade_net
from prototxt_gen.graph.infer import infer, total_cost
from prototxt_gen.graph.phase import PHASES, State, included
from prototxt_gen.graph.read import read
from prototxt_gen.graph.write import write

NETS = "KaimingHe+deep-residual-networks/prototxt"


def document(file: Path) -> Document:
    source = Source(file.read_bytes(), str(file))
    return read_text(source, Sink(source))


def test_every_net_is_written_back_without_loss_in_every_phase(corpus: Path) -> None:
    files = sorted(corpus.rglob("*.prototxt"))
    assert files
    for file in files:
        net = document(file)
        if net.root.type is None or net.root.type.name != "NetParameter":
            continue
        root = upgrade_net(net.root, Sink(), inputs=False)
        for phase in PHASES:
            state = State(phase)
            kept = [
                field
                for field in root
                if field.name != "layer"
                or (isinstance(field.value, Block) and included(field.value, state.within(root)))
            ]
            assert write(read(net, Sink(), state)).root == Block(kept), (file, phase)


# torchvision's counts; MSRA's ResNet-50 has 64 biases more, on conv1.
@pytest.mark.parametrize(
    ("depth", "parameters"), [(50, 25_557_032 + 64), (101, 44_549_160), (152, 60_192_808)]
)
def test_published_nets_have_the_published_parameters(
    depth: int, parameters: int, corpus: Path
) -> None:
    file = corpus / NETS / f"ResNet-{depth}-deploy.prototxt"
    sink = Sink()
    graph = read(document(file), sink)
    assert total_cost(graph, infer(graph, sink)).parameters == parameters
    assert not sink.diagnostics
