"""What a notebook shows of a net, and what a prompt does."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.draw import forms
from prototxt_gen.errors import PrototxtError
from prototxt_gen.graph.graph import Graph

HOSTILE = "</div><script>alert(1)</script>"
IMPORTS = """
import sys
from prototxt_gen import api
from prototxt_gen.diagnostics import Source
net = api.load(Source(sys.argv[1].encode()))
print(repr(net))
heavy = ("prototxt_gen.draw", "prototxt_gen.report", "prototxt_gen.summary", "numpy", "jinja2")
print([name for name in heavy if name in sys.modules])
assert net._repr_html_()
print([name for name in heavy if name in sys.modules][:3])
"""


class Balanced(HTMLParser):
    """The elements of a piece of HTML; each that is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def net(text: str) -> Graph:
    return api.load(Source(text.encode()))


def test_a_graph_is_its_picture() -> None:
    graph = net(api.generate("resnet18"))
    shown = graph._repr_html_()
    seen = Balanced(shown)
    assert seen.tags.count("svg") == 1 and "title" not in seen.tags
    assert "res2a_branch2a" in shown and "11.7 M parameters" in shown
    assert "res5b_branch2a" in shown


def test_a_deep_one_is_drawn_by_its_units() -> None:
    shown = net(api.generate("resnet152"))._repr_html_()
    assert "× 35" in shown and shown.count('class="node') < 60


def test_without_graphviz_it_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise PrototxtError("Graphviz is not <installed>")

    monkeypatch.setattr(forms, "_engine", missing)
    shown = net(api.generate("resnet18"))._repr_html_()
    seen = Balanced(shown)
    assert "svg" not in seen.tags and seen.tags.count("tr") == 1 + 90
    assert "Graphviz is not &lt;installed&gt;" in shown


def test_names_are_text() -> None:
    text = f'name: "{HOSTILE}" input: "x" input_shape {{ dim: [1, 3] }}\n'
    text += f'layer {{ name: "{HOSTILE}" type: "ReLU" bottom: "x" top: "y" }}'
    graph = net(text)
    for shown in (graph._repr_html_(), api.summarize(graph)._repr_html_()):
        assert "script" not in Balanced(shown).tags


def test_a_line_tells_what_it_is() -> None:
    graph = net(api.generate("resnet18"))
    assert repr(graph) == "<Graph 'ResNet-18': 90 layers, data -> prob>"
    assert repr(api.summarize(graph)) == (
        "<Summary of 'ResNet-18': 90 layers, 11,689,512 parameters, 1,814,073,344 multiply-adds>"
    )
    many = "".join(f'input: "i{i}" input_shape {{ dim: 1 }}\n' for i in range(6))
    many += 'layer { name: "s" type: "Silence" bottom: "i0" }'
    graph = net(many)
    graph.stored = {"s": []}
    assert (
        repr(graph) == "<Graph '': 2 layers, i0, i1, i2, i3, … -> i1, i2, i3, i4, …, with weights>"
    )
    unknown = 'input: "x" layer { name: "u" type: "Mine" bottom: "x" top: "u" }'
    assert repr(api.summarize(net(unknown))).endswith("0 multiply-adds at least>")


def test_nothing_heavy_is_imported_before_it_is_shown() -> None:
    text = 'input: "x" input_shape { dim: [1, 3] }'
    text += 'layer { name: "r" type: "ReLU" bottom: "x" top: "r" }'
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, text], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "<Graph '': 2 layers, x -> r>",
        "[]",
        "['prototxt_gen.draw', 'prototxt_gen.report', 'prototxt_gen.summary']",
    ]
