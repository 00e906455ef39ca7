"""The numpy reference of a whole net, against onnxruntime."""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import onnxruntime

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.graph.check import check
from prototxt_gen.graph.fillers import initial

ROUNDS = 7
BOUND = 20


def main() -> int:
    graph = api.load(Source(api.generate("resnet50").encode()))
    graph.stored = dict(initial(graph, check(graph, Sink()), "random"))
    x = {"data": np.random.default_rng(0).normal(size=(1, 3, 224, 224)).astype(np.float32)}
    model = api.to_onnx(graph).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    runs: dict[str, Callable[[], object]] = {
        "onnxruntime": lambda: session.run(None, x),
        "reference": lambda: api.run(graph, x),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(found) for name, found in times.items()}
    base = medians["onnxruntime"]
    for name, median in medians.items():
        print(f"{name:12} {median * 1e3:7.1f} ms  {median / base:5.1f}  (bound {BOUND})")
    return int(medians["reference"] > BOUND * base)


if __name__ == "__main__":
    sys.exit(main())
