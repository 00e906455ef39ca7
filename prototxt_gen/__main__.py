"""``python -m prototxt_gen`` is ``resnet-proto``."""

import sys
from os import getcwd, path


def main() -> None:
    """Run the command line and exit; from the first import on a signal ends it well."""
    from prototxt_gen._signals import answer_signals

    answer_signals()
    from prototxt_gen.cli import main as run

    run()


def _leave_working_folder() -> None:
    """Import nothing from the working folder, which ``python -m`` puts first.

    A user's ``signal.py`` may lie there beside the nets. The folder that this package itself
    comes from stays.
    """
    own = path.dirname(path.dirname(path.abspath(__file__)))
    try:
        here = getcwd()
    except OSError:  # it was removed
        return
    if sys.path and sys.path[0] in ("", here) and here != own:
        del sys.path[0]


if __name__ == "__main__":
    _leave_working_folder()
    main()
