"""The names of classes that a model tells."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

KEY = "labels"  #: of a model's metadata

Labels = Sequence[str]


def labels_in(metadata: Mapping[str, str]) -> list[str]:
    """The labels that a model tells; none if it does not, or in another form.

    A list, or a mapping of numbers to labels.
    """
    try:
        found = json.loads(metadata.get(KEY, ""))
    except (ValueError, RecursionError):
        return []
    if isinstance(found, dict):
        places = {int(key): value for key, value in found.items() if key.isdecimal()}
        most = max(places, default=-1)
        # One entry does not make a list of a million.
        found = [places.get(i, "") for i in range(most + 1)] if most < 8 * len(places) + 64 else []
    if isinstance(found, list) and all(isinstance(item, str) for item in found):
        return found
    return []


def label(labels: Labels, index: int) -> str:
    """The label of a class; empty if there is none."""
    return labels[index] if 0 <= index < len(labels) else ""
