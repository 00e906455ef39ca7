"""The sets of templates: those that are shipped, and folders with templates that replace them.

A set is known by its language: templates named ``.prototxt.j2`` print a prototxt, and those named
``.py.j2`` a program. A folder needs no more than one of a set; the others are the shipped ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prototxt_gen._nearest import nearest
from prototxt_gen._resources import data_dir
from prototxt_gen.errors import TemplateError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


class Shipped(NamedTuple):
    """A shipped set: its folder in ours, its files, the first of which includes the others."""

    folder: str
    files: tuple[str, ...]
    what: str

    @property
    def place(self) -> Traversable:
        """Where its files are."""
        return data_dir("templates") / self.folder if self.folder else data_dir("templates")

    def text(self, file: str) -> str:
        """The text of one of its files."""
        return (self.place / file).read_text(encoding="utf-8")


SETS = {
    "prototxt": Shipped("", ("net.prototxt.j2", "layer.prototxt.j2"), "a prototxt"),
    "pycaffe": Shipped(
        "pycaffe", ("net.py.j2", "layer.py.j2"), "a Python program that makes the net with pycaffe"
    ),
}


class Templates(NamedTuple):
    """The set that a net is printed with; ``folder`` is the user's, None of a shipped one."""

    shipped: Shipped
    folder: Path | None = None

    @property
    def root(self) -> str:
        """The name of the template that prints the net."""
        return self.shipped.files[0]


def shipped(name: str) -> Shipped:
    """The shipped set of a name; raises TemplateError if there is none."""
    if name not in SETS:
        close = nearest(name, list(SETS))
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise TemplateError(f"there is no set of templates {name!r}{hint}; there are {_known()}")
    return SETS[name]


def find_templates(given: Path | None) -> Templates:
    """The set that a user means by a folder, or by the name of a shipped set.

    Raises TemplateError if it is neither, or if no file of the folder has a template's name.
    """
    if given is None:
        return Templates(SETS["prototxt"])
    if given.is_dir():
        return Templates(_of_folder(given), given)
    if str(given) in SETS:
        return Templates(SETS[str(given)])
    raise TemplateError(
        f"{given}: is not a folder; expected a folder of templates, or a shipped set: {_known()}"
    )


def _of_folder(folder: Path) -> Shipped:
    found = [one for one in SETS.values() if any((folder / name).is_file() for name in one.files)]
    if not found:
        names = ", ".join(name for one in SETS.values() for name in one.files)
        raise TemplateError(f"{folder}: no file in it has a template's name; expected {names}")
    if len(found) > 1:
        both = " and ".join(next(f for f in one.files if (folder / f).is_file()) for one in found)
        raise TemplateError(f"{folder}: has templates of two sets, {both}; expected one set")
    return found[0]


def _known() -> str:
    return ", ".join(SETS)
