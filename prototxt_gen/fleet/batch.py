"""A folder of nets, converted one by one in several processes; can be resumed at any time.

A manifest next to the models records what each was made from. A net whose files and options
have not changed is skipped, whether it was converted or refused. A net that fails never
stops the others.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from prototxt_gen._halves import taken_back
from prototxt_gen._locks import folder_lock
from prototxt_gen._words import plural
from prototxt_gen.errors import PrototxtError, WeightsError
from prototxt_gen.fleet import manifest
from prototxt_gen.fleet.errors import first_of
from prototxt_gen.fleet.hashes import Hashes
from prototxt_gen.fleet.jobs import Job
from prototxt_gen.fleet.ways import FromOnnx, ToOnnx, Way
from prototxt_gen.fleet.workers import Died, in_processes
from prototxt_gen.formats import dialects
from prototxt_gen.layers import load_layers
from prototxt_gen.layers.outside import loaded_files
from prototxt_gen.passes.deploy import as_lines

__all__ = ["CONVERTED", "FAILED", "SAME"]
__all__ += ["FromOnnx", "Job", "Outcome", "ToOnnx", "convert_all"]

CONVERTED, SAME, FAILED = "converted", "up to date", "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for a net, and why it failed if it did; ``known`` from the manifest.

    A ``lasting`` result would be the same if tried again; a failure by a full disk is not.
    ``made`` is the hash of the model, and with a file beside it that file's hash and name;
    ``notes`` are the changes that were made, as lines.
    """

    name: str
    status: str
    why: str = ""
    known: bool = False
    lasting: bool = True
    made: str = ""
    notes: tuple[str, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)


def convert_all(
    folder: Path,
    out: Path,
    way: Way,
    *,
    jobs: int = 1,
    done: Callable[[Outcome], None] = lambda outcome: None,
    say: Callable[[str], None] = lambda line: None,
) -> list[Outcome]:
    """Convert every net of a folder; ``done`` is called with each outcome as soon as it is known.

    ``say`` is given a line for each folder where half files of killed conversions were
    removed. Raises OSError if the manifest cannot be written, or if another process
    converts into the same folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    busy = "another conversion is writing into it"
    with folder_lock(out, busy), taken_back(lambda: manifest.sweep(out)):
        for place, number in sorted(manifest.sweep(out).items()):
            say(f"{place}: removed {plural(number, 'half file')} of conversions that were killed")
        outcomes = _converted(folder, out, way, jobs, done)
    return [outcomes[name] for name in sorted(outcomes)]


def _converted(
    folder: Path, out: Path, way: Way, jobs: int, done: Callable[[Outcome], None]
) -> dict[str, Outcome]:
    """What became of each net, by its name."""
    rows, hashes = manifest.read(out), Hashes(manifest.seen(out))
    outcomes: dict[str, Outcome] = {}
    todo: dict[Job, str] = {}

    def tell(job: Job, outcome: Outcome) -> None:
        if outcome.status == FAILED and Path(job.target).is_file():
            earlier = f"; the existing {way.made} is from an earlier {way.given}"
            outcome = replace(outcome, why=outcome.why + earlier)
        outcomes[job.name] = outcome
        done(outcome)

    for job in way.find(folder, out):
        try:
            mark = mark_of(job, way, hashes)
            known = known_outcome(job, mark, rows.get(job.name, {}), hashes)
        except OSError as error:
            tell(job, _not_read(job, error))
            continue
        if known is None:
            todo[job] = mark
        else:
            tell(job, known)
    with closing(_each(list(todo), way, jobs)) as results:
        for job, outcome in results:
            hashes.learn(outcome.hashes)
            if outcome.lasting:
                rows[job.name] = _row(todo[job], outcome)
                manifest.write(out, rows, hashes.used)
                hashes.new = False
            tell(job, outcome)
    if hashes.new:
        manifest.write(out, rows, hashes.used)
    return outcomes


def known_outcome(job: Job, mark: str, row: Mapping[str, Any], hashes: Hashes) -> Outcome | None:
    """The outcome for a net according to the manifest, if it is still valid."""
    if row.get("mark") != mark:
        return None
    if row.get("status") == FAILED:
        return Outcome(job.name, FAILED, row.get("why", ""), known=True)
    if "notes" not in row:
        return None
    model, *beside = row.get("made", "").split(" ", 2)
    files = [(Path(job.target), model)]
    if len(beside) == 2:
        files.append((Path(job.target).parent / beside[1], beside[0]))
    same = all(path.is_file() and hashes.of(path) == known for path, known in files)
    return Outcome(job.name, SAME, known=True, notes=tuple(row["notes"])) if same else None


def _row(mark: str, outcome: Outcome) -> dict[str, Any]:
    """The manifest's row for a net; without times, so that it does not depend on the history."""
    row = {"mark": mark, "status": outcome.status, "why": outcome.why}
    if outcome.status == FAILED:
        return row
    return {**row, "made": outcome.made, "notes": list(outcome.notes)}


