"""What ``run`` says when it is done: of labels that do not fit, and of nothing to draw."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from math import prod

from prototxt_gen._words import there_are
from prototxt_gen.inference.answers import Answer, Classes


@dataclass
class Notes:
    """What was seen in all answers; ``draws`` if pictures are wanted."""

    labels: Collection[str]
    draws: bool
    _classes: dict[str, int] = field(default_factory=dict)  #: how many an output has
    _drawn: bool = False
    _answered: bool = False

    def see(self, found: Iterable[Answer], pictures: Collection[str]) -> None:
        """The answers for an image, and the pictures of it."""
        for answer in found:
            self._answered = True
            if isinstance(answer, Classes):
                self._classes.setdefault(answer.blob, prod(answer.shape))
        self._drawn = self._drawn or bool(pictures)

    def lines(self) -> Iterator[str]:
        """What there is to say."""
        number, counts = len(self.labels), self._classes
        if number and counts and number not in counts.values():
            has = ", ".join(f"{name!r} has {count}" for name, count in counts.items())
            yield f"{there_are(number, 'label')}, but of classes {has}"
        if self.draws and self._answered and not self._drawn:
            yield "nothing is drawn: no output has boxes, or a class or a score for each pixel"
