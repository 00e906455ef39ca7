"""Write docs/published.md: which deploy nets of public repositories become an ONNX model."""

from __future__ import annotations

import os
import sys
import warnings
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs/published.md"
CORPUS = Path(os.environ.get("PROTOTXT_CORPUS", ROOT / "../shared/corpus"))
sys.path[:0] = [str(ROOT / "tests")]

from to_onnx.strangers import Outcome, deploy_nets, outcome  # noqa: E402

HEAD = """\
# Nets of public repositories

`python docs/corpus.py` writes this page from a folder of prototxt files (`PROTOTXT_CORPUS`). These
are their deploy nets: those that say which inputs they have. Each is converted with weights of
zeros; the recorded ones among them are compared with Caffe's own numbers by the tests.

"""


def page(found: list[Outcome]) -> str:
    """The whole page."""
    refused = [one for one in found if one.reasons]
    own = [one for one in found if one.python]
    others = [one for one in found if not one.python]
    done = [one for one in others if not one.reasons]
    lines = [
        f"{len(found) - len(refused)} of {len(found)} convert. {len(own)} have a Python layer that "
        f"is their author's own; of the {len(others)} others {len(done)} convert "
        f"({len(done) / len(others):.1%}).\n",
        "\n| repository | deploy nets | convert |\n|---|---:|---:|\n",
    ]
    groups = defaultdict(list)
    for one in found:
        groups[one.name.split("/")[0].replace("+", "/")].append(one)
    for name, members in sorted(groups.items()):
        converted = sum(not one.reasons for one in members)
        lines.append(f"| {name} | {len(members)} | {converted} |\n")
    lines.append("\n| refused | why |\n|---|---|\n")
    for one in refused:
        path = one.name.replace("+", "/", 1)
        lines.append(f"| {path} | {'; '.join(one.reasons)} |\n")
    return HEAD + "".join(lines)


if __name__ == "__main__":
    if not CORPUS.is_dir():
        print(f"no corpus in {CORPUS}: {TARGET} stays as it is")
        sys.exit()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        TARGET.write_text(page([outcome(*one) for one in deploy_nets(CORPUS)]), "utf-8")
    print(TARGET)
