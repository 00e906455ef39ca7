"""A folder of nets, converted one by one in several processes; can be resumed at any time.

A manifest next to the models records what each was made from. A net whose files and options
have not changed is skipped, whether it was converted or refused. A net that fails never
stops the others.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from prototxt_gen.diagnostics import Diagnostic, Sink, Source, render
from prototxt_gen.errors import PrototxtError, VerificationError, WeightsError
from prototxt_gen.fleet import manifest
from prototxt_gen.formats.reader import guess_message, read_text
from prototxt_gen.graph.phase import State

CONVERTED, SAME, FAILED = "converted", "up to date", "failed"
EARLIER = "; the existing model is from an earlier net"


@dataclass(frozen=True, slots=True)
class Job:
    """The paths of a net, of its weights if there are any, and of the model to make.

    ``beside`` is the number of caffemodels in the folder of a net if none of them is known
    to belong to it.
    """

    name: str
    net: str
    weights: str | None
    target: str
    beside: int = 0


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
        """A text that is the same for equal ways."""
        state = [self.state.phase, sorted(self.state.stages), self.state.level]
        rest = [self.dialect, self.verify, self.external_data]
        return json.dumps([dict(self.options), state, rest], sort_keys=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for a net, and why it failed if it did; ``known`` from the manifest.

    A ``lasting`` result would be the same if tried again; a failure by a full disk is not.
    """

    name: str
    status: str
    why: str = ""
    known: bool = False
    lasting: bool = True


def find(folder: Path, out: Path) -> Iterator[Job]:
    """The nets of a folder, each with the caffemodel that belongs to it.

    That is the one of the same name, or the only one in the same folder. A single caffemodel
    in a folder without nets is converted alone.
    """
    made = Path(os.path.realpath(out))
    inner = made if Path(os.path.realpath(folder)) in made.parents else None
    nets: list[tuple[Path, str | None, int]] = []
    busy = set()
    for net in _files(folder, "*.prototxt", inner):
        if _is_net(net):
            busy.add(net.parent)
            nets.append((net, *_weights(net)))
    models: dict[Path, list[Path]] = {}
    for model in _files(folder, "*.caffemodel", inner):
        models.setdefault(model.parent, []).append(model)
    nets += [(own[0], None, 0) for at, own in models.items() if at not in busy and len(own) == 1]
    for net, weights, beside in sorted(nets):
        name = net.relative_to(folder).with_suffix("").as_posix()
        yield Job(name, str(net), weights, str(out / f"{name}.onnx"), beside)


def _files(folder: Path, pattern: str, but: Path | None) -> Iterator[Path]:
    """The files of a folder and its subfolders, except those below ``but``."""
    for path in sorted(folder.rglob(pattern)):
        if _is_file(path) and not (but and path.parent.resolve().is_relative_to(but)):
            yield path


def _is_file(path: Path) -> bool:
    """Whether it is a file, or may be one: one that cannot be examined fails later."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def convert_all(
    folder: Path,
    out: Path,
    way: Way,
    *,
    jobs: int = 1,
    done: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Convert every net of a folder; ``done`` is called with each outcome as soon as it is known.

    Raises OSError if the manifest cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    manifest.sweep(out)
    rows = manifest.read(out)
    outcomes: dict[str, Outcome] = {}
    todo: list[tuple[Job, str]] = []

    def tell(job: Job, outcome: Outcome) -> None:
        if outcome.status == FAILED and Path(job.target).is_file():
            outcome = replace(outcome, why=outcome.why + EARLIER)
        outcomes[job.name] = outcome
        done(outcome)

    for job in find(folder, out):
        try:
            mark = _mark(job, way)
        except OSError as error:
            tell(job, _not_read(job, error))
            continue
        known = _known(job, mark, rows.get(job.name, {}))
        if known is None:
            todo.append((job, mark))
        else:
            tell(job, known)
    for job, mark, outcome in _each(todo, way, jobs):
        if outcome.lasting:
            rows[job.name] = _row(job, mark, outcome)
            manifest.write(out, rows)
        tell(job, outcome)
    return [outcomes[name] for name in sorted(outcomes)]


def _known(job: Job, mark: str, row: Mapping[str, str]) -> Outcome | None:
    """The outcome for a net according to the manifest, if it is still valid."""
    if row.get("mark") != mark:
        return None
    if row.get("status") == FAILED:
        return Outcome(job.name, FAILED, row.get("why", ""), known=True)
    return (
        Outcome(job.name, SAME, known=True)
        if row.get("size") == manifest.size(job.target)
        else None
    )


def _row(job: Job, mark: str, outcome: Outcome) -> dict[str, str]:
    """The manifest's row for a net; without times, so that it does not depend on the history."""
    row = {"mark": mark, "status": outcome.status, "why": outcome.why}
    return row if outcome.status == FAILED else {**row, "size": manifest.size(job.target)}


