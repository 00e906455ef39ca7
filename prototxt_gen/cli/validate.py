"""``resnet-proto validate``: what Caffe would refuse in a prototxt, and what one should know."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prototxt_gen.cli.idle import idle_with
from prototxt_gen.cli.options import (
    dialect_option,
    need_own_files,
    output_option,
    plugin_option,
    write_output,
)
from prototxt_gen.cli.output import print_error, print_report, print_summary
from prototxt_gen.diagnostics import Severity

if TYPE_CHECKING:
    from prototxt_gen.diagnostics import Source
    from prototxt_gen.formats.binary.caffemodel import Caffemodel
    from prototxt_gen.lint.engine import Findings
    from prototxt_gen.lint.settings import Settings

    Check = Callable[[tuple[str, Settings]], Findings | str]

FORMATS = ("text", "json", "sarif", "github", "junit")


@click.command("validate", short_help="Report what Caffe would refuse in prototxt files.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    help="The form of the findings: for people, programs, GitHub's code scanning (sarif) and "
    "annotations (github), and test reports. [default: text]",
)
@output_option
@click.option(
    "--select",
    multiple=True,
    metavar="RULE,...",
    help="Report these rules or categories alone. [default: all]",
)
@click.option(
    "--ignore", multiple=True, metavar="RULE,...", help="Do not report these rules or categories."
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    help="What gives the exit code 1. [default: error]",
)
@dialect_option
@click.option(
    "--unknown-types",
    type=click.Choice(["error", "warning", "ignore"]),
    help="How to report a layer type that no known Caffe has. [default: warning]",
)
@click.option(
    "--unknown-fields",
    type=click.Choice(["error", "warning", "ignore"]),
    help="How to report a field that no known Caffe has. [default: error]",
)
@click.option(
    "--weights",
    metavar="FILE",
    help="Compare the net with a caffemodel: names, types and shapes, NaN and infinity.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Read the options from this file. [default: the nearest .resnet-proto.toml, or "
    "pyproject.toml with tool.resnet-proto, above each file]",
)
@click.option("--no-config", is_flag=True, help="Read no such file.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=1,
    metavar="N",
    help="How many processes. [default: 1]",
)
@plugin_option
@idle_with(jobs="weights", no_config="config")
def command(
    paths: tuple[str, ...],
    form: str,
    output: str,
    weights: str | None,
    config: Path | None,
    no_config: bool,
    jobs: int,
    **options: Any,
) -> int:
    """Report everything that Caffe would refuse in nets, solvers and label maps.

    PATH is a file, a folder, which is searched for *.prototxt, a pattern such as
    'models/**/*.prototxt', or - for standard input; of a caffemodel the net in it is looked at, in
    the text that it has as a prototxt. Errors are what Caffe would refuse: syntax, fields that no
    Caffe knows, layers and shapes that do not fit. Warnings are what it would
    load, and a person should still know. With --dialect ssd,nvcaffe one of these has to know every
    field, with --proto your own Caffe. A comment  # prototxt: ignore[rule]  leaves out a rule
    on its line, or on the next one; resnet-proto rule NAME explains a rule.

    Exit code 0: no errors. 1: there are some, or with --fail-on warning, warnings. 2: a file
    cannot be read, or wrong usage.

    \b
    resnet-proto validate models
    resnet-proto validate net.prototxt --dialect bvlc --ignore smells
    resnet-proto validate net.prototxt --weights net.caffemodel
    resnet-proto validate . --format sarif -o findings.sarif
    """
    from prototxt_gen.lint.settings import Settings

    given = _given(options)
    base = Settings(**given) if no_config else None
    if weights is not None:
        if len(paths) != 1 or os.path.isdir(paths[0]):
            raise click.UsageError("--weights is for one net")
        from prototxt_gen.formats.binary.caffemodel import read_caffemodel

        check: Check = partial(checked, weights=read_caffemodel(weights))
        jobs = 1
    else:
        check = checked
    found, unreadable = [], 0
    for one in _found(paths, given, base, config, jobs, check):
        if isinstance(one, str):
            print_error(one)
            unreadable += 1
            continue
        settings, file = one
        found.append((settings, file))
        if form == "text" and output == "-":
            print_report(file.found, file.source, sys.stdout)
    files = [file for _, file in found]
    _write(files, form, output)
    if found:
        from prototxt_gen.lint.reporters import summary

        print_summary(summary(files))
    return 2 if unreadable else int(any(_fails(*one) for one in found))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options of the command line that outweigh those of a file."""
    from prototxt_gen.lint.settings import need_rules

    given = {name: value for name, value in options.items() if value not in (None, ())}
    for name in ("select", "ignore"):
        if name in given:
            given[name] = tuple(part.strip() for one in given[name] for part in one.split(","))
            need_rules(given[name], f"--{name}")
    return given


