"""The pages in a browser, used as a person uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from report.browser import CHROMIUM, FRAMES, Browser, Page, browser
from report.test_page import hostile

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.draw import forms
from prototxt_gen.errors import PrototxtError
from prototxt_gen.report.data import Asked, report
from prototxt_gen.report.page import as_html, as_pair_html
from prototxt_gen.report.pair import Asked as AskedTwo
from prototxt_gen.report.pair import pair

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to use a page with")

PROBLEM = """input: "x" input_shape { dim: [1, 4, 8, 8] }
layer { name: "c" type: "Convolution" bottom: "x" top: "y"
        convolution_param { num_output: 6 kernel_size: 3 group: 4 } }
layer { name: "mine" type: "Mine" bottom: "y" top: "z" }
"""
PAGES: dict[str, Callable[[], bytes]] = {
    "one": lambda: of_one(api.generate("resnet18")),
    "deep": lambda: of_one(api.generate("resnet152")),
    "problem": lambda: of_one(PROBLEM),
    "hostile": lambda: of_one(hostile()),
    "two": lambda: of_two(api.generate("plain34"), api.generate("resnet34")),
    "one without": lambda: of_one(PROBLEM),
    "two without": lambda: of_two(PROBLEM.partition('layer { name: "mine"')[0], PROBLEM),
    "hostile two": lambda: of_two(hostile(), PROBLEM),
}


def of_one(text: str) -> bytes:
    return as_html(report(api.load(Source(text.encode(), "net")), Asked("net")))


def of_two(a: str, b: str) -> bytes:
    graphs = [api.load(Source(text.encode(), "net")) for text in (a, b)]
    return as_pair_html(pair(*graphs, AskedTwo(("a.prototxt", "b.prototxt"))))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def chromium(folder: Path) -> Iterator[Browser]:
    with browser(folder) as found:
        yield found


@pytest.fixture
def show(chromium: Browser, folder: Path) -> Iterator[Callable[..., Page]]:
    """A page by its name; in the end nothing has gone wrong on it, and nothing was asked for."""
    shown: list[tuple[Page, str]] = []

    def load(name: str, place: str = "") -> Page:
        path = folder / f"{name}.html"
        if not path.exists():
            path.write_bytes(PAGES[name]())
        page = chromium.page(path.as_uri() + place)
        shown.append((page, path.as_uri()))
        return page

    yield load
    for page, address in shown:
        assert page.trouble == []
        assert [url.partition("#")[0] for url in page.requests] == [address]


def chosen(page: Page) -> str:
    """The layer in the panel."""
    return page.text("#panel h3")


def test_a_click_into_the_picture_opens_a_panel(show: Callable[..., Page]) -> None:
    page = show("one")
    assert "Choose a layer" in page.text("#panel")
    page.click("#box-n1")
    assert chosen(page) == "conv1" and "9,408" in page.text("#panel")
    assert page.value("document.querySelector('#box-n1').classList.contains('chosen')")
    assert page.value("location.hash") == "#layer-1"
    page.key("Escape")
    assert "Choose a layer" in page.text("#panel")
    page.click("#panel")
    page.click("#layer-6")
    assert chosen(page) == page.text("#layer-6 td:nth-child(2)")


def test_an_address_names_a_layer(show: Callable[..., Page]) -> None:
    assert chosen(show("one", "#layer-1")) == "conv1"


def test_the_search_finds_a_layer(show: Callable[..., Page]) -> None:
    page = show("one")
    page.key("/")
    page.write("res3a_branch")
    assert page.value("document.querySelectorAll('.node.hit').length") == 3
    page.key("ArrowDown")
    page.key("Enter")
    assert "3a_branch" in chosen(page)
    page.key("Escape")
    page.write("no such layer")
    assert page.text("#hits") == "nothing fits"


def test_the_table_by_keys_and_by_its_heads(show: Callable[..., Page]) -> None:
    page = show("one")
    page.value("document.querySelector('#layer-0').focus()")
    page.key("ArrowDown")
    page.key("ArrowDown")
    page.key("Enter")
    assert page.value("location.hash") == "#layer-2"
    page.click("#table th:nth-child(5) button")
    page.click("#table th:nth-child(5) button")
    assert page.text("#table tbody tr td:nth-child(5)") == "2,359,296"  # 512 x 512 x 3 x 3


def test_the_picture_by_keys(show: Callable[..., Page]) -> None:
    page = show("one")
    matrix = "document.querySelector('.svg-pan-zoom_viewport').getAttribute('transform')"
    settled = f"{FRAMES}.then(() => {matrix})"
    page.value("document.querySelector('#graph').focus()")
    seen = [page.value(settled)]
    for key in ("+", "ArrowDown", "ArrowLeft", "0", "-"):
        page.key(key)
        seen.append(page.value(settled))
    assert len(set(seen)) == len(seen)


def test_a_finding_leads_to_its_layer(show: Callable[..., Page]) -> None:
    page = show("problem")
    page.click("#finding-0 a")
    assert chosen(page) == "c" and "group" in page.text("#panel ul")


def test_a_deep_net_can_be_used(show: Callable[..., Page]) -> None:
    page = show("deep")
    page.key("/")
    page.write("res4b20_branch2b")
    page.key("Enter")
    assert chosen(page) == "res4b20_branch2b"
    # It is drawn with the units that it is like.
    assert "res4b1_branch2b" in page.text("#panel .chips:last-child")


def test_two_nets_side_by_side(show: Callable[..., Page]) -> None:
    page = show("two")
    page.click("#a-box-n4")
    # Of the layers in the box it is the ReLU that differs.
    assert page.text("#panel .verdict") == "⇄ rewired"
    assert page.text("#panel .two > :nth-child(2) h3") == "B res2a_relu"
    assert page.value("document.querySelectorAll('.node.chosen').length") == 2
    page.click("#b-box-n5")
    assert page.text("#panel .verdict") == "+ added"
    assert "has no such layer" in page.text("#panel .two > :nth-child(1)")
    page.click("#difference-2 td:nth-child(4)")
    assert "rewired" in page.text("#panel .verdict")
    assert "'res2a_branch2b'" in page.text("#panel .fields")
    page.click("#difference-2 td:nth-child(3) a")
    assert page.value("location.hash").startswith("#b-")


def test_the_differences_by_keys(show: Callable[..., Page]) -> None:
    page = show("two")
    for _ in range(3):
        page.key("n")
    assert page.value("location.hash").startswith("#a-")
    assert page.value("document.querySelector('tr[aria-selected]').id") == "difference-2"
    page.key("p")
    assert page.value("document.querySelector('tr[aria-selected]').id") == "difference-1"
    page.click(".filters input[value=added]")
    listed = "[...document.querySelectorAll('#table tbody tr')].filter(r => !r.hidden).length"
    assert page.value(listed) == 42 - 25
    page.key("n")
    page.key("n")
    assert page.value("document.querySelector('tr[aria-selected]').id") == "difference-4"
    page.key("/")
    page.write("res5c")
    page.key("Enter")
    assert page.text("#panel .verdict") == "+ added"


@pytest.mark.parametrize("name", ["one without", "two without"])
def test_without_pictures(
    name: str, show: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> str:
        raise PrototxtError("Graphviz is not installed")

    monkeypatch.setattr(forms, "_engine", missing)
    page = show(name)
    assert "Graphviz is not installed" in page.text("main")
    page.key("/")
    page.write("mine")
    page.key("Enter")
    assert page.text("#panel").count("mine") >= 2  # its name, and its text
    page.key("Escape")
    page.key("Escape")
    page.key("n")
    assert ("added" in page.text("#panel")) == (name == "two without")


@pytest.mark.parametrize("name", ["hostile", "hostile two"])
def test_hostile_names_are_text(name: str, show: Callable[..., Page]) -> None:
    page = show(name, "#layer-1" if name == "hostile" else "#a-1")
    assert "</script><img src=x onerror=alert(1)>" in page.text("#panel h3")
    assert page.value("document.querySelectorAll('img').length") == 0


@pytest.mark.parametrize("name", ["one", "two"])
def test_dark_and_on_paper(name: str, show: Callable[..., Page]) -> None:
    page = show(name)
    grounds = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.call("Emulation.setEmulatedMedia", media="screen", features=features)
        grounds.append(page.value("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] == "rgb(255, 255, 255)" != grounds[1]
    page.call("Emulation.setEmulatedMedia", media="print", features=features)
    assert page.value("getComputedStyle(document.body).backgroundColor") == grounds[0]
    seen = "getComputedStyle(document.querySelector('{}')).display"
    assert [page.value(seen.format(part)) for part in ("nav", "#panel")] == ["none", "none"]
    page.value("dispatchEvent(new Event('beforeprint'))")
    assert page.value("[...document.querySelectorAll('.net')].every(e => e.clientHeight > 200)")
