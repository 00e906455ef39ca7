"""Write docs/cli.md, the reference of all commands, from the commands themselves."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from prototxt_gen.cli import COMMANDS, cli

TARGET = Path(__file__).with_name("cli.md")
HEAD = """# Commands

Made by `make docs` from the commands themselves. Exit codes: 0 yes, or a pipe
that its reader closed; 1 the answer is no; 2 wrong usage, or a file that cannot be used; 3 a bug of
ours.
"""


def reference() -> str:
    """The whole page."""
    root = click.Context(cli, info_name="resnet-proto")
    parts = [HEAD]
    for name in COMMANDS:
        command = cli.get_command(root, name)
        assert command is not None
        parts.append("\n".join(_section(name, command)))
    return "\n".join(parts)


def _section(name: str, command: click.Command) -> Iterator[str]:
    arguments = [p.make_metavar(click.Context(command)) for p in command.params if _is_argument(p)]
    yield f"## {name}"
    yield ""
    yield f"    resnet-proto {' '.join([name, '[OPTIONS]', *arguments])}"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield ""
        # click's mark of a paragraph whose lines stay as they are
        if paragraph.startswith("\b\n"):
            yield from (f"    {line}" for line in paragraph.splitlines()[1:])
        else:
            yield paragraph
    options = [p for p in command.params if isinstance(p, click.Option)]
    if options:
        yield ""
        yield "| option | |"
        yield "|---|---|"
        for option in options:
            yield f"| `{_names(option)}` | {(option.help or '').replace('<', '&lt;')} |"
    yield ""


def _names(option: click.Option) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    return f"{names} {option.metavar}" if option.metavar else names


def _is_argument(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Argument)


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
    sys.stdout.write(f"{TARGET}\n")
