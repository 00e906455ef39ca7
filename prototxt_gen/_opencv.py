"""A process in which OpenCV computes a net: some nets kill it, and then no more than that.

``python -m prototxt_gen._opencv FOLDER`` reads ``ask.json`` and ``inputs.npz``, and writes how
far it is into ``state``: ``reading``, ``running``, and at the end the numbers of tops of each
layer, ``missing`` where there is no OpenCV, or its refusal. The tops are in ``tops.npz``,
one after the other.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

DONE, MISSING, REFUSED = "done", "missing", "refused"


def main(folder: Path) -> None:
    """Compute what a folder asks for."""

    def tell(state: str, more: object = None) -> None:
        (folder / "state").write_text(json.dumps([state, more]), "utf-8")

    try:
        import cv2
        import numpy as np
    except ImportError:
        return tell(MISSING)
    if not hasattr(cv2.dnn, "readNetFromCaffe"):  # which OpenCV 5 has no more
        return tell(MISSING)
    asked = json.loads((folder / "ask.json").read_text("utf-8"))
    try:
        tell("reading")
        net = cv2.dnn.readNetFromCaffe(asked["net"], asked["weights"])
        tell("running")
        with np.load(folder / "inputs.npz") as values:
            for index, name in enumerate(asked["inputs"]):
                net.setInput(values[f"arr_{index}"], name)
        tops = net.forwardAndRetrieve(asked["layers"])
    except cv2.error as error:
        return tell(REFUSED, str(error))
    every = [np.asarray(top) for own in tops for top in own]
    np.savez(folder / "tops.npz", *every)
    return tell(DONE, [len(own) for own in tops])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