def _found(
    paths: Sequence[str],
    given: dict[str, Any],
    base: Settings | None,
    config: Path | None,
    jobs: int,
    check: Check,
) -> Iterator[tuple[Settings, Findings] | str]:
    """The findings of each file with its settings, in order; or why it cannot be read."""
    from prototxt_gen.lint.find import find
    from prototxt_gen.lint.settings import Configured

    configured = Configured(given, config)

    def settings_of(path: str) -> Settings:
        return base if base is not None else configured.of(path)

    failed: list[OSError] = []
    found = list(find(paths, failed.append, lambda one: settings_of(one).leaves_out(one)))
    yield from (f"{error.filename}: {error.strerror}" for error in failed)
    files = [(path, settings_of(path)) for path in found]
    if jobs == 1 or len(files) < 2:
        for path, settings in files:
            one = check((path, settings))
            yield one if isinstance(one, str) else (settings, one)
        return
    from prototxt_gen.fleet.workers import Died, in_processes
    from prototxt_gen.formats import dialects
    from prototxt_gen.layers.outside import loaded_files

    results: dict[str, Findings | Died | str] = {}
    work = partial(checked, plugins=loaded_files(), schemas=dialects.own())
    for (path, _), made in in_processes(work, [one for one in files if one[0] != "-"], jobs):
        results[path] = made
    for path, settings in files:
        result = results[path] if path != "-" else check((path, settings))
        if isinstance(result, Died):
            yield f"{path}: {result.text}"
        else:
            yield result if isinstance(result, str) else (settings, result)


def checked(
    one: tuple[str, Settings],
    plugins: Iterable[str] = (),
    schemas: Iterable[tuple[str, bytes]] = (),
    weights: Caffemodel | None = None,
) -> Findings | str:
    """The findings of a file, or why it cannot be read.

    ``plugins`` and ``schemas`` are those of the process that asks.
    """
    from prototxt_gen.errors import PrototxtError
    from prototxt_gen.formats import dialects
    from prototxt_gen.layers import load_layers
    from prototxt_gen.lint.engine import lint

    dialects.add_all(schemas)
    for plugin in plugins:
        load_layers(plugin)
    path, settings = one
    try:
        return lint(_source(path, settings.dialect), settings, weights)
    except PrototxtError as error:
        return error.message
    except OSError as error:
        return f"{error.filename or path}: {error.strerror or error}"


def _source(path: str, dialect: str | None) -> Source:
    """The text of a file; of a caffemodel that of the net in it."""
    from prototxt_gen import reading
    from prototxt_gen.formats.binary.start import LOOK_AT, is_net

    if path == "-" or not os.path.isfile(path):
        return reading.read_source(path)
    with open(path, "rb") as file:
        if not is_net(file.read(LOOK_AT)):
            return reading.read_source(path)
    return reading.saved_net(path, dialect) or reading.read_source(path)


def _write(files: list[Findings], form: str, output: str) -> None:
    if form != "text":
        from prototxt_gen.lint.reporters import REPORTERS

        text = REPORTERS[form](files)
    elif output != "-":
        from prototxt_gen.diagnostics import render

        text = "".join(f"{render(d, file.source)}\n" for file in files for d in file.found)
    else:
        return
    need_own_files([file.source.path for file in files if file.source.path[:1] != "<"], [output])
    write_output(output, text.encode("utf-8", "backslashreplace"))


def _fails(settings: Settings, file: Findings) -> bool:
    both = settings.fail_on == "warning"
    return bool(file.count(Severity.ERROR) or (both and file.count(Severity.WARNING)))
