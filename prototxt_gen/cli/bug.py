"""The report for an exception that is not the user's fault."""

from __future__ import annotations

import platform
import sys
import traceback

from prototxt_gen import _version
from prototxt_gen.cli.output import print_note, printable


def report_bug() -> None:
    """Print the current exception to stderr as a text that can be sent unchanged."""
    print(
        "error: this is a bug in resnet-proto. Please report it with the text below and, if "
        "you can, with the input.\n\n"
        f"resnet-proto {_version.__version__}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}\n"
        f"arguments: {printable(' '.join(sys.argv[1:]), sys.stderr)}\n",
        file=sys.stderr,
    )
    for line in traceback.format_exc().rstrip().split("\n"):
        print_note(line)
