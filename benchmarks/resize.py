"""Models that resize their pictures (``convert --resize``) beside ``cv::resize``: how near.

    python benchmarks/resize.py

prints the tables of benchmarks/resize.md. Pictures are drawn here: shapes over gradients, softened,
and noise, which is the worst. The nets are trained, and measured where there is a corpus; the other
side of each is the same model without ``resize``, given what OpenCV makes of the picture's bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.engines import open_session, session_values

CORPUS = Path(os.environ.get("PROTOTXT_CORPUS", Path(__file__).parents[1] / "../shared/corpus"))
SIZES = [(480, 640), (375, 500), (1080, 1920), (3000, 4000), (512, 512), (100, 140)]
COPY = """input: "data" input_shape {{ dim: [1, 3, {0}, {0}] }}
layer {{ name: "copy" type: "Power" bottom: "data" top: "copy" power_param {{ scale: 2 }} }}"""
FACES = "Linzaer+Ultra-Light-Fast-Generic-Face-Detector-1MB/caffe/model/"
NETS = {
    "RFB-320": (FACES + "RFB-320/RFB-320", 127.0, 1 / 128),
    "Slim-320": (FACES + "Slim-320/slim-320", 127.0, 1 / 128),
    "MTCNN R-Net": ("DuinoDu+mtcnn/model/det2", 127.5, 1 / 128),
    "MTCNN O-Net": ("DuinoDu+mtcnn/model/det3", 127.5, 1 / 128),
}
Array = np.ndarray[Any, np.dtype[Any]]


def main() -> int:
    pixels()
    print()
    nets()
    return 0


def pixels() -> None:
    """A table of what becomes of pixels."""
    print("| from | to | picture | float32, at most | bytes, at most | bytes, rms | rounded |")
    print("|---|---|---|---|---|---|---|")
    for side in (256, 224):
        net = api.load(Source(COPY.format(side).encode()))
        run = runner(api.convert(net, resize=side, input_type="uint8", layout="nhwc"))
        for size in SIZES:
            for name, picture in pictures(size):
                (found,) = run(picture).values()
                ours = found[0].transpose(1, 2, 0) / 2
                floats = cv2.resize(picture.astype(np.float32), (side, side))
                whole = cv2.resize(picture, (side, side)).astype(np.float32)
                apart, other = ours - whole, np.floor(ours + 0.5) != whole
                near = np.abs(ours - floats).max()
                print(
                    f"| {size[1]} x {size[0]} | {side} | {name} | {near:.4f} "
                    f"| {np.abs(apart).max():.2f} | {np.sqrt((apart**2).mean()):.2f} "
                    f"| {other.mean():.1%} |"
                )


def nets() -> None:
    """A table of what becomes of outputs, in parts of the greatest value of each."""
    print("| net | picture | output | apart, at most | greatest value |")
    print("|---|---|---|---|---|")
    for name, (path, mean, scale) in NETS.items():
        file = CORPUS / path
        if not file.with_suffix(".caffemodel").exists():
            continue
        net = api.read_caffe(file.with_suffix(".prototxt"), file.with_suffix(".caffemodel"))
        asked: dict[str, Any] = {"mean": mean, "scale": scale, "detection": "stop", "batch": 1}
        asked |= {"input_type": "uint8", "layout": "nhwc"}
        plain = api.convert(net, **asked)
        height, width = (
            d.dim_value for d in plain.model.graph.input[0].type.tensor_type.shape.dim[1:3]
        )
        run, wanted = runner(api.convert(net, resize=(height, width), **asked)), runner(plain)
        for kind in ("drawn", "noise"):
            shown = [dict(pictures(size))[kind] for size in SIZES if max(size) < 3000]
            found = [(run(x), wanted(cv2.resize(x, (width, height)))) for x in shown]
            for output in found[0][0]:
                apart = max(float(np.abs(a[output] - b[output]).max()) for a, b in found)
                most = max(float(np.abs(b[output]).max()) for _, b in found)
                print(f"| {name} | {kind} | {output} | {apart:.4f} | {most:.4g} |")


def runner(made: Any) -> Any:
    """What computes all outputs of one picture (H, W, C)."""
    session = open_session(made.model, "CPUExecutionProvider", plain=False)
    names = [value.name for value in made.skeleton.graph.output]
    (taken,) = (value.name for value in made.skeleton.graph.input)
    return lambda picture: session_values(session, names, {taken: picture[None]})


def pictures(size: tuple[int, int]) -> Iterator[tuple[str, Array]]:
    """Two pictures of a height and width."""
    random = np.random.default_rng(size[0])
    noise = random.integers(0, 256, (*size, 3)).astype(np.uint8)
    first, last = random.integers(0, 256, (2, 3))
    share = np.linspace(0, 1, size[0])[:, None, None]
    drawn = np.broadcast_to(first * (1 - share) + last * share, (*size, 3)).astype(np.uint8)
    drawn = np.ascontiguousarray(drawn)
    for _ in range(24):
        place = [int(random.integers(0, side)) for side in size[::-1]]
        colour = [int(one) for one in random.integers(0, 256, 3)]
        cv2.circle(drawn, place, int(random.integers(3, size[0] // 4)), colour, -1)
    yield "drawn", cv2.GaussianBlur(drawn, (0, 0), 1)
    yield "noise", noise


if __name__ == "__main__":
    raise SystemExit(main())
