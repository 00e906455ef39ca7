"""Print the lowest versions that setup.cfg allows, as constraints for pip."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

SETUP = Path(__file__).parents[1] / "setup.cfg"


def lowest(text: str) -> dict[str, str]:
    """Each dependency of a setup.cfg, also of its extras but ``dev``, with its lowest version.

    Raises ValueError for one without a lower bound.
    """
    parser = ConfigParser()
    parser.read_string(text)
    extras = dict(parser["options.extras_require"])
    extras.pop("dev", None)  # linters: no user has them
    extras.pop("opencv-5", None)  # which excludes what the tests have
    found: dict[str, str] = {}
    for lines in (parser["options"]["install_requires"], *extras.values()):
        for line in lines.split("\n"):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            match = re.match(r"([\w.-]+)(?:\[[^]]*\])?\s*>=\s*([\w.]+)", line.strip())
            if match is None:
                raise ValueError(f"{line.strip()!r} has no lower bound; expected NAME >= VERSION")
            name, version = match.groups()
            if found.setdefault(name, version) != version:
                raise ValueError(f"{name} has the lower bounds {found[name]} and {version}")
    return found


if __name__ == "__main__":
    for name, version in lowest(SETUP.read_text("utf-8")).items():
        print(f"{name}=={version}")
