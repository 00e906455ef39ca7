"""``convert --triton``: a net that becomes a model of Triton's repository in one step."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prototxt_gen.cli.triton import need_name, put
from prototxt_gen.triton.repository import MODEL, need_repository, paths

if TYPE_CHECKING:
    from prototxt_gen.to_onnx.export import Exported

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Served:
    """The repository, and the name of the model there."""

    repository: Path
    name: str

    @classmethod
    def of(cls, repository: str, name: str | None) -> Served:
        """That of the options; raises UsageError for a name that is none."""
        if name is None:
            raise click.UsageError("--triton REPO: give the model's name there too, --name N")
        need_name(name)
        return cls(Path(repository), name)

    @property
    def places(self) -> list[str]:
        """The files that may be written, the model first."""
        found = paths(self.repository, self.name, _VERSION, [f"{MODEL}.data"])
        return [str(path) for path in found]

    def need_place(self) -> None:
        """Raise OSError where nothing can be written there."""
        need_repository(self.repository)

    @contextmanager
    def written(self, made: Exported, *, external_data: bool) -> Iterator[str]:
        """The model in a file of its own, to be put into the repository.

        It is whole before other files are begun, which take their names together.
        """
        from prototxt_gen.to_onnx.write import write_model

        with tempfile.TemporaryDirectory(prefix="convert-") as folder:
            path = Path(folder) / MODEL
            write_model(made, path, external_data=external_data)
            yield str(path)

    def put(self, path: str) -> tuple[list[str], list[str]]:
        """Copy it, as ``triton`` does; the files, and what is to be said of them."""
        return put(path, self.repository, self.name, version=_VERSION)
