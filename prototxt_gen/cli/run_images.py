"""The images of ``run``, one group after the other: computed, shown, drawn."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Optional

import click
import numpy as np

from prototxt_gen._files import whole_file
from prototxt_gen.cli.output import print_error, print_line, print_note
from prototxt_gen.cli.run_notes import Notes
from prototxt_gen.cli.streams import drop_output
from prototxt_gen.cli.tables import print_table
from prototxt_gen.errors import PrototxtError, VerificationError
from prototxt_gen.inference.answers import Answer, Boxes, Classes, Numbers, Segments, answers
from prototxt_gen.inference.blobs import safe_name, save_blobs
from prototxt_gen.inference.computers import Computer, fitted, image_input
from prototxt_gen.inference.drawing import corners_in, drawn_boxes, drawn_map, drawn_plane
from prototxt_gen.inference.images import (
    Frame,
    Preparation,
    frame_of,
    open_picture,
    read_array,
)
from prototxt_gen.inference.labels import label
from prototxt_gen.layers.parts.shapes import show
from prototxt_gen.passes.preprocessing import held

Array = np.ndarray[Any, np.dtype[Any]]

_FEW = 8  #: numbers that are shown one by one


class Item(NamedTuple):
    """An image of a batch: its name, its values, and the picture that they are of."""

    name: str
    values: Array
    picture: Any


@dataclass
class Session:
    """What is run, and what is wanted of it."""

    computer: Computer
    preparation: Preparation
    given: Mapping[str, Array]
    labels: Sequence[str]
    top: int
    threshold: float
    draw: Optional[Path]
    blobs: Optional[Path]
    _taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.name = image_input(self.computer, self.given)
        self.shape = self.computer.inputs[self.name]

    def batch(self, asked: int | None) -> int:
        """How many images are computed at once; raises UsageError for what does not go."""
        size = self.computer.batch_of(self.name)
        if size is not None and asked not in (None, size):
            raise click.UsageError(f"--batch {asked}: the batch of the input is {size}")
        return (asked or 1) if size is None else max(1, size)

    def items(self, path: str) -> list[Item]:
        """The images of a file; raises VerificationError and OSError."""
        if path.lower().endswith(".npy"):
            try:
                found = fitted(read_array(path), self.name, self.shape)
                self._need_taken(found)
                if self.name in self.computer.numbers:
                    found = held(found, self.computer.numbers[self.name], self.name)
            except VerificationError as error:
                words = error.message.removeprefix(f"{path}: ")
                raise VerificationError(f"{path}: {words}") from error
            names = [path] if len(found) == 1 else [f"{path}[{i}]" for i in range(len(found))]
            return [Item(name, one, None) for name, one in zip(names, found, strict=True)]
        frame = frame_of(self.shape)
        if frame is None:
            words = f"the input {self.name!r} is {show(self.shape)}, which an image does not fit"
            raise VerificationError(f"{path}: {words}")
        self.preparation.need_fit(frame)
        picture = open_picture(path, 3, forms="image or a .npy")
        seen = picture.convert("L") if frame.channels == 1 else picture
        return [Item(path, self.preparation.prepared(seen, self._sized(frame, seen)), picture)]

    def _need_taken(self, found: Array) -> None:
        """Raise VerificationError for values of a size that the model does not take."""
        own = dict(enumerate(found.shape))
        taken = self.computer.taken(self.name, own)
        if taken != own:
            wanted = show(tuple(taken[axis] for axis in own))
            raise VerificationError(f"is {show(found.shape)}; the next size it takes is {wanted}")

    def _sized(self, frame: Frame, picture: Any) -> Frame:
        """The frame with the picture's own size where that is free, or the next larger one."""
        if frame.height is not None and frame.width is not None:
            return frame
        width, height = picture.size
        first = 1 if frame.last else 2
        sizes = {first: frame.height or height, first + 1: frame.width or width}
        taken = self.computer.taken(self.name, sizes)
        return frame._replace(height=taken[first], width=taken[first + 1])

    def compute(self, group: Sequence[Item], batch: int) -> Iterator[tuple[Item, list[Answer]]]:
        """The answers for each image; one that is missing in the batch is the last again."""
        values = [item.values for item in group]
        if self.computer.batch_of(self.name) is not None:
            values += values[-1:] * (batch - len(values))
        blobs = self.computer.compute({**self.given, self.name: np.stack(values)})
        outputs = {name: blobs[name] for name in self.computer.outputs if name in blobs}
        for index, item in enumerate(group):
            if self.blobs is not None:
                save_blobs(self.blobs / self._free_name(item.name, ""), blobs)
            yield (
                item,
                answers(
                    outputs,
                    index,
                    len(values),
                    top=self.top,
                    least=self.threshold,
                    detectors=self.computer.detectors,
                ),
            )

    def drawn(self, item: Item, found: Iterable[Answer]) -> list[str]:
        """Write the pictures of an image; return their names."""
        if self.draw is None:
            return []
        pictures: list[tuple[str, Any]] = []
        boxes = [box for answer in found if isinstance(answer, Boxes) for box in answer.boxes]
        if any(isinstance(answer, Boxes) for answer in found) and item.picture is not None:
            boxes.sort(key=lambda box: -box.score)
            pictures.append(("", drawn_boxes(item.picture, boxes, self.labels)))
        size = item.picture.size if item.picture is not None else None
        for answer in found:
            if isinstance(answer, Segments):
                pictures.append((answer.blob, drawn_map(answer.labels, size)))
            elif isinstance(answer, Numbers) and answer.plane is not None:
                pictures.append((answer.blob, drawn_plane(answer.plane, size)))
        self.draw.mkdir(parents=True, exist_ok=True)
        paths = []
        for blob, picture in pictures:
            more = f".{safe_name(blob)}" if blob else ""
            path = self.draw / f"{self._free_name(item.name, more)}.png"
            with whole_file(path) as file:
                picture.save(file, "PNG")
            paths.append(str(path))
        return paths

    def _free_name(self, path: str, more: str) -> str:
        """A name for what is made of a file, which nothing else has."""
        name = Path(path).name
        stem, dot, suffix = name.rpartition(".")
        stem = (stem if dot and stem else name) + (
            suffix[suffix.index("[") :] if "[" in suffix else ""
        )
        stem = stem if not stem.startswith(".") and stem.isprintable() else safe_name(stem)
        number, found = 1, f"{stem}{more}"
        while found.lower() in self._taken:
            number += 1
            found = f"{stem}-{number}{more}"
        self._taken.add(found.lower())
        return found


