"""Weights that a ``param`` keeps from being learned."""

from __future__ import annotations

from collections.abc import Sequence

from prototxt_gen.document import Block


def is_frozen(param: Block, names: Sequence[str] = ("lr_mult",)) -> bool:
    """Whether some factors of a ``param`` are 0; one that is not given is 1 (caffe.proto)."""
    return all(param.get(name, float, 1.0) == 0 for name in names)