def _not_read(job: Job, error: OSError) -> Outcome:
    why = f"{error.filename or job.net}: {error.strerror or error}"
    return Outcome(job.name, FAILED, why, lasting=False)


def _each(todo: list[tuple[Job, str]], way: Way, jobs: int) -> Iterator[tuple[Job, str, Outcome]]:
    """Convert in other processes; a process that dies does not affect other nets."""
    alone = False
    while todo:
        # After a process has died, nets are converted one by one, to find out which is to blame.
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
                    why = "the process that converted it died; it may have run out of memory"
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
        if job.beside and isinstance(error, WeightsError):
            return Outcome(job.name, FAILED, _which(job))
        return Outcome(job.name, FAILED, _first(error))
    except OSError as error:
        return _not_read(job, error)
    except Exception as error:
        why = f"a bug in resnet-proto: {type(error).__name__}: {error}"
        return Outcome(job.name, FAILED, why, lasting=False)
    return Outcome(job.name, CONVERTED)


def _which(job: Job) -> str:
    """Why a net has no weights although its folder has caffemodels."""
    expected = Path(job.net).with_suffix(".caffemodel").name
    return (
        f"{job.net}: none of the {job.beside} caffemodels in its folder has its name; "
        f"expected {expected}"
    )


def _first(error: PrototxtError) -> str:
    """The first reason in a line, and the number of others."""
    errors = [d for d in error.diagnostics if d.severity.value == "error"]
    if not errors:
        return error.message
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return _short(errors[0], error.source) + more


def _short(diagnostic: Diagnostic, source: Source | None) -> str:
    return render(diagnostic, source).replace(": error: ", ": ", 1)


def _is_net(path: Path) -> bool:
    """Whether a prototxt is a net, valid or not, rather than a solver or label map.

    A file that cannot be read may be one.
    """
    try:
        source = Source(path.read_bytes(), str(path))
    except OSError:
        return True
    root = read_text(source, Sink(source)).root
    return bool(root.fields) and guess_message(root) == "NetParameter"


def _weights(net: Path) -> tuple[str | None, int]:
    """The caffemodel of a net; if it is not known, how many are in the folder."""
    beside = [path for path in net.parent.glob("*.caffemodel") if _is_file(path)]
    same = net.with_suffix(".caffemodel")
    if same in beside:
        return str(same), 0
    return (str(beside[0]), 0) if len(beside) == 1 else (None, len(beside))


def _mark(job: Job, way: Way) -> str:
    """A digest of what a model depends on: both files, the way, and installed packages."""
    digest = hashlib.sha256()
    digest.update(json.dumps([manifest.installed(), way.mark], sort_keys=True).encode())
    if job.beside:
        digest.update(f"{job.beside} ".encode())
    if not job.net.endswith(".caffemodel"):
        digest.update(Path(job.net).read_bytes())
    for model in (job.net, job.weights):
        if model is not None and model.endswith(".caffemodel"):
            state = Path(model).stat()
            digest.update(os.fsencode(f"{model} {state.st_size} {state.st_mtime_ns}"))
    return digest.hexdigest()
