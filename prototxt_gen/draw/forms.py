"""A picture as a file: SVG and PNG by Graphviz, PDF of the SVG, dot and Mermaid as they are."""

from __future__ import annotations

import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

from prototxt_gen.draw.dot import FONT, as_dot
from prototxt_gen.draw.mermaid import as_mermaid
from prototxt_gen.draw.picture import Picture
from prototxt_gen.errors import PrototxtError

FORMS = ("svg", "png", "pdf", "dot", "mermaid", "html")
#: What a file's name ends with, for each form.
SUFFIXES = {
    ".svg": "svg",
    ".png": "png",
    ".pdf": "pdf",
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".html": "html",
}
_ENGINE = "graphviz-pure"
_SECONDS = 300


def drawn(made: Picture, form: str) -> bytes:
    """The bytes of a form; raises PrototxtError where an engine is missing or fails."""
    if form == "dot":
        return as_dot(made).encode()
    if form == "mermaid":
        return as_mermaid(made).encode()
    if form == "png":
        return _graphviz(as_dot(made), "png", ["-Gdpi=144"])
    svg = _graphviz(as_dot(made), "svg")
    if form == "svg":
        return svg
    return _page(made, svg) if form == "html" else _pdf(svg)


def _graphviz(text: str, form: str, more: list[str] | None = None) -> bytes:
    """What Graphviz makes of a text, in a process that reads nothing else."""
    engine = _engine()
    command = [engine, f"-T{form}", *(more or [])]
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        name = Path(engine).name
        raise PrototxtError(f"{name} takes more than {_SECONDS} seconds to draw the net") from None
    if done.returncode or not done.stdout:
        words = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise PrototxtError(f"{Path(engine).name} cannot draw the net: {words}")
    return done.stdout


def _engine() -> str:
    beside = Path(sys.executable).with_name(_ENGINE)
    found = str(beside) if beside.is_file() else shutil.which(_ENGINE) or shutil.which("dot")
    if found is None:
        raise PrototxtError(
            "Graphviz is not installed: pip install 'resnet-proto[draw]'; dot and mermaid need none"
        )
    return found


def _pdf(svg: bytes) -> bytes:
    try:
        from reportlab.graphics import renderPDF
        from svglib.svglib import svg2rlg
    except ImportError:
        raise PrototxtError("svglib is not installed: pip install 'resnet-proto[draw]'") from None
    # The font of the same widths that every reader of PDF has.
    made = svg2rlg(BytesIO(svg.replace(FONT.encode(), b"Helvetica")))
    return bytes(renderPDF.drawToString(made))


def _page(made: Picture, svg: bytes) -> bytes:
    from html import escape

    start = svg.index(b"<svg")
    head = (
        "<!doctype html>\n<html lang='en'>\n<meta charset='utf-8'>\n"
        f"<title>{escape(made.title or 'net')}</title>\n"
        "<style>body{margin:0;background:#fff}svg{display:block;margin:auto;max-width:100%;"
        "height:auto}</style>\n"
    )
    return head.encode() + svg[start:] + b"</html>\n"
