"""Comparison of two values of a blob, and the verdict on all blobs."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen.graph.graph import Node

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

#: Tolerances, relative to the greatest value of the blob, and to the value itself.
OF_GREATEST, OF_ITSELF = 2e-5, 1e-3


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much a value may differ: ``rtol`` of itself, and ``share`` of the blob's greatest.

    ``atol`` takes the place of the share, as a number. With a ``cosine``, the least of the two
    blobs, single values may differ by any finite number.
    """

    rtol: float = OF_ITSELF
    share: float = OF_GREATEST
    atol: float | None = None
    cosine: float | None = None

    def allowed(self, values: Array, greatest: float) -> Array:
        """The difference that each value may have."""
        rest = self.share * greatest if self.atol is None else self.atol
        found: Array = rest + self.rtol * np.abs(values)
        return found


USUAL = Tolerance()


@dataclass(frozen=True, slots=True)
class Comparison:
    """One blob computed by both sides; the greatest absolute and relative differences.

    If the reference is ``uniform``, a single number throughout, agreement proves little. If
    it is ``blank``, without any finite number, it proves nothing: the two do not agree.
    """

    blob: str
    layer: str
    shape: tuple[int, ...]
    other_shape: tuple[int, ...]
    absolute: float
    relative: float
    cosine: float
    agrees: bool
    uniform: bool = False
    blank: bool = False

    def to_dict(self) -> dict[str, object]:
        """The comparison as JSON; null is a figure that is not finite."""
        return {
            "blob": self.blob,
            "layer": self.layer,
            "shape": self.shape,
            "other_shape": self.other_shape,
            "absolute": _finite(self.absolute),
            "relative": _finite(self.relative),
            "cosine": _finite(self.cosine),
            "uniform": self.uniform,
            "agrees": self.agrees,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """All comparisons in the order of the layers.

    ``sizes`` are the sizes of free dimensions that were tried, such as ``batch 2``; if a
    blob differs, the size at which it does. ``untried`` are layers whose operators nothing here
    can compute, so that only what comes before them is compared.
    """

    comparisons: tuple[Comparison, ...]
    sizes: tuple[str, ...] = ()
    untried: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether there is at least one blob, and every blob agrees."""
        return bool(self.comparisons) and all(comparison.agrees for comparison in self.comparisons)

    @property
    def text(self) -> str:
        """The verdict in a line of text."""
        text = self._text + (f", with {' and with '.join(self.sizes)}" if self.sizes else "")
        if self.untried:
            text += f"; compared up to the inputs of {', '.join(self.untried)}, which was not tried"
        return text

    @property
    def _text(self) -> str:
        first = self.first
        if first is not None and first.blank:
            return f"blob {first.blob!r} of layer {first.layer!r} has no finite number to compare"
        if first is not None:
            return f"differs first at blob {first.blob!r}, made by layer {first.layer!r}"
        number = len(self.comparisons)
        text = f"{number} blob{' agrees' if number == 1 else 's agree'}"
        if self.uniform > number / 2:
            some = "it is" if number == 1 else f"{self.uniform} of them are"
            text += f"; {some} constant, which proves little"
        return text

    def to_dict(self) -> dict[str, object]:
        """The verdict as JSON."""
        return {
            "agrees": self.agrees,
            "first": self.first and self.first.to_dict(),
            "sizes": self.sizes,
            "untried": self.untried,
            "blobs": [comparison.to_dict() for comparison in self.comparisons],
        }

    @property
    def uniform(self) -> int:
        """How many blobs are a single number throughout."""
        return sum(comparison.uniform for comparison in self.comparisons)

    @property
    def first(self) -> Comparison | None:
        """The first blob that does not agree."""
        return next((c for c in self.comparisons if not c.agrees), None)


def compare(
    blob: str, layer: str, ours: Array, theirs: Array, tolerance: Tolerance = USUAL
) -> Comparison:
    """Compare two values of one blob; ours is the reference."""
    if ours.shape != theirs.shape:
        nan = float("nan")
        return Comparison(blob, layer, ours.shape, theirs.shape, nan, nan, nan, False)
    a, b = ours.astype(np.float64).reshape(-1), theirs.astype(np.float64).reshape(-1)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(all="ignore"):
        difference = np.where(same, 0, np.abs(a - b))
        finite = np.abs(a[np.isfinite(a)])
        greatest = float(finite.max()) if finite.size else 0.0
        allowed = tolerance.allowed(a, greatest)
        relative = np.where(same, 0, difference / np.abs(a))
        length = np.linalg.norm(a) * np.linalg.norm(b)
        cosine = float(a @ b / length) if length else float(same.all())
    near = np.isfinite(a) & np.isfinite(b)
    if tolerance.cosine is None:
        near &= difference <= allowed
    alike = tolerance.cosine is None or cosine >= tolerance.cosine
    blank = bool(a.size and not finite.size)
    return Comparison(
        blob,
        layer,
        ours.shape,
        theirs.shape,
        float(difference.max(initial=0)),
        float(relative.max(initial=0)),
        cosine,
        bool((same | near).all()) and alike and not blank,
        bool(a.size > 1 and (a == a[0]).all()),
        blank,
    )


def compare_top(
    node: Node, blob: str, ours: Array, theirs: Array, tolerance: Tolerance = USUAL
) -> Comparison:
    """Compare two values of a top of a node, whose layer knows which order of rows is open."""
    index = [top.blob for top in node.tops].index(blob)
    return compare(blob, node.name, ours, node.layer.aligned(index, ours, theirs), tolerance)


def fitted(value: Array, shape: tuple[int, ...]) -> Array:
    """A value in a shape that differs only by axes of size 1, else unchanged.

    OpenCV keeps such axes where Caffe has none.
    """
    same = [dim for dim in value.shape if dim != 1] == [dim for dim in shape if dim != 1]
    return value.reshape(shape) if same else value


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
