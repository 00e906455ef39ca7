"""The page: nothing of a net becomes markup, and nothing is loaded."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.report.data import Asked, report
from prototxt_gen.report.page import as_html
from prototxt_gen.weights import make, save

NAMES = (
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "' onclick='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "]]>&amp;</style></title></svg>",
    "\x01\x1b[31m\u202e",
    "javascript:alert(1)",
    "\udcff",
)


class Seen(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def hostile() -> str:
    def quoted(name: str) -> str:
        data = name.encode("utf-8", "surrogateescape")
        return '"' + "".join(f"\\{byte:03o}" for byte in data) + '"'

    lines = [f"name: {quoted(NAMES[0])}"]
    lines.append('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [1, 4] } } }')
    for index, name in enumerate(map(quoted, NAMES)):
        below = quoted(f"{NAMES[index - 1]}") if index else '"x"'
        lines.append(
            f"layer {{ name: {name} type: {name if index % 2 else quoted('ReLU')} "
            f"bottom: {below} top: {name} python_param {{ module: {name} layer: {name} }} }} # "
            f"{NAMES[0]}"
        )
    return "\n".join(lines)


def page(text: str, file: str = "net") -> str:
    return as_html(report(api.load(Source(text.encode(), file)), Asked(file))).decode()


def test_hostile_names_become_text() -> None:
    plain = Seen(page(re.sub(r'"(\\\d{3})+"', '"a"', hostile())))
    html = page(hostile(), file=NAMES[0])
    seen = Seen(html)
    assert {tag for tag, _ in seen.found} <= {tag for tag, _ in plain.found} | {"rect", "path"}
    assert not any(name.startswith("on") for _, attrs in seen.found for name in attrs)
    scripts = [attrs for tag, attrs in seen.found if tag == "script"]
    assert len(scripts) == 3
    assert not any(ord(c) < 32 and c not in "\n\t" for c in html)
    assert "\u202e" not in html and "49{%" not in html


def test_the_data_of_the_script_is_that_of_the_report() -> None:
    html = page(hostile())
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html)
    layers = json.loads(data)["layers"]
    assert [one["name"] for one in layers][1] == NAMES[0]
    assert layers[6]["name"] == "\\x01\\x1b[31m\\u202e"
    assert not set("<>&") & set(data)


def test_nothing_is_loaded() -> None:
    html = page(api.generate(depth=18))
    seen = Seen(html)
    for tag, attrs in seen.found:
        assert tag not in ("link", "img", "iframe", "object", "base", "form")
        assert "src" not in attrs
        for name in ("href", "xlink:href"):
            assert (attrs.get(name) or "#").startswith("#")
    styles = "".join(re.findall(r"<style>(.*?)</style>", html, re.S))
    assert "url(" not in styles and "@import" not in styles
    policy = next(a for _, a in seen.found if a.get("http-equiv") == "Content-Security-Policy")
    assert (policy["content"] or "").startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert "unsafe" not in (policy["content"] or "").partition("script-src")[2]


def test_equal_nets_have_equal_pages() -> None:
    text = api.generate(depth=18)
    assert page(text) == page(text)


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    net, out = tmp_path / "net.prototxt", tmp_path / "net.html"
    net.write_text(api.generate(depth=18))
    assert run(["report", str(net), "-o", str(out)]) == 0
    assert out.read_bytes().startswith(b"<!doctype html>")
    assert run(["report", str(net), "-o", str(net)]) == 2
    assert run(["report", str(tmp_path / "none.prototxt"), "-o", str(out)]) == 2


def test_weights_are_for_a_net_of_caffe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "a.onnx"
    graph = api.load(Source(api.generate(depth=18).encode()))
    graph.stored = make(graph, "zeros")
    model.write_bytes(api.to_onnx(graph).SerializeToString())
    save(graph, graph.stored, tmp_path / "a.caffemodel")
    assert run(["report", str(model), str(tmp_path / "a.caffemodel")]) == 2
    assert "WEIGHTS is for a Caffe net" in capsys.readouterr().err
    assert run(["report", str(model), "-o", str(tmp_path / "a.html")]) == 0


@pytest.mark.parametrize("opens", [True, False])
def test_view_opens_a_file_that_stays(
    opens: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda uri: asked.append(uri) or opens)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    net = tmp_path / "net.prototxt"
    net.write_text(api.generate(depth=18))
    assert run(["view", str(net)]) == (0 if opens else 2)
    (path,) = tmp_path.glob("*/net.html")
    assert asked == [path.as_uri()]
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize(("batch", "said"), [(1, False), (7, True)])
def test_the_batch_that_costs_are_of_is_said(batch: int, said: bool) -> None:
    text = (
        f'input: "x" input_shape {{ dim: [{batch}, 3, 4, 4] }} layer {{ name: "c" bottom: "x"'
        ' top: "c" type: "Convolution" convolution_param { num_output: 2 kernel_size: 1 } }'
    )
    page = as_html(report(api.load(Source(text.encode())), Asked("net.prototxt"))).decode()
    assert ("phase TEST, costs of a batch of 7</p>" in page) == said
