"""A report as one HTML file that asks the network for nothing.

Names and texts come from files of strangers. Jinja2 escapes them, the data for the script is
JSON without a ``<``, and the page's own policy lets no script run but the two whose hashes it
names, and nothing be loaded.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import PurePath
from typing import Any

import jinja2
from markupsafe import Markup

from prototxt_gen._resources import data_dir
from prototxt_gen._words import plural
from prototxt_gen.draw.dot import COLOURS, printable
from prototxt_gen.draw.picture import short
from prototxt_gen.report.data import Report

_PAGE, _STYLE = "report.html.j2", "report/page.css"
_MOVES, _LICENCE = "report/vendor/svg-pan-zoom.min.js", "report/vendor/svg-pan-zoom.LICENSE"
_OWN = "report/page.js"
_HEIGHT = 22  #: of a histogram, whose bins are two wide


def as_html(made: Report) -> bytes:
    """The page, the same for equal reports."""
    # Its licence asks to be wherever the script is.
    scripts = [f"/*!\n{_read(_LICENCE)}*/\n{_read(_MOVES)}", _read(_OWN)]
    text = (
        _environment()
        .get_template(_PAGE)
        .render(
            report=made,
            colours={one.kind: COLOURS[one.kind] for one in made.layers},
            title=made.name or PurePath(made.file).name,
            style=Markup(_read(_STYLE)),
            scripts=[Markup(script) for script in scripts],
            hashes=[_hash(script) for script in scripts],
            svg=Markup(made.sketch.svg),
            data=Markup(_safe_json(_for_script(made))),
        )
    )
    return text.encode("utf-8", "backslashreplace")


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )
    made.filters.update(short=short, plural=plural, histogram=_histogram, figure=_figure)
    return made


def _read(name: str) -> str:
    found = data_dir("templates")
    for part in name.split("/"):
        found = found / part
    return found.read_text("utf-8")


def _shown(value: Any) -> Any:
    """A value without control characters; what is markup stays as it is."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _figure(number: float) -> str:
    return f"{number:.4g}"


def _hash(script: str) -> str:
    return b64encode(sha256(script.encode()).digest()).decode()


def _histogram(counts: Sequence[int]) -> Markup:
    """Bars of the counts as a small picture."""
    most = max(counts, default=0) or 1
    parts = []
    for index, count in enumerate(counts):
        if count:
            tall = max(1, round(_HEIGHT * count / most))
            parts.append(f"M{2 * index} {_HEIGHT}v-{tall}h2v{tall}z")
    width = 2 * len(counts)
    return Markup(
        f'<svg class="bars" viewBox="0 0 {width} {_HEIGHT}" preserveAspectRatio="none" '
        f'aria-hidden="true"><path d="{"".join(parts)}"/></svg>'
    )


def _for_script(made: Report) -> dict[str, Any]:
    """What the page's script shows of a layer when it is chosen."""
    said: dict[int, list[list[Any]]] = {}
    for number, one in enumerate(made.findings):
        if one.layer is not None:
            said.setdefault(one.layer, []).append([number, one.severity, one.message])
    found = made.to_dict()
    for view, fate in zip(found["layers"], found["outlook"]["fates"], strict=True):
        view["fate"] = fate
        view["findings"] = said.get(view["index"], [])
    return {"file": made.file, "printed": made.printed, "layers": found["layers"]}


def _safe_json(values: object) -> str:
    """JSON that can end neither its element nor a comment."""
    text = json.dumps(_clean(values), separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, (list, tuple)) else value
