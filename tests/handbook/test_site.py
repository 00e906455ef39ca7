"""What mkdocs builds the site of: each page in the menu, and links that lead to pages."""

from __future__ import annotations

import re
import runpy
import sys
from html import unescape
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from handbook.shell import Shell

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MENU = re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[2])


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """docs/hooks.py, also where mkdocs is not installed: only its File is asked for."""
    for name in ("mkdocs", "mkdocs.structure", "mkdocs.structure.files"):
        module: Any = ModuleType(name)
        module.File, module.Files = None, list
        monkeypatch.setitem(sys.modules, name, module)
    return runpy.run_path(str(DOCS / "hooks.py"))


def test_the_menu_has_every_page_once(hooks: Any) -> None:
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    elsewhere = set(hooks["PAGES"].values()) - {"index.md"}
    assert sorted(MENU) == sorted(pages | elsewhere)
    assert all((ROOT / file).is_file() for file in hooks["PAGES"])


@pytest.mark.parametrize(
    ("text", "source", "link"),
    [
        ("[a](docs/ci.md)", "CHANGELOG.md", "[a](ci.md)"),
        ("[a](docs/why/pooling.md#how)", "SECURITY.md", "[a](why/pooling.md#how)"),
        ("[a](SECURITY.md)", "CONTRIBUTING.md", "[a](security.md)"),
        ("[a](benchmarks/mutants.md)", "CONTRIBUTING.md", "a"),
        ("[a](none.md)", "CONTRIBUTING.md", "[a](none.md)"),
        ("[a](https://example.org/x.md)", "CONTRIBUTING.md", "[a](https://example.org/x.md)"),
        ("[a](#here)", "CONTRIBUTING.md", "[a](#here)"),
        ("![a](docs/pictures/block.svg)", "CHANGELOG.md", "![a](pictures/block.svg)"),
    ],
)
def test_links_of_pages_that_lie_elsewhere(hooks: Any, text: str, source: str, link: str) -> None:
    assert hooks["relinked"](text, source) == link


def test_links_out_of_the_folder_lead_to_pages(hooks: Any) -> None:
    page = "docs/guide/generate.md"
    found = hooks["relinked"]("[s](../../SECURITY.md) [r](../residual.md#forms)", page, page)
    assert found == "[s](../security.md) [r](../residual.md#forms)"


def test_nothing_is_fetched_for_a_page() -> None:
    text = re.sub(r"!!python\S+", "", (ROOT / "mkdocs.yml").read_text("utf-8"))
    settings = yaml.safe_load(text)
    assert settings["theme"]["font"] is False
    assert not [one for one in settings.get("extra_javascript", ()) if "//" in one]


def test_the_session_of_readme_prints_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = runpy.run_path(str(DOCS / "session.py"))
    svg = (DOCS / "pictures/session.svg").read_text("utf-8")
    typed = re.findall(r'<tspan class="typed">(.*?)</tspan>', svg)
    shown = re.findall(r'<tspan class="(?!typed|prompt)\w+">(.*?)</tspan>', svg)
    assert [unescape(line) for line in typed] == list(made["COMMANDS"])
    (tmp_path / "work").mkdir()
    shell = Shell(tmp_path / "work", monkeypatch)
    for command in made["BEFORE"]:
        shell.run(command)
    printed = [shell.run(command)[1] for command in made["COMMANDS"]]
    # A line may be folded in the picture, at a space or elsewhere.
    assert "".join(unescape("".join(shown)).split()) == "".join("".join(printed).split())


def test_readme_links_to_files_that_there_are() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert len(links) > 30
    assert [link for link in links if not (ROOT / link).is_file()] == []
