"""Record the session of README: commands, what they print, and when, as an SVG that plays it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path

TARGET = Path(__file__).parent / "pictures/session.svg"
BEFORE = (
    "resnet-proto gen resnet20 > net.prototxt",
    "resnet-proto weights init net.prototxt --how random -o net.caffemodel",
    "rm net.prototxt",
)
COMMANDS = (
    "resnet-proto gen resnet20 > net.prototxt",
    "resnet-proto summary net.prototxt --depth 1",
    "sed 's/kernel_size: 8/kernel_size: 9/' net.prototxt | resnet-proto validate -",
    "resnet-proto convert net.prototxt net.caffemodel -o net.onnx --batch dynamic --verify",
)
WIDTH, LINE, LETTER = 122, 19, 7.85  #: letters in a line; pixels
TYPED, READ = 0.04, 2.2  #: seconds for a letter, and for what a command prints
STYLE = """
  text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
         fill: #d6deeb; white-space: pre; }
  .prompt { fill: #7fdbca; } .typed { fill: #ffffff; font-weight: 600; }
  .error { fill: #ff8b8b; } .note { fill: #addb67; }
  @keyframes appear { from { visibility: hidden } to { visibility: visible } }
  text { animation: appear 0.01s linear backwards; }
  @media (prefers-reduced-motion: reduce) { text { animation: none } }
"""


def session() -> str:
    """The SVG; each line appears when it was typed or printed."""
    parts, height = [], 46
    for words, kind, at in _lines():
        start = '<tspan class="prompt">$ </tspan>' if kind == "typed" else ""
        shown = f'<tspan class="{kind}">{escape(words)}</tspan>'
        parts.append(
            f'<text x="18" y="{height}" style="animation-delay:{at:.2f}s">{start}{shown}</text>'
        )
        height += LINE
    width = round(WIDTH * LETTER + 36)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
            "<title>A session: gen, summary, validate, convert</title>",
            f"<style>{STYLE}</style>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#0f1b2d"/>',
            *(
                f'<circle cx="{18 + 16 * i}" cy="17" r="5" fill="{fill}"/>'
                for i, fill in enumerate(("#ff6b6b", "#f2c94c", "#6fcf97"))
            ),
            *parts,
            "</svg>\n",
        ]
    )


def _lines() -> Iterator[tuple[str, str, float]]:
    at = 0.5
    with tempfile.TemporaryDirectory() as folder:
        for command in BEFORE:
            _run(command, folder)
        for command in COMMANDS:
            at += len(command) * TYPED
            yield command, "typed", at
            at += 0.4
            for line in _run(command, folder):
                kind = "error" if "error:" in line else "note" if "agree" in line else "printed"
                yield from ((piece, kind, at) for piece in _folded(line))
            at += READ


def _run(command: str, folder: str) -> list[str]:
    text = re.sub(r"\bresnet-proto\b", f"{sys.executable} -m prototxt_gen", command)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        text, shell=True, cwd=folder, env=environment, stdout=-1, stderr=-2, text=True
    )
    return [line.rstrip() for line in done.stdout.rstrip("\n").split("\n")] if done.stdout else []


def _folded(line: str) -> list[str]:
    """A line as a terminal of this width shows it."""
    return [line[i : i + WIDTH] for i in range(0, max(len(line), 1), WIDTH)]


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(session(), "utf-8")
    sys.stdout.write(f"{TARGET}\n")
