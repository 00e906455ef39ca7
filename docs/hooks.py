"""For mkdocs: the pages of the site that lie elsewhere in the repository, and links to others."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
#: The files of the repository that are pages of the site.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "examples/README.md": "examples.md",
}
_LINK = re.compile(r"\[((?:[^][]|\[[^]]*\])*)\]\((?!\w+:)([^)#\s]*)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie elsewhere."""
    for source, page in PAGES.items():
        if page != "index.md":
            text = relinked((ROOT / source).read_text("utf-8"), source)
            files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The text of a page, whose links lead to the site's pages."""
    if page.file.generated_by:
        return markdown
    return relinked(markdown, f"docs/{page.file.src_uri}", f"docs/{page.file.src_uri}")


def relinked(text: str, source: str, page: str | None = None) -> str:
    """A page whose links lead to pages of the site; what is none is no link."""
    folder = posixpath.dirname(page or f"docs/{PAGES[source]}")

    def link(found: re.Match[str]) -> str:
        words, target, anchor = found[1], found[2], found[3] or ""
        if not target:
            return found[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        path = f"docs/{PAGES[path]}" if path in PAGES else path
        if not path.startswith("docs/"):
            return words if (ROOT / path).exists() else found[0]
        return f"[{words}]({posixpath.relpath(path, folder or '.')}{anchor})"

    return _LINK.sub(link, text)
