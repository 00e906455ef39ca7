"""Models in float16 and int8 beside the same in float32: size, time, and how near they are.

    python benchmarks/precision.py [--images 32] [--rounds 15]

prints the table of benchmarks/precision.md for the processor at hand. ResNet-50 and MobileNet have
random weights, as trained ones of a free licence are not at hand; the nets of MTCNN are trained,
and measured where there is a corpus. The images are made here: coloured shapes over gradients.
Nothing is bounded: no time of a model is of our making.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.engines import open_session, session_values
from prototxt_gen.errors import PrototxtError
from prototxt_gen.precision import Asked, lower
from prototxt_gen.precision.samples import pictured

CORPUS = Path(os.environ.get("PROTOTXT_CORPUS", Path(__file__).parents[1] / "../shared/corpus"))
CAFFE = {"mean": [104, 117, 123], "scale": 0.017}
MTCNN = {"mean": [127.5], "scale": 0.0078125}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    print(
        "| net | weights | | MB | time | scores, least | scores, mean | any output | best class |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        paths = tuple(images(Path(folder), asked.images))
        for name, weights, made in nets():
            for kind in ("fp16", "int8"):
                print(f"| {name} | {weights} | {kind} | {row(made, kind, paths, asked.rounds)} |")
                sys.stdout.flush()
    return 0


def nets() -> Iterator[tuple[str, str, Any]]:
    """Names, what the weights are, and models in float32."""
    text = api.generate("resnet50")
    net = api.load(Source(text.encode()))
    yield "ResNet-50", "random", api.convert(net, weights_init="random", **CAFFE)
    mobile = CORPUS / "intel+caffe/models/intel_optimized_models/benchmark/mobilenet_v2"
    if mobile.is_dir():
        net = api.read_caffe(mobile / "deploy.prototxt")
        yield "MobileNetV2", "random", api.convert(net, weights_init="random", batch=1, **CAFFE)
    for number, name in enumerate(("P-Net", "R-Net", "O-Net"), 1):
        file = CORPUS / f"DuinoDu+mtcnn/model/det{number}"
        if file.with_suffix(".caffemodel").exists():
            net = api.read_caffe(file.with_suffix(".prototxt"), file.with_suffix(".caffemodel"))
            yield f"MTCNN {name}", "trained", api.convert(net, **MTCNN)


def row(made: Any, kind: Any, paths: tuple[str, ...], rounds: int) -> str:
    """The figures of one model; both precisions are compared on the images."""
    try:
        found = lower(made, Asked(kind, paths, least=-1.0))
    except PrototxtError as error:
        return f"{error.message} | | | | |"
    (feed, *_) = pictured(made.skeleton, [one.done for one in made.baked], paths[:1])
    # A session uses its model up.
    models = [copy.deepcopy(one.model) for one in (found.made, made)]
    ours, theirs = (open_session(one, "CPUExecutionProvider", plain=False) for one in models)
    ratios = []
    for _ in range(rounds + 2):
        seconds = [timed(session, made, feed) for session in (ours, theirs)]
        ratios.append(seconds[0] / seconds[1])
    outputs = found.agreement.outputs
    images = [f"{one.first} of {one.images}" for one in outputs if one.images]
    before, now = (size / 1e6 for size in found.sizes)
    scores = outputs[-1]  # what Softmax reads
    return (
        f"{now:.2f} of {before:.2f} | {statistics.median(ratios[2:]):.2f} | {scores.least:.6f} | "
        f"{scores.mean:.6f} | {found.agreement.least:.6f} | {images[0]}"
    )


def timed(session: Any, made: Any, feed: Any) -> float:
    names = [value.name for value in made.skeleton.graph.output]
    start = time.perf_counter()
    session_values(session, names, feed)
    return time.perf_counter() - start


def images(folder: Path, number: int) -> Iterator[str]:
    """Pictures of shapes, each of a seed of its own."""
    for index in range(number):
        random = np.random.default_rng(index)
        first, last = random.integers(0, 256, (2, 3))
        share = np.linspace(0, 1, 256)[:, None, None]
        ground = np.broadcast_to(first * (1 - share) + last * share, (256, 256, 3))
        picture = Image.fromarray(ground.astype(np.uint8))
        draw = ImageDraw.Draw(picture)
        for _ in range(12):
            (left, top), (width, height) = random.integers(0, 200, 2), random.integers(10, 120, 2)
            shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
            box = [int(one) for one in (left, top, left + width, top + height)]
            shape(box, fill=tuple(int(one) for one in random.integers(0, 256, 3)))
        path = folder / f"{index:03}.png"
        picture.save(path)
        yield str(path)


if __name__ == "__main__":
    raise SystemExit(main())
