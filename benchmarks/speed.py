"""All figures of speed and memory, each beside something that is done in the same go.

    python benchmarks/speed.py [NAME...] [--cpu] [--json FILE]

Without a name all are measured but ``large``, which needs 10 GB of disk, and ``caffe_onnx``, which
needs the program caffe2onnx of another environment, in CAFFE2ONNX. ``--cpu`` measures the time of
the processor (user and system), for a machine that has other work too; waiting for the disk and
what two jobs gain are not in it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from measuring import COMMAND, PYTHON, Figure, by_processor, call, compare, process
from pages import pages
from regions import regions

MIB = 1 << 20


def startup(folder: Path) -> Iterator[Figure]:
    beside = [PYTHON, "-c", "import click, jinja2"]
    for words in (["--help"], ["gen", "--depth", "50"]):
        runs = (lambda words=words: process([COMMAND, *words]), lambda: process(beside))
        yield compare(" ".join(words), "import click, jinja2", runs, 1.5, 15)


def layers(folder: Path) -> Iterator[Figure]:
    from prototxt_gen import api

    def make(blocks: int) -> int:
        text = api.generate(stages=[blocks] * 3, block="basic", width=4)
        return text.count("layer {")

    make(4)
    for blocks, small in ((40, 4), (400, 40)):
        factor = make(blocks) / make(small)
        runs = (lambda b=blocks: call(lambda: make(b)), lambda s=small: call(lambda: make(s)))
        number, few = make(blocks), make(small)
        yield compare(f"gen of {number} layers", f"of {few}", runs, 1.3 * factor, 5)
    tenth = lambda: (1.0, 0.0)  # noqa: E731
    runs = (lambda: call(lambda: make(400)), tenth)
    yield compare("gen of 10,000 layers a second", "1 s", runs, make(400) / 10_000, 5)


def reading(folder: Path) -> Iterator[Figure]:
    from google.protobuf import text_format

    from prototxt_gen import api
    from prototxt_gen.diagnostics import Sink, Source
    from prototxt_gen.formats.binary.message import message_class
    from prototxt_gen.formats.reader import read_text
    from prototxt_gen.lint.engine import lint

    text = api.generate(depth=152)
    data, message = text.encode(), message_class("NetParameter")
    gc.disable()  # as the command does
    runs = (
        lambda: call(lambda: read_text(Source(data), Sink())),
        lambda: call(lambda: text_format.Parse(text, message())),
    )
    yield compare("reading ResNet-152's prototxt", "text_format.Parse", runs, 0.3, 15)
    runs = (
        lambda: call(lambda: lint(Source(data))),
        lambda: call(lambda: text_format.Parse(text, message())),
    )
    yield compare("validate it, in process", "text_format.Parse", runs, 1.0, 15)
    gc.enable()
    net = _net(folder)
    click = [PYTHON, "-c", "import click"]
    runs = (lambda: process([COMMAND, "validate", net]), lambda: process(click))
    yield compare("validate ResNet-152", "import click", runs, 2.5, 15)


def weights(folder: Path) -> Iterator[Figure]:
    model = _weights(folder)
    size = os.path.getsize(model) / MIB
    script = "import sys; from prototxt_gen.formats.binary.caffemodel import read_caffemodel as r"
    script += "; import numpy as n; l = r(sys.argv[1]).layers"
    script += "; a = [n.asarray(b) for one in l for b in one.blobs]"
    base = "import sys, numpy, google.protobuf; open(sys.argv[1], 'rb').read()"
    runs = (
        lambda: process([PYTHON, "-c", script, model]),
        lambda: process([PYTHON, "-c", base, model]),
    )
    words = "import numpy, protobuf; read the file"
    yield compare("a caffemodel into arrays", words, runs, 1.3, 7, size + 80)


def convert(folder: Path) -> Iterator[Figure]:
    net, model = _net(folder), _weights(folder)
    size, out = os.path.getsize(model) / MIB, str(folder / "out.onnx")
    copy = f"import onnx, shutil; shutil.copyfile({model!r}, {str(folder / 'copy')!r})"
    runs = (
        lambda: process([COMMAND, "convert", net, model, "-o", out]),
        lambda: process([PYTHON, "-c", copy]),
    )
    most = 1.3 * size + 150
    yield compare("convert ResNet-152", "cp, import onnx", runs, 3.0, 7, most)
    runs = (
        lambda: process([COMMAND, "convert", out, "-o", str(folder / "back.prototxt")]),
        lambda: process([PYTHON, "-c", copy]),
    )
    yield compare("ResNet-152 from ONNX", "cp, import onnx", runs, 3.0, 7, most)


def reference(folder: Path) -> Iterator[Figure]:
    import numpy as np
    import onnxruntime

    from prototxt_gen import api
    from prototxt_gen.diagnostics import Sink, Source
    from prototxt_gen.graph.check import check
    from prototxt_gen.graph.fillers import initial

    graph = api.load(Source(api.generate("resnet50").encode()))
    graph.stored = dict(initial(graph, check(graph, Sink()), "random"))
    image = np.random.default_rng(0).normal(size=(1, 3, 224, 224)).astype(np.float32)
    x = {ref.blob: image for ref in graph.inputs}
    model = api.to_onnx(graph).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    runs = (
        lambda: call(lambda: api.run(graph, x)),
        lambda: call(lambda: session.run(None, x)),
    )
    yield compare("ResNet-50 by the reference", "onnxruntime", runs, 20, 5)


def folders(folder: Path) -> Iterator[Figure]:
    from prototxt_gen import api

    nets = folder / "nets"
    nets.mkdir(exist_ok=True)
    text = api.generate("resnet50")
    for index in range(1000):
        (nets / f"{index}.prototxt").write_text(text)
    words = [COMMAND, "validate", str(nets), "--jobs"]
    runs = (lambda: process([*words, "2"]), lambda: process([*words, "1"]))
    yield compare("validate 1,000 files, 2 jobs", "1 job", runs, 1 / 1.7, 1)


def corpus(folder: Path) -> Iterator[Figure]:
    """Files of public repositories (PROTOTXT_CORPUS), if there are any: at most 5 seconds."""
    nets = Path(os.environ.get("PROTOTXT_CORPUS", Path(__file__).parents[2] / "shared/corpus"))
    if not nets.is_dir():
        print(f"no corpus in {nets}")
        return
    number = sum(1 for _ in nets.rglob("*.prototxt"))
    for jobs in ("1", "2"):
        words = [COMMAND, "validate", str(nets), "--jobs", jobs, "--fail-on", "error"]
        runs = (lambda words=words: process(words, 1), lambda: (1.0, 0.0))
        yield compare(f"validate {number} files, {jobs} jobs", "1 s", runs, 5, 3, 200)


def large(folder: Path) -> Iterator[Figure]:
    net, model = str(folder / "large.prototxt"), str(folder / "large.caffemodel")
    wide = "".join(
        f'layer {{ name: "f{i}" type: "InnerProduct" bottom: "x{i}" top: "x{i + 1}"'
        f" inner_product_param {{ num_output: 10000 bias_term: false }} }}\n"
        for i in range(8)
    )
    Path(net).write_text(f'input: "x0" input_shape {{ dim: [1, 10000] }}\n{wide}')
    process([COMMAND, "weights", "init", net, "--how", "random", "-o", model])
    copy = f"import shutil; shutil.copyfile({model!r}, {str(folder / 'copy')!r})"
    out = folder / "large.onnx"
    words = [COMMAND, "convert", net, model, "-o", str(out), "--external-data"]

    def anew() -> tuple[float, float]:
        """Where there are weights of that name, both are compared."""
        for old in (out, Path(f"{out}.data")):
            old.unlink(missing_ok=True)
        return process(words)

    runs = (anew, lambda: process([PYTHON, "-c", copy]))
    yield compare("convert 3.2 GB, weights beside", "cp", runs, 3.0, 1, 400)


def caffe_onnx(folder: Path) -> Iterator[Figure]:
    """The package caffe-onnx, which has an environment of its own: CAFFE2ONNX is its program."""
    tool = os.environ.get("CAFFE2ONNX")
    if tool is None:
        raise SystemExit("CAFFE2ONNX: expected the program caffe2onnx of an environment with it")
    net, model = _net(folder), _weights(folder)
    runs = (
        lambda: process([COMMAND, "convert", net, model, "-o", str(folder / "out.onnx")]),
        lambda: process([tool, net, model, "net", str(folder)]),
    )
    yield compare("convert ResNet-152", "caffe-onnx", runs, 1 / 150, 1)


#: What is measured only where it is asked for: of much disk, or of another program.
_ASKED = ("large", "caffe_onnx")
GROUPS: dict[str, Callable[[Path], Iterator[Figure]]] = {
    "startup": startup,
    "layers": layers,
    "reading": reading,
    "weights": weights,
    "convert": convert,
    "reference": reference,
    "folders": folders,
    "corpus": corpus,
    "pages": pages,
    "regions": regions,
    "large": large,
    "caffe_onnx": caffe_onnx,
}


def _net(folder: Path) -> str:
    path = folder / "resnet152.prototxt"
    if not path.exists():
        process([COMMAND, "gen", "resnet152", "-o", str(path)])
    return str(path)


def _weights(folder: Path) -> str:
    path = folder / "resnet152.caffemodel"
    if not path.exists():
        words = ["weights", "init", _net(folder), "--how", "random", "-o", str(path)]
        process([COMMAND, *words])
    return str(path)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure speed and memory.")
    parser.add_argument("names", nargs="*", choices=[*GROUPS, []], metavar="NAME")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked: Any = parser.parse_args()
    if asked.cpu:
        by_processor()
    names = asked.names or [name for name in GROUPS if name not in _ASKED]
    folder = Path(tempfile.mkdtemp(prefix="speed-"))
    found: list[Figure] = []
    try:
        for name in names:
            for one in GROUPS[name](folder):
                found.append(one)
                _print(one)
    finally:
        shutil.rmtree(folder)
    if asked.json:
        asked.json.write_text(json.dumps([one.as_dict() for one in found], indent=2) + "\n")
    return int(not all(one.holds for one in found))


def _print(one: Figure) -> None:
    peak = f"{one.peak:6.0f} MiB (bound {one.peak_bound:.0f})" if one.peak_bound else ""
    digits = 2 if one.ratio > 0.1 else 4
    print(
        f"{one.what:30} {one.seconds:7.3f} s  {one.ratio:6.{digits}f} of {one.beside}"
        f" (bound {one.bound:.{digits}f})  {peak}{'' if one.holds else '  <- above its bound'}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
