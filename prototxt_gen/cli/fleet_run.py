"""What ``fleet`` does: the plan, the run, and what is shown of both."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from prototxt_gen._words import plural
from prototxt_gen.cli.fleet_options import of_row
from prototxt_gen.cli.options import refuse
from prototxt_gen.cli.output import print_note, progress
from prototxt_gen.cli.precision import taken_precision
from prototxt_gen.cli.tables import print_table
from prototxt_gen.fleet import planfile, stores
from prototxt_gen.fleet.plan import Left, Plan, plan, with_texts
from prototxt_gen.fleet.ways import ToOnnx

if TYPE_CHECKING:
    from prototxt_gen.fleet.journal import Row
    from prototxt_gen.fleet.machines import Machines
    from prototxt_gen.graph.phase import State

STOPPED = 130  #: what a shell expects of a program that Ctrl-C ended
_DOING = {"convert": "converting", "verify": "verifying", "validate": "validating"}
_MOST_ROWS = 40  #: of a table after a run; the summary has all


@dataclass(frozen=True)
class Asked:
    """The options of the command that are not of a conversion."""

    task: str
    snapshots: Any
    jobs: int
    scheduler: str | None
    patience: float
    retries: int
    timeout: float | None
    memory: int | None
    cache: str | None
    verify: bool

    @classmethod
    def of(cls, options: dict[str, Any]) -> Asked:
        """Taken out of all options, where those of ``api.convert`` remain."""
        return cls(**{name: options.pop(name) for name in cls.__dataclass_fields__})


def make_plan(
    context: click.Context,
    source: str,
    output: str | None,
    file: str,
    state: State,
    options: dict[str, Any],
) -> int:
    """Print a plan and write it to a file."""
    from prototxt_gen.cli.options import need_own_files

    if not planfile.is_plan(file):
        raise click.UsageError(
            f"--plan {file}: expected a name with {', '.join(planfile.SUFFIXES)}"
        )
    root, out, target = _place(source), output and _place(output), _place(file)
    asked, way = Asked.of(options), options
    dialect = way.pop("dialect")
    made = _plan(root, out, asked, way, state, dialect)
    if planfile.is_plan(root) and not stores.is_url(root):
        need_own_files([root], [target])
    text = planfile.write_plan(made, target)
    if stores.is_there(target) and stores.read(target) != text:
        raise click.UsageError(
            f"--plan {file}: is there and is another plan, which somebody may have edited; "
            "remove it, or give another name"
        )
    stores.write(target, text)
    rows = [
        (item.name, _seen(root, item.weights or ""), " ".join(item.options), item.why)
        for item in made.items
    ]
    print_table(("model", "weights", "options", "why"), rows, spare=(2,), prose=(3,))
    if made.left:
        print()
        left = [(_seen(root, one.path), one.why) for one in made.left]
        print_table(("left out", "why"), left, prose=(1,))
    lacking = sum(one.failure for one in made.left)
    lack = f", {plural(lacking, 'net')} without weights" if lacking else ""
    others = len(made.left) - lacking
    print_note(f"{file}: {plural(len(made.items), 'model')}{lack}, {others} left out")
    return 0


def run_fleet(
    context: click.Context, source: str, output: str, state: State, options: dict[str, Any]
) -> int:
    """Do a task with all models, and write the summary."""
    from prototxt_gen.fleet.run import Fleet, Order

    root, out = _place(source), _place(output)
    asked = Asked.of(options)
    _need_usable(context, asked)
    dialect, outside = options.pop("dialect"), options.pop("external_data")
    made = _plan(root, out, asked, options, state, dialect)
    if asked.task == "validate":
        made = with_texts(made, root)
    if not made.items and not made.left:
        raise click.UsageError(f"no net in {source}")
    if not any(map(stores.is_url, (root, out, *(item.net for item in made.items)))):
        refuse({"cache"}, "is for files of stores, and all are here")
    precision = taken_precision(options)
    way = ToOnnx(options, state, dialect, asked.verify, outside, precision)
    ways = {item.options: of_row(item.options, way, item.name) for item in made.items}
    cache = os.path.abspath(asked.cache) if asked.cache else None
    order = Order(
        asked.task,
        out,
        lambda item: ways[item.options],
        asked.retries,
        asked.memory,
        asked.timeout,
        cache,
        None if asked.scheduler else max(1, (os.cpu_count() or 1) // asked.jobs),
    )
    counts: Counter[str] = Counter()
    stop = threading.Event()
    with progress(_DOING[asked.task], len(made.items)) as step:
        machines = _machines(asked)
        fleet = Fleet(order, made, machines, partial(_tell, step, counts), print_note, stop)
        with _stoppable(stop):
            rows = fleet.run()
    _write_summary(asked.task, out, rows, made.left)
    return _verdict(rows, made, counts, (root, out), stopped=stop.is_set())


def _plan(
    root: str,
    out: str | None,
    asked: Asked,
    options: dict[str, Any],
    state: State,
    dialect: str | None,
) -> Plan:
    if planfile.is_plan(root):
        return planfile.read_plan(root)
    init = options.get("weights_init") is not None
    return plan(root, but=out, snapshots=asked.snapshots, init=init, state=state, dialect=dialect)


def _need_usable(context: click.Context, asked: Asked) -> None:
    """Raise UsageError for what this machine cannot do, before anything is begun."""
    given = context.get_parameter_source("jobs") is ParameterSource.COMMANDLINE
    if asked.scheduler and given:
        raise click.UsageError("--jobs is for this machine; with --scheduler its workers count")
    if asked.scheduler and find_spec("distributed") is None:
        raise click.UsageError("--scheduler needs Dask: pip install 'resnet-proto[fleet]'")
    verifies = asked.task == "verify" or (asked.task == "convert" and asked.verify)
    if verifies and find_spec("onnxruntime") is None:
        raise click.UsageError(
            "--verify needs onnxruntime: pip install 'resnet-proto[verify]'; or --no-verify"
        )
    if asked.memory is not None:
        from prototxt_gen.fleet.memory import resident

        if resident(os.getpid()) is None:
            raise click.UsageError("--memory needs Linux, or psutil: pip install psutil")


def _machines(asked: Asked) -> Machines:
    from prototxt_gen.fleet.machines import Elsewhere, Here

    if asked.scheduler:
        return Elsewhere(asked.scheduler, asked.patience, print_note)
    return Here(asked.jobs)


def _tell(step: Callable[[str], None], counts: Counter[str], row: Row, known: bool) -> None:
    """A step of the bar; in a pipe a line for what was done, none for what was known."""
    failed = row["status"] == "failed"
    counts["failed" if failed else "up to date" if known else "done"] += 1
    if known and not sys.stderr.isatty():
        return
    why = f" ({row['reason']}): {row['why']}" if failed and not sys.stderr.isatty() else ""
    step(f"{row['name']}: {'up to date' if known and not failed else row['status']}{why}")


def _write_summary(task: str, out: str, rows: list[Row], left: tuple[Left, ...]) -> None:
    from prototxt_gen.fleet.page import as_csv, as_html

    name = "summary" if task == "convert" else f"summary-{task}"
    stores.write(stores.joined(out, f"{name}.csv"), as_csv(rows, left))
    stores.write(stores.joined(out, f"{name}.html"), as_html(task, rows, left))


def _verdict(
    rows: list[Row], made: Plan, counts: Counter[str], places: tuple[str, str], *, stopped: bool
) -> int:
    """Print what failed and the counts; the exit code."""
    root, out = places
    failed = [row for row in rows if row["status"] == "failed"]
    lacking = [one for one in made.left if one.failure]
    table = [(row["name"], row["reason"], row["why"]) for row in failed]
    table += [
        (_seen(root, one.path), "no weights", one.why.removeprefix("no weights: "))
        for one in lacking
    ]
    if table:
        print_table(("model", "reason", "why"), table[:_MOST_ROWS], prose=(2,))
    if len(table) > _MOST_ROWS:
        print_note(f"and {len(table) - _MOST_ROWS} more: see summary.csv")
    words = [f"{number} {what}" for what, number in sorted(counts.items())]
    words += [f"{plural(len(lacking), 'net')} without weights"] * bool(lacking)
    rest = len(made.left) - len(lacking)
    words += [f"{rest} left out"] * bool(rest)
    begun = sum(counts.values())
    if stopped:
        words.append(f"{len(made.items) - begun} not begun")
    print_note(f"{out}: {', '.join(words)}")
    if stopped:
        return STOPPED
    return int(bool(failed or lacking) or begun < len(made.items))


@contextmanager
def _stoppable(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C sets ``stop``; the next one does what it would have done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        yield
        return

    def first(number: int, frame: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)
        print_note("stopping: what runs is finished; Ctrl-C again ends it at once")

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _place(path: str) -> str:
    """A path as workers see it, wherever they run."""
    path = stores.plain(path)
    return path if stores.is_url(path) else os.path.abspath(path)


def _seen(root: str, path: str) -> str:
    """A path below the source without it."""
    return path[len(root) :].lstrip("/") if path.startswith(f"{root}/") else path
