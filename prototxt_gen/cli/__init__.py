"""The command ``resnet-proto``; one module for each of its subcommands.

Exit codes: 0 yes; 1 the answer is no; 2 usage, input or output that cannot be used; 3 a
bug of ours. Only this package maps errors to them.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from prototxt_gen import _version
from prototxt_gen.cli.output import print_error, print_report
from prototxt_gen.errors import PrototxtError

#: The subcommands and their modules, which hold a click command ``command``.
COMMANDS = {
    name: name
    for name in (
        "gen",
        "solver",
        "validate",
        "summary",
        "convert",
        "verify",
        "fold",
        "deploy",
        "weights",
        "completion",
    )
}

INTERRUPTED = 130  #: what a shell expects of a program that Ctrl-C ended


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name; None where there is none."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = import_module(f"{__name__}.{module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A misspelled command is answered with the one that was meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from prototxt_gen.generate.checks import unknown

            if args and not args[0].startswith("-"):
                raise click.UsageError(unknown("command", args[0], list(COMMANDS)), ctx) from error
            raise


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version.__version__, "--version", message="resnet-proto %(version)s")
def cli() -> None:
    """Generate and validate Caffe networks, without a Caffe."""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    # Nets are trees without cycles, and this process is short: looking for garbage among
    # millions of fields would take as long as the work itself.
    gc.disable()
    sys.exit(run(args))


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    try:
        code = cli.main(args, prog_name="resnet-proto", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        return INTERRUPTED
    except PrototxtError as error:
        if error.diagnostics:
            print_report(error.diagnostics, error.source, sys.stderr)
        else:
            print_error(error.message)
        return 2
    except BrokenPipeError:
        # Whoever read our output has seen enough; what is left in the buffer has no reader.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except OSError as error:
        reason = error.strerror or str(error)
        print_error(f"{error.filename}: {reason}" if error.filename is not None else reason)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        from prototxt_gen.cli.bug import report_bug

        report_bug()
        return 3
