"""A report as one HTML file that asks the network for nothing.

Names and texts come from files of strangers. Jinja2 escapes them, the data for the script is
JSON without a ``<``, and the page's own policy lets no script run but the two whose hashes it
names, and nothing be loaded.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import PurePath
from typing import Any

from markupsafe import Markup

from prototxt_gen._pages import environment, shipped_text
from prototxt_gen._words import plural
from prototxt_gen.draw.dot import COLOURS, MARKED, printable
from prototxt_gen.draw.picture import MARKS, short
from prototxt_gen.report.data import Report
from prototxt_gen.report.layers import LayerView
from prototxt_gen.report.pair import NAMES, Pair, Side

_PAGE, _PAIR, _STYLE = "report.html.j2", "pair.html.j2", "report/page.css"
_MOVES, _LICENCE = "report/vendor/svg-pan-zoom.min.js", "report/vendor/svg-pan-zoom.LICENSE"
_PARTS, _OWN, _OWN_OF_PAIR = "report/parts.js", "report/page.js", "report/pair.js"
_HEIGHT = 22  #: of a histogram, whose bins are two wide


def as_html(made: Report) -> bytes:
    """The page, the same for equal reports."""
    return _page(
        _PAGE,
        _OWN,
        _for_script(made),
        made.layers,
        report=made,
        title=_title(made.name, made.file),
        svg=Markup(made.sketch.svg),
    )


def as_pair_html(made: Pair) -> bytes:
    """The page about two nets, the same for equal comparisons."""
    found = made.to_dict()
    # A box may have another mark than its layers.
    used = {*made.sides[0].sketch.marks, *made.sides[1].sketch.marks, *made.counts}
    sides = [
        {name: side[name] for name in ("file", "printed", "layers", "marks", "partners")}
        for side in found["sides"]
    ]
    return _page(
        _PAIR,
        _OWN_OF_PAIR,
        {"sides": sides, "rows": found["rows"], "signs": MARKS},
        (*made.sides[0].layers, *made.sides[1].layers),
        pair=made,
        names=NAMES,
        signs=MARKS,
        marked={mark: MARKED[mark] for mark in MARKS if mark in used},
        titles=_titles(*made.sides),
        svgs=[Markup(side.sketch.svg) for side in made.sides],
    )


def _page(
    name: str, script: str, data: dict[str, Any], layers: Iterable[LayerView], **values: Any
) -> bytes:
    # Its licence asks to be wherever the script is.
    moves = f"/*!\n{shipped_text(_LICENCE)}*/\n{shipped_text(_MOVES)}"
    scripts = [moves, shipped_text(_PARTS) + shipped_text(script)]
    made = environment(
        autoescape=True,
        finalize=_shown,
        short=short,
        plural=plural,
        histogram=_histogram,
        figure=_figure,
    )
    text = made.get_template(name).render(
        colours={one.kind: COLOURS[one.kind] for one in layers},
        style=Markup(shipped_text(_STYLE)),
        scripts=[Markup(script) for script in scripts],
        hashes=[_hash(script) for script in scripts],
        data=Markup(_safe_json(data)),
        **values,
    )
    return text.encode("utf-8", "backslashreplace")


def _title(name: str, file: str) -> str:
    return name or PurePath(file).name


def _titles(a: Side, b: Side) -> list[str]:
    """What both nets are called; by their files where they have one name."""
    return [_title(one.name if a.name != b.name else "", one.file) for one in (a, b)]


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
