"""``python -m prototxt_gen`` is ``resnet-proto``."""

import os
import sys


def main() -> None:
    """Run the command line and exit; from the first import on a signal ends it well.

    What comes before is Python's own start, and the script that pip writes: there Python shows
    a traceback of its own for Ctrl-C, which no package can change. SIGTERM and SIGHUP end that
    without a word.
    """
    try:
        from prototxt_gen._signals import answer_signals

        answer_signals()
    except KeyboardInterrupt:
        # During that import. Nothing has been begun, and the code is that of ``_signals``.
        os.write(2, b"ended by SIGINT\n")
        os._exit(130)
    from prototxt_gen.cli import main as run

    run()


def _leave_working_folder() -> None:
    """Import nothing from the working folder, which ``python -m`` puts first.

    A user's ``signal.py`` may lie there beside the nets. The folder that this package itself
    comes from stays.
    """
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    try:
        here = os.getcwd()
    except OSError:  # it was removed
        return
    if sys.path and sys.path[0] in ("", here) and here != own:
        del sys.path[0]


if __name__ == "__main__":
    _leave_working_folder()
    main()
