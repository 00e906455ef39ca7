"""The phase of a layer itself, as opposed to the net's (net.cpp, Net::Init)."""

from __future__ import annotations

from typing import Literal

from prototxt_gen.document import Block


def own_phase(layer: Block) -> Literal["TRAIN", "TEST"] | None:
    """The ``phase`` of a ``layer`` block; None if it has the net's."""
    if not layer.has("phase"):
        return None
    return "TRAIN" if layer.get("phase", str, "") == "TRAIN" else "TEST"