def show_all(session: Session, paths: Sequence[str], batch: int, *, as_json: bool) -> int:
    """Run all files; 2 if one of them cannot be read, else 0."""
    told: list[dict[str, object]] = []
    failed = False
    group: list[Item] = []
    notes = Notes(session.labels, session.draw is not None)

    def flush() -> None:
        for item, found in session.compute(group, batch) if group else ():
            pictures = session.drawn(item, found)
            notes.see(found, pictures)
            if as_json:
                told.append(_as_dict(session, item, found, pictures))
            else:
                _show(session, item, found, pictures)
        group.clear()

    for path in paths:
        try:
            items = session.items(path)
        except (PrototxtError, OSError) as error:
            failed = True
            words = _words(path, error)
            print_error(words)
            told.append({"input": path, "error": words})
            continue
        for item in items:
            if group and item.values.shape != group[0].values.shape:
                flush()
            group.append(item)
            if len(group) == batch:
                flush()
    flush()
    for line in notes.lines():
        print_note(line)
    if as_json:
        print(json.dumps(told, indent=2))
    return 2 if failed else 0


def _show(session: Session, item: Item, found: Sequence[Answer], pictures: list[str]) -> None:
    """Print the answers; where nobody reads them any more, files are still made of the others."""
    try:
        _print(session, item, found, pictures)
    except BrokenPipeError:
        if session.draw is None and session.blobs is None:
            raise
        drop_output()


def _words(path: str, error: PrototxtError | OSError) -> str:
    if isinstance(error, PrototxtError):
        return error.message
    return f"{error.filename or path}: {error.strerror or error}"


