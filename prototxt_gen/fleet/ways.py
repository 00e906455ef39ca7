"""The ways to convert each file of a folder: nets to ONNX, and models from it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from prototxt_gen._files import joined, whole_file
from prototxt_gen.errors import UnsupportedError, VerificationError, WeightsError
from prototxt_gen.fleet.jobs import Job, find, find_models
from prototxt_gen.graph.phase import State
from prototxt_gen.passes.deploy import Change
from prototxt_gen.passes.transform import places

if TYPE_CHECKING:
    from prototxt_gen.graph.graph import Graph
    from prototxt_gen.precision import Asked, Lowered
    from prototxt_gen.to_onnx.export import Exported


class Made(NamedTuple):
    """The files that were written, the changes that were made, and what a check said of them."""

    files: list[str]
    changes: Sequence[Change]
    verdict: str = ""


class Way(Protocol):
    """How the jobs of a folder are found, and each is done.

    ``given`` and ``made`` are words for what a job reads and writes.
    """

    given: ClassVar[str]
    made: ClassVar[str]

    @property
    def mark(self) -> str:
        """A text that is the same for equal ways."""

    def find(self, folder: Path, out: Path) -> Iterator[Job]:
        """The jobs of a folder."""

    def read_from(self, job: Job) -> Iterator[str]:
        """The files that the result depends on."""

    def written(self, job: Job) -> tuple[str, str]:
        """The files that may be written."""

    def convert(self, job: Job) -> Made:
        """Do a job."""


@dataclass(frozen=True, slots=True)
class ToOnnx:
    """How each net is read, converted and written; ``options`` are those of ``api.convert``."""

    given: ClassVar[str] = "net"
    made: ClassVar[str] = "model"

    options: Mapping[str, Any] = field(default_factory=dict)
    state: State = field(default_factory=State)
    dialect: str | None = None
    verify: bool = False
    external_data: bool = False
    precision: Asked | None = None
    names: Mapping[str, str] = field(default_factory=dict)  #: of --map, net to file
    #: Free sizes that a folder's nets are given, each those of its own inputs.
    dynamic: Mapping[str, Sequence[int | str]] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """A text that is the same for equal ways."""
        state = [self.state.phase, sorted(self.state.stages), self.state.level]
        rest: list[Any] = [self.dialect, self.verify, self.external_data]
        if self.precision is not None:
            rest.append(asdict(self.precision))
        if self.names:
            rest.append(dict(self.names))
        if self.dynamic:
            rest.append(["dynamic", dict(self.dynamic)])
        return json.dumps([dict(self.options), state, rest], sort_keys=True)

    @property
    def files(self) -> list[str]:
        """The files that options name."""
        named = (self.options.get(name) for name in ("mean", "preprocess_from", "labels"))
        images = self.precision.images if self.precision is not None else ()
        return [*(path for path in named if isinstance(path, str)), *images]

    def find(self, folder: Path, out: Path) -> Iterator[Job]:
        """The nets of a folder, each with its weights."""
        return find(folder, out)

    def read_from(self, job: Job) -> Iterator[str]:
        """The net and its weights, and the files of preprocessing."""
        yield job.net
        if job.weights is not None:
            yield job.weights
        yield from self.files
        other = self.options.get("preprocess_from")
        if other or self.options.get("preprocess") == "auto":
            yield from _means(Path(other or job.net))

    def written(self, job: Job) -> tuple[str, str]:
        """The model, and its weights if they are beside it."""
        return job.target, f"{job.target}.data"

    def read(self, job: Job) -> Graph:
        """The net with its weights."""
        from prototxt_gen import api
        from prototxt_gen.graph.matching import mapped

        graph = api.read_caffe(job.net, job.weights, state=self.state, dialect=self.dialect)
        mapped(graph, self.names)
        return graph

    def convert(self, job: Job) -> Made:
        """Write the model of a net."""
        from prototxt_gen import api
        from prototxt_gen.to_onnx.write import write_model
        from prototxt_gen.verify import verify_export

        if job.beside and self.options.get("weights_init") is not None:
            raise WeightsError("one of the caffemodels beside it may be its own")
        graph = self.read(job)
        made = api.convert(graph, **{**self.options, **self._free(graph)})
        said = ""
        if self.verify:
            verdict = verify_export(made)
            if not verdict.agrees:
                raise VerificationError(f"the model {verdict.text}")
            said = verdict.text
        lowered = self.lowered(made)
        if lowered is not None:
            made = lowered.made
            made.changes += [Change(made.graph.name or "net", "", one) for one in lowered.words()]
        Path(job.target).parent.mkdir(parents=True, exist_ok=True)
        files = write_model(made, job.target, external_data=self.external_data)
        return Made(files, made.changes, said)

    def _free(self, graph: Graph) -> dict[str, Any]:
        """The free sizes of the inputs that a net has; raises UnsupportedError if it has none."""
        own = {name: dims for name, dims in self.dynamic.items() if name in graph.sources}
        if self.dynamic and not own:
            shown = ", ".join(sorted(graph.sources)) or "none"
            raise UnsupportedError(
                f"--dynamic {', '.join(self.dynamic)}: the net has no such input; it has {shown}"
            )
        return {"dynamic": own} if own else {}

    def lowered(self, made: Exported) -> Lowered | None:
        """The model in the precision that is asked for; None if that is float32."""
        if self.precision is None:
            return None
        from prototxt_gen.precision import lower

        return lower(made, self.precision)


@dataclass(frozen=True, slots=True)
class FromOnnx:
    """How each model becomes a net; the fields are options of ``convert``."""

    given: ClassVar[str] = "model"
    made: ClassVar[str] = "net"

    target: str | None = None
    restore: bool = True
    verify: bool = False

    @property
    def mark(self) -> str:
        """A text that is the same for equal ways."""
        return json.dumps(["from onnx", asdict(self)], sort_keys=True)

    def find(self, folder: Path, out: Path) -> Iterator[Job]:
        """The models of a folder."""
        return find_models(folder, out)

    def read_from(self, job: Job) -> Iterator[str]:
        """The model, and what is beside it."""
        from prototxt_gen.to_onnx.beside import read_beside

        yield job.net
        for name in sorted(read_beside(Path(job.net))):
            path = os.path.join(os.path.dirname(job.net), name)
            if os.path.isfile(path):
                yield path

    def written(self, job: Job) -> tuple[str, str]:
        """The net and its weights."""
        return job.target, str(Path(job.target).with_suffix(".caffemodel"))

    def convert(self, job: Job) -> Made:
        """Write the net and the weights of a model."""
        from prototxt_gen import api
        from prototxt_gen.verify_net import verify_net

        made = api.from_onnx(job.net, target=self.target, restore=self.restore)
        if self.verify:
            verdict = verify_net(job.net, made.graph)
            if not verdict.agrees:
                raise VerificationError(f"the net {verdict.text}")
        Path(job.target).parent.mkdir(parents=True, exist_ok=True)
        net, weights = self.written(job)
        write_net(made.graph, net, weights)
        return Made([net, weights], made.changes)


def _means(net: Path) -> Iterator[str]:
    """The mean images that a text names, without reading it as a net."""
    if net.suffix != ".prototxt":
        return
    for name in re.findall(rb"""mean_file\s*:\s*["']([^"'\n]+)""", net.read_bytes()):
        found = (path for path in places(os.fsdecode(name), net.parent) if path.is_file())
        yield from map(str, list(found)[:1])


def write_net(graph: Graph, net: str, weights: str) -> None:
    """Write the prototxt and the caffemodel of a graph, both or none; raises OSError.

    Inside ``together`` they take their names when that ends.
    """
    from prototxt_gen import api
    from prototxt_gen import weights as tools

    with joined():
        tools.save(graph, graph.stored, weights)
        with whole_file(net) as file:
            file.write(api.dump(graph).encode("utf-8", "surrogateescape"))
