"""A folder of nets converted one by one, in several processes, to be gone on with at any time.

A manifest beside the models says what each was made from. A net whose files and options
are still the same is left alone, whether it was converted or refused. One bad net never
stops the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from prototxt_gen import _version
from prototxt_gen._files import whole_file
from prototxt_gen.diagnostics import Diagnostic, Sink, Source, render
from prototxt_gen.errors import PrototxtError, VerificationError
from prototxt_gen.formats.reader import guess_message, read_text
from prototxt_gen.graph.phase import State

MANIFEST = "manifest.json"
CONVERTED, SAME, FAILED = "converted", "up to date", "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """A net, its weights if there are any, and the model to make; by paths."""

    name: str
    net: str
    weights: str | None
    target: str


@dataclass(frozen=True, slots=True)
class Way:
    """How each net is read, converted and written; ``options`` are those of ``api.convert``."""

    options: Mapping[str, Any] = field(default_factory=dict)
    state: State = field(default_factory=State)
    dialect: str | None = None
    verify: bool = False
    external_data: bool = False

    @property
    def mark(self) -> str:
        """The same text for the same way."""
        state = [self.state.phase, sorted(self.state.stages), self.state.level]
        rest = [self.dialect, self.verify, self.external_data]
        return json.dumps([dict(self.options), state, rest], sort_keys=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a net, and why where it failed; ``known`` from the manifest.

    What is ``lasting`` would end the same if it was tried again; a full disk is not.
    """

    name: str
    status: str
    why: str = ""
    known: bool = False
    lasting: bool = True


def find(folder: Path, out: Path) -> Iterator[Job]:
    """The nets of a folder, each with the caffemodel that belongs to it.

    That is the one of the same name, or the only one in the same folder.
    """
    for net in sorted(folder.rglob("*.prototxt")):
        if out in net.parents or not _is_net(net):
            continue
        name = net.relative_to(folder).with_suffix("").as_posix()
        yield Job(name, str(net), _weights(net), str(out / f"{name}.onnx"))


def convert_all(
    folder: Path,
    out: Path,
    way: Way,
    *,
    jobs: int = 1,
    done: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Convert every net of a folder; ``done`` is told of each as soon as it is known.

    Raises OSError where the manifest cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    _sweep(out)
    manifest = _read(out)
    outcomes: dict[str, Outcome] = {}
    todo: list[tuple[Job, str]] = []
    for job in find(folder, out):
        mark = _mark(job, way)
        known = manifest.get(job.name, {})
        if known.get("mark") == mark and (known["status"] == FAILED or Path(job.target).exists()):
            status = FAILED if known["status"] == FAILED else SAME
            outcomes[job.name] = Outcome(job.name, status, known.get("why", ""), known=True)
            done(outcomes[job.name])
        else:
            todo.append((job, mark))
    for job, mark, outcome in _each(todo, way, jobs):
        outcomes[job.name] = outcome
        if outcome.lasting:
            manifest[job.name] = {"mark": mark, "status": outcome.status, "why": outcome.why}
            _write(out, manifest)
        done(outcome)
    return [outcomes[name] for name in sorted(outcomes)]


def _each(todo: list[tuple[Job, str]], way: Way, jobs: int) -> Iterator[tuple[Job, str, Outcome]]:
    """Convert in other processes; one that dies takes no other net with it."""
    alone = False
    while todo:
        # After a process has died, nets go one by one, so that it is known whose fault it is.
        batch = todo[:1] if alone else todo
        pool = ProcessPoolExecutor(1 if alone else jobs, mp_context=get_context("spawn"))
        try:
            futures: dict[Future[Outcome], tuple[Job, str]] = {
                pool.submit(_convert, job, way): (job, mark) for job, mark in batch
            }
            for future in as_completed(futures):
                job, mark = futures[future]
                try:
                    outcome = future.result()
                except BrokenProcessPool:
                    if not alone:
                        alone = True
                        break
                    why = "the process that converted it died; is memory short?"
                    outcome = Outcome(job.name, FAILED, why, lasting=False)
                todo = [item for item in todo if item[0] != job]
                yield job, mark, outcome
        finally:
            pool.shutdown(cancel_futures=True)


def _convert(job: Job, way: Way) -> Outcome:
    """Convert one net."""
    from prototxt_gen import api
    from prototxt_gen.to_onnx.write import write_model
    from prototxt_gen.verify import verify_export

    try:
        graph = api.read_caffe(job.net, job.weights, state=way.state, dialect=way.dialect)
        made = api.convert(graph, **way.options)
        if way.verify:
            verdict = verify_export(made)
            if not verdict.agrees:
                raise VerificationError(f"the model {verdict.text}")
        Path(job.target).parent.mkdir(parents=True, exist_ok=True)
        write_model(made, job.target, external_data=way.external_data)
    except PrototxtError as error:
        return Outcome(job.name, FAILED, _first(error))
    except OSError as error:
        why = f"{error.filename or job.net}: {error.strerror or error}"
        return Outcome(job.name, FAILED, why, lasting=False)
    except Exception as error:
        why = f"a bug of resnet-proto: {type(error).__name__}: {error}"
        return Outcome(job.name, FAILED, why, lasting=False)
    return Outcome(job.name, CONVERTED)


def _first(error: PrototxtError) -> str:
    """The first reason in a line, and how many more there are."""
    errors = [d for d in error.diagnostics if d.severity.value == "error"]
    if not errors:
        return error.message
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return _short(errors[0], error.source) + more


def _short(diagnostic: Diagnostic, source: Source | None) -> str:
    return render(diagnostic, source).replace(": error: ", ": ", 1)


def _is_net(path: Path) -> bool:
    """Whether a prototxt is a net, broken or not, and no solver or label map."""
    source = Source(path.read_bytes(), str(path))
    root = read_text(source, Sink(source)).root
    return bool(root.fields) and guess_message(root) == "NetParameter"


def _weights(net: Path) -> str | None:
    same = net.with_suffix(".caffemodel")
    if same.exists():
        return str(same)
    beside = sorted(net.parent.glob("*.caffemodel"))
    return str(beside[0]) if len(beside) == 1 else None


def _mark(job: Job, way: Way) -> str:
    """What a model depends on: both files, the way, and what is installed."""
    digest = hashlib.sha256()
    digest.update(json.dumps([_installed(), way.mark], sort_keys=True).encode())
    digest.update(Path(job.net).read_bytes())
    if job.weights is not None:
        state = Path(job.weights).stat()
        digest.update(f"{job.weights} {state.st_size} {state.st_mtime_ns}".encode())
    return digest.hexdigest()


@cache
def _installed() -> dict[str, str | None]:
    """The version of what decides about a conversion; None where it is not there."""
    found: dict[str, str | None] = {"prototxt_gen": _version.__version__}
    for package in ("onnx", "onnxruntime", "h5py"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def _sweep(out: Path) -> None:
    """Take away what a conversion that was killed has left half."""
    for left in (*out.rglob(".*.onnx.*"), *out.glob(f".{MANIFEST}.*")):
        left.unlink(missing_ok=True)


def _read(out: Path) -> dict[str, dict[str, str]]:
    try:
        found = json.loads((out / MANIFEST).read_text("utf-8"))
        return dict(found["nets"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write(out: Path, manifest: Mapping[str, Mapping[str, str]]) -> None:
    nets = {name: manifest[name] for name in sorted(manifest)}
    with whole_file(out / MANIFEST) as file:
        file.write((json.dumps({"nets": nets}, indent=1) + "\n").encode())
