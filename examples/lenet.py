"""Carry LeNet from the files of its training to a server: an old Caffe net, step by step.

    python examples/lenet.py NET WEIGHTS [-o FOLDER]

NET is BVLC's lenet_train_test.prototxt, and WEIGHTS what it learned, lenet_iter_10000.caffemodel.
FOLDER gets the net for inference, its ONNX model and a repository for the Triton server. Then that
model reads digits that are drawn here, and so does one without the scale that the data layer of
the training told of. It needs onnxruntime and Pillow.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image, ImageDraw

from prototxt_gen import api, cli
from prototxt_gen.diagnostics import render
from prototxt_gen.errors import PrototxtError
from prototxt_gen.triton import config

Array = np.ndarray[Any, Any]

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
#: What a pen does for each digit, in a square of 20: its strokes, from point to point (x,y).
STROKES = """
10,1 6,3 4,9 5,15 9,18 13,16 15,10 14,4 10,1
11,1 10,10 9,19
4,5 7,1 12,1 14,5 11,10 4,18 8,17 16,18
4,3 9,1 13,3 12,7 8,9 13,11 14,15 10,18 4,17
6,1 4,8 5,10 14,9 / 13,2 13,10 11,19
14,1 6,1 5,8 10,8 14,11 14,15 10,18 4,17
12,1 7,5 4,11 5,16 9,18 13,16 13,12 9,10 5,13
4,3 9,2 15,2 11,10 8,19
13,2 7,2 6,6 13,12 13,16 9,18 6,16 7,12 13,6 13,2
14,5 10,2 6,4 6,8 10,10 14,7 14,4 13,11 11,19
"""
SIDE, PEN, FINE = 28, 2.5, 8  #: of a picture, of the pen, and how much larger it is drawn


def draw(lean: float = 0, right: float = 0) -> Array:
    """The ten digits, white on black, as bytes (10, 1, 28, 28)."""
    digits = []
    for line in STROKES.strip().splitlines():
        picture = Image.new("L", (SIDE * FINE, SIDE * FINE))
        pen = ImageDraw.Draw(picture)
        for stroke in line.split("/"):
            points = np.array([point.split(",") for point in stroke.split()], float)
            points[:, 0] += lean * (10 - points[:, 1]) + right
            points = FINE * (points + 4)
            pen.line([(x, y) for x, y in points], 255, round(PEN * FINE), "curve")
            for end in points[[0, -1]]:
                pen.ellipse([*(end - PEN * FINE / 2), *(end + PEN * FINE / 2)], 255)
        digits.append(np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX)))
    return np.stack(digits)[:, None]


def carry(net: Path, weights: Path, folder: Path) -> tuple[Path, bytes]:
    """Make all in the folder; return where Triton finds the model, and one without the scale."""
    graph, left = api.deploy(api.read_caffe(net, weights), {"data": (1, 1, SIDE, SIDE)})
    form: Any = {"batch": "dynamic", "input_type": "uint8"}
    made = api.convert(graph, preprocess_from=net, labels=NAMES, **form)
    folder.mkdir(parents=True, exist_ok=True)
    deploy, model = folder / "deploy.prototxt", folder / "lenet.onnx"
    deploy.write_text(api.dump(graph), encoding="utf-8")
    model.write_bytes(made.model.SerializeToString())
    for path, changes in ((deploy, left), (model, made.changes)):
        print(f"{path}:", *(f"  {one.layer}: {one.what}" for one in changes), sep="\n", flush=True)
    for command in ["verify", net, weights, model], ["triton", model, folder / "models"]:
        if code := cli.run([str(word) for word in command]):
            raise SystemExit(code)
    return folder / "models" / "lenet", api.to_onnx(graph, **form).SerializeToString()


def read(what: str, model: bytes, pictures: Array, labels: list[str], most: int) -> None:
    """Let a model read the digits, at most so many at once, and print which are wrong."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    parts = [pictures[i : i + most] for i in range(0, len(pictures), most)]
    scores = np.concatenate([session.run(["prob"], {"data": part})[0] for part in parts])
    found, sure = scores.argmax(1), scores.max(1)
    wrong = np.flatnonzero(found != np.arange(len(found)) % 10)
    print(f"{what}: {len(wrong)} of {len(found)} wrong, the least sure answer at {sure.min():.3f}")
    for i in wrong:
        print(f"  a {labels[i % 10]} is taken for {labels[found[i]]}: {sure[i]:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Carry LeNet from its training to a server.")
    parser.add_argument("net", type=Path, metavar="NET", help="lenet_train_test.prototxt")
    parser.add_argument("weights", type=Path, metavar="WEIGHTS", help="its caffemodel")
    parser.add_argument("-o", dest="folder", type=Path, default="lenet", help="what to make")
    asked = parser.parse_args()
    try:
        served, bare = carry(asked.net, asked.weights, asked.folder)
    except PrototxtError as error:
        found = [render(one, error.source) for one in error.diagnostics]
        raise SystemExit("\n".join(found) or f"error: {error}") from error
    except OSError as error:
        raise SystemExit(f"error: {error.filename}: {error.strerror}") from error
    told: Any = config.read((served / "config.pbtxt").read_text("utf-8"))
    (given,), (answer,), (most,) = told["input"], told["output"], told["max_batch_size"]
    for one in given, answer:
        print(f"  {one['name'][0]}: {one['data_type'][0]} {one['dims']}, at most {most} at once")

    # Upright in the middle, and as somebody in a hurry writes them.
    pictures = np.concatenate([draw(), draw(lean=0.1, right=-2)])
    rows = pictures.reshape(2, 10, SIDE, SIDE).transpose(0, 2, 1, 3)
    Image.fromarray(rows.reshape(2 * SIDE, 10 * SIDE)).save(asked.folder / "digits.png")
    labels = (served / answer["label_filename"][0]).read_text("utf-8").splitlines()
    read("with the scale", (served / "1/model.onnx").read_bytes(), pictures, labels, most)
    read("without it", bare, pictures, labels, most)


if __name__ == "__main__":
    main()
