"""Numbers and pieces of texts in messages."""

from __future__ import annotations

_SHOWN = 40
_IRREGULAR = {
    "axis": "axes",
    "spatial axis": "spatial axes",
    "batch of images": "batches of images",
    "class": "classes",
    "entry": "entries",
}


def plural(number: int, what: str, form: str = "") -> str:
    """A number of things, in the singular for one: ``1 layer``, ``2 axes``.

    ``form`` is that of the number, as in a format string.
    """
    return f"{number:{form}} {what if number == 1 else _IRREGULAR.get(what, f'{what}s')}"


def there_are(number: int, what: str) -> str:
    """That there are so many things: ``there is 1 label``, ``there are 2 labels``."""
    return f"there {'is' if number == 1 else 'are'} {plural(number, what)}"


def cut(text: str) -> str:
    """As much of a text as a message has room for."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
