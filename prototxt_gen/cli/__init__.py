"""The command ``resnet-proto``; one module for each of its subcommands.

Exit codes: 0 yes; 1 the answer is no; 2 wrong usage, or input or output that cannot be
used; 3 a bug of ours. Only this package maps errors to them. If the reader of our output
closes the pipe, it has seen enough, and the code is 0.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from prototxt_gen import _limits, _version
from prototxt_gen._signals import answer_signals
from prototxt_gen.cli.output import print_error, print_report, printable
from prototxt_gen.cli.streams import drop_output, make_usable
from prototxt_gen.errors import PrototxtError, UnsupportedError, VerificationError

#: The subcommands and their modules, which hold a click command ``command``.
COMMANDS = {
    name: name
    for name in (
        "gen",
        "templates",
        "solver",
        "validate",
        "rule",
        "summary",
        "draw",
        "diff",
        "report",
        "view",
        "convert",
        "fleet",
        "verify",
        "doctor",
        "run",
        "triton",
        "fold",
        "deploy",
        "weights",
        "fmt",
        "upgrade",
        "proto",
        "completion",
    )
}
COMMANDS["run"] = "run_net"  # a module ``run`` would take the place of the function below

#: The errors that answer the question a command was asked, rather than failures of it.
ANSWERS: dict[str | None, tuple[type[PrototxtError], ...]] = {
    "convert": (UnsupportedError, VerificationError),
    "doctor": (UnsupportedError,),
    "fold": (VerificationError,),
}

INTERRUPTED = 130  #: what a shell expects of a program that Ctrl-C ended


class LazyGroup(click.Group):
    """A group whose commands are imported only when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name; None if there is no such command."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = import_module(f"{__name__}.{module}").command
        return command

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the command line; an output that is no longer read ends it with 0."""
        try:
            return super().make_context(*args, **extra)
        except BrokenPipeError as error:
            raise click.exceptions.Exit(0) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; return its exit code, also if one of our errors is the answer."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # click itself would return 1.
            raise click.exceptions.Exit(0) from error
        except PrototxtError as error:
            _print_failure(error)
            return 1 if isinstance(error, ANSWERS.get(ctx.invoked_subcommand, ())) else 2

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """For a misspelled command, suggest the one that was meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from prototxt_gen.generate.checks import unknown

            if args and not args[0].startswith("-"):
                raise click.UsageError(unknown("command", args[0], list(COMMANDS)), ctx) from error
            raise


def _raised(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    try:
        ctx.with_resource(_limits.raised_to(_limits.size(value)))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version.__version__, "--version", message="resnet-proto %(version)s")
@click.option(
    "--limit",
    metavar="SIZE",
    envvar=_limits.RAISED,
    callback=_raised,
    expose_value=False,
    help="Accept larger files than any that is known: a number of bytes, or such as 600M or 4G.",
)
def cli() -> None:
    """Generate, validate and convert Caffe networks, with no Caffe installed."""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    # Nets are trees without cycles, and this process is short-lived: collecting garbage
    # among millions of fields would take as long as the work itself.
    gc.disable()
    answer_signals()
    make_usable()
    code = run(args)
    gc.freeze()  # nor does the end look through them
    sys.exit(code)


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code once all output is written."""
    code = _guarded(args)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
        return 0
    except OSError as error:
        drop_output()
        if code < 2:
            print_error(f"standard output: {error.strerror}")
            return 2
    return code


def _guarded(args: Sequence[str] | None) -> int:
    """The exit code of a command, whatever it raises."""
    try:
        code = cli.main(args, prog_name="resnet-proto", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        vars(error)["message"] = printable(error.message, sys.stderr)
        error.show()
        return 2
    except MemoryError:
        print_error("this needs more memory than there is")
        return 2
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except OSError as error:
        _print_os_error(error)
        return 2
    except Exception:
        from prototxt_gen.cli.bug import report_bug

        report_bug()
        return 3


def _print_failure(error: PrototxtError) -> None:
    """Print an error with all its diagnostics on stderr."""
    if error.diagnostics:
        print_report(error.diagnostics, error.source, sys.stderr)
    else:
        print_error(error.message)


def _print_os_error(error: OSError) -> None:
    reason = error.strerror or str(error)
    print_error(f"{error.filename}: {reason}" if error.filename is not None else reason)
