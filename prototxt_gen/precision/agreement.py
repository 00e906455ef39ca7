"""How near the outputs of a model in another precision are to those in float32."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(slots=True)
class Output:
    """One output over all samples; ``first`` counts images whose greatest score is the same.

    ``finite`` is whether every number is finite that is in float32. Outputs of other shapes, as
    another number of boxes, are counted in ``others`` and not compared.
    """

    name: str
    judged: bool = True  #: not boxes, whose number a score near the threshold changes
    ranked: bool = True  #: whether the greatest number says anything
    least: float = 1.0
    total: float = 0.0
    difference: float = 0.0
    greatest: float = 0.0
    compared: int = 0
    others: int = 0
    images: int = 0
    first: int = 0
    finite: bool = True

    @property
    def mean(self) -> float:
        """The mean of the cosines."""
        return self.total / self.compared if self.compared else 0.0

    def to_dict(self) -> dict[str, object]:
        """The figures as JSON."""
        found: dict[str, object] = {
            "output": self.name,
            "least_cosine": self.least,
            "mean_cosine": self.mean,
            "greatest_difference": self.difference,
            "greatest_value": self.greatest,
        }
        if self.images:
            found["top_1_agreement"] = self.first / self.images
        if self.others:
            found["of_other_shape"] = self.others
        return found

    def add(self, ours: Array, theirs: Array) -> None:
        """Count one sample; ours is in float32."""
        if ours.shape != theirs.shape:
            self.others += 1
            return
        a, b = ours.astype(np.float64).ravel(), theirs.astype(np.float64).ravel()
        known = np.isfinite(a)
        self.finite &= bool(np.isfinite(b[known]).all())
        a, b = np.where(known, a, 0), np.where(np.isfinite(b), b, 0)
        length = float(np.linalg.norm(a) * np.linalg.norm(b))
        cosine = float(a @ b) / length if length else float(np.array_equal(a, b))
        self.least = min(self.least, cosine)
        self.total += cosine
        self.compared += 1
        self.difference = max(self.difference, float(np.abs(a - b).max(initial=0)))
        self.greatest = max(self.greatest, float(np.abs(a).max(initial=0)))
        if self.ranked and _are_scores(ours):
            one, other = (np.argmax(x.reshape(len(x), -1), 1) for x in (ours, theirs))
            self.images += len(one)
            self.first += int((one == other).sum())


@dataclass(frozen=True, slots=True)
class Agreement:
    """The outputs of a model, over all samples."""

    outputs: tuple[Output, ...]
    samples: int
    of: str  #: what the samples are

    @property
    def least(self) -> float:
        """The least cosine of an output that is judged."""
        return min((one.least for one in self.outputs if one.judged), default=1.0)

    @property
    def broken(self) -> str | None:
        """The first output with a number that is not finite, but is in float32."""
        return next((one.name for one in self.outputs if not one.finite), None)

    def words(self) -> Iterable[str]:
        """The figures, a line for each output."""
        for one in self.outputs:
            words = f"{one.name}: cosine {one.least:.6f} at least, {one.mean:.6f} in the mean"
            words += f"; differs by {one.difference:.2g} at most, of {one.greatest:.3g}"
            if one.images:
                words += f"; the best class is the same in {one.first} of {one.images}"
            if one.others:
                words += f"; {one.others} of {one.others + one.compared} have another shape"
            yield words

    def to_dict(self) -> dict[str, object]:
        """The figures as JSON."""
        return {
            "samples": self.samples,
            "of": self.of,
            "outputs": [one.to_dict() for one in self.outputs],
        }


def agreement(
    names: Sequence[str],
    unjudged: Iterable[str],
    ranked: Iterable[str],
    pairs: Iterable[tuple[Mapping[str, Array], Mapping[str, Array]]],
    of: str,
) -> Agreement:
    """Compare outputs of each sample, those in float32 first.

    ``unjudged`` are figures alone, and ``ranked`` those with scores of classes.
    """
    apart, scores = set(unjudged), set(ranked)
    found = {name: Output(name, name not in apart, name in scores) for name in names}
    samples = 0
    for ours, theirs in pairs:
        samples += 1
        for name, one in found.items():
            one.add(np.asarray(ours[name]), np.asarray(theirs[name]))
    return Agreement(tuple(found.values()), samples, of)


def _are_scores(value: Array) -> bool:
    """Whether an output has a score for each of several classes, for each image."""
    return (
        value.size > 0
        and value.ndim > 1
        and value.shape[1] > 1
        and value.size == value.shape[0] * value.shape[1]
    )