def _not_read(job: Job, error: OSError) -> Outcome:
    why = f"{error.filename or job.net}: {error.strerror or error}"
    return Outcome(job.name, FAILED, why, lasting=False)


def _each(todo: list[Job], way: Way, jobs: int) -> Generator[tuple[Job, Outcome], None, None]:
    """Convert in other processes; a process that dies does not affect other nets."""
    # What dies beside others is tried again alone: it may be that memory was short for all.
    for most in (jobs, 1) if jobs > 1 else (1,):
        again = []
        work = partial(_convert, way=way, plugins=loaded_files(), schemas=dialects.own())
        with closing(in_processes(work, todo, most)) as results:
            for job, result in results:
                if isinstance(result, Died):
                    manifest.remove_halves(Path(job.target).parent, result.process)
                    if most > 1:
                        again.append(job)
                        continue
                    result = Outcome(job.name, FAILED, result.text, lasting=False)
                yield job, result
        todo = again


def _convert(
    job: Job,
    way: Way,
    plugins: Iterable[str] = (),
    schemas: Iterable[tuple[str, bytes]] = (),
) -> Outcome:
    """Convert one net, with the layer types of some files and users' own dialects."""
    try:
        dialects.add_all(schemas)
        for plugin in plugins:
            load_layers(plugin)
        files, changes, _ = way.convert(job)
        hashes = Hashes()
        own = [hashes.of(file) for file in files]
    except PrototxtError as error:
        if job.beside and isinstance(error, WeightsError):
            return Outcome(job.name, FAILED, _which(job))
        return Outcome(job.name, FAILED, first_of(error))
    except OSError as error:
        return _not_read(job, error)
    except MemoryError:
        return Outcome(job.name, FAILED, "memory is short", lasting=False)
    except Exception as error:
        why = f"a bug in resnet-proto: {type(error).__name__}: {error}"
        return Outcome(job.name, FAILED, why, lasting=False)
    made_of = " ".join([own[0], *(f"{own[1]} {Path(file).name}" for file in files[1:])])
    notes = tuple(as_lines(changes))
    return Outcome(job.name, CONVERTED, made=made_of, notes=notes, hashes=hashes.used)


def _which(job: Job) -> str:
    """Why a net has no weights although its folder has caffemodels."""
    expected = Path(job.net).with_suffix(".caffemodel").name
    return (
        f"{job.net}: none of the {job.beside} caffemodels in its folder has its name; "
        f"expected {expected}"
    )


def mark_of(job: Job, way: Way, hashes: Hashes | None = None) -> str:
    """A digest of what a model depends on: files, the way, and packages; raises OSError."""
    hashes = hashes or Hashes()
    digest = hashlib.sha256()
    digest.update(json.dumps([manifest.installed(), way.mark], sort_keys=True).encode())
    for plugin in loaded_files():
        digest.update(hashes.of(plugin).encode())
    for name, schema in dialects.own():
        digest.update(f"{name} {hashlib.sha256(schema).hexdigest()}".encode())
    if job.beside:
        digest.update(f"{job.beside} ".encode())
    for path in way.read_from(job):
        if path.endswith(".prototxt"):
            digest.update(Path(path).read_bytes())
        else:
            digest.update(os.fsencode(f"{path} {hashes.of(path)}"))
    return digest.hexdigest()