def _print(session: Session, item: Item, found: Sequence[Answer], pictures: list[str]) -> None:
    """The answers: a table on a terminal, else a line for each row, which begins with the name."""
    rows = [row for answer in found for row in _rows(session, answer, item)]
    if sys.stdout.isatty():
        print_line(item.name)
        print_table(("output", "score", "class", "label", "box"), rows, (1, 2), (2,))
    else:
        for blob, *rest in rows:
            print_line(f"{item.name}: {blob}: {' '.join(cell for cell in rest if cell)}")
        sys.stdout.flush()
    for path in pictures:
        print_note(f"{path}: drawn")


def _rows(session: Session, answer: Answer, item: Item) -> Iterator[tuple[str, ...]]:
    """Output, score, class, label and box."""
    if isinstance(answer, Classes):
        for index, score in answer.scores:
            yield answer.blob, f"{score:.4f}", str(index), label(session.labels, index), ""
    elif isinstance(answer, Boxes):
        for box in answer.boxes:
            name = label(session.labels, box.number)
            yield answer.blob, f"{box.score:.4f}", str(box.number), name, _place(box, item)
        if not answer.boxes:
            less = f", {answer.below} less" if answer.below else ""
            yield answer.blob, "", "", f"no box scores {session.threshold:g} or more{less}", ""
    elif isinstance(answer, Segments):
        for index, part in answer.shares[: session.top]:
            yield answer.blob, f"{part:.1%}", str(index), label(session.labels, index), ""
    else:
        yield answer.blob, "", "", f"{show(answer.shape)}: {_numbers(answer.values)}", ""


def _place(box: Any, item: Item) -> str:
    """The corners in pixels of the picture, or in parts of what there is none of."""
    if item.picture is None:
        return "{:.3f},{:.3f} {:.3f},{:.3f}".format(*box.corners)
    return "{},{} {},{}".format(*corners_in(box, item.picture.size))


def _numbers(values: Array) -> str:
    if values.size <= _FEW:
        return " ".join(f"{value:.4g}" for value in values.reshape(-1).tolist())
    finite = values[np.isfinite(values)]
    lost = values.size - finite.size
    words = f"{lost} not finite" if lost else ""
    if finite.size:
        mean = float(finite.mean(dtype=np.float64))
        words = f"{float(finite.min()):.4g} to {float(finite.max()):.4g}, mean {mean:.4g}" + (
            f", {words}" if words else ""
        )
    return words


def _as_dict(
    session: Session, item: Item, found: Sequence[Answer], pictures: list[str]
) -> dict[str, object]:
    told = [{**_head(answer), **_body(session, answer, item)} for answer in found]
    return {"input": item.name, "answers": told, "pictures": pictures}


def _head(answer: Answer) -> dict[str, object]:
    return {"blob": answer.blob, "kind": answer.kind, "shape": list(answer.shape)}


def _body(session: Session, answer: Answer, item: Item) -> dict[str, object]:
    def named(index: int) -> dict[str, object]:
        return {"class": index, "label": label(session.labels, index) or None}

    if isinstance(answer, Classes):
        return {"classes": [{**named(i), "score": _finite(score)} for i, score in answer.scores]}
    if isinstance(answer, Boxes):
        boxes = []
        for box in answer.boxes:
            told = {**named(box.number), "score": box.score, "corners": list(box.corners)}
            if item.picture is not None:
                told["pixels"] = list(corners_in(box, item.picture.size))
            boxes.append(told)
        return {"boxes": boxes, "below": answer.below}
    if isinstance(answer, Segments):
        return {"parts": [{**named(i), "part": part} for i, part in answer.shares]}
    if answer.values.size <= _FEW:
        return {"values": [_finite(value) for value in answer.values.reshape(-1).tolist()]}
    finite = answer.values[np.isfinite(answer.values)].astype(np.float64)
    if not finite.size:
        return {"least": None, "greatest": None, "mean": None}
    least, greatest, mean = map(float, (finite.min(), finite.max(), finite.mean()))
    return {"least": least, "greatest": greatest, "mean": mean}


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if np.isfinite(value) else None
