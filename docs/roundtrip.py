"""Write docs/roundtrip.md: which nets come back from their structure alone, and as what."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/roundtrip.md"
# This file has the name of the folder of tests, and would be taken for it.
sys.path[:0] = [str(ROOT / "tests/roundtrip"), str(ROOT / "tests")]

from trips import Outcome, back, nets  # noqa: E402

HEAD = """\
# There and back

`make docs` writes this page; a test follows it.

A model that `resnet-proto convert` made keeps the net that it was made from. As long as nobody
changed the model, or changed nothing but weights, `convert` gives that very net back: with
`--no-fold` equal to the source, message for message, and weights to the last bit. Otherwise the
report names the first difference, and the net is made from the model's structure.

This page is about the second way: what each recorded net and each preset of `gen --list` becomes
where the model does not say what it was. Every net here that is not refused computes the same.
"""
FORMS = """
## In another form

The layers that come back are others; `canonical` is the normal form that the rest comes back in
(`passes/canonical.py`).

| net | its layers | come back as |
|---|---|---|
"""
REFUSED = """
## Refused

| net | why |
|---|---|
"""


def page() -> str:
    """The whole page."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {name: back(of)[0] for name, of in nets()}
    kinds = [outcome.kind for outcome in found.values()]
    counts = (
        f"\nOf {len(kinds)} nets, {kinds.count('canonical')} come back in their normal form, "
        f"{kinds.count('form')} in another form, and {kinds.count('refused')} are refused.\n"
    )
    forms = "".join(_row(name, one) for name, one in found.items() if one.kind == "form")
    refused = "".join(_row(name, one) for name, one in found.items() if one.kind == "refused")
    return f"{HEAD}{counts}{FORMS}{forms}{REFUSED}{refused}"


def _row(name: str, outcome: Outcome) -> str:
    return (
        f"| {name} | {' | '.join(word.replace('|', chr(92) + '|') for word in outcome.words)} |\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(PAGE)
