"""A fleet whose work is done in this process, where a test can look at it and break it."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

from prototxt_gen import api
from prototxt_gen.fleet.journal import Row
from prototxt_gen.fleet.plan import Plan, plan
from prototxt_gen.fleet.run import Fleet, Order
from prototxt_gen.fleet.task import Task
from prototxt_gen.fleet.ways import ToOnnx
from prototxt_gen.fleet.work import work
from prototxt_gen.weights import make, save

NET = """name: "n%d"
input: "data" input_shape { dim: [1, 3, 8, 8] }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: %d kernel_size: 3 weight_filler { type: "msra" } } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
"""


class Inline:
    """Machines that do each task at once; ``begun`` are those that were given out."""

    def __init__(self) -> None:
        self.begun: list[Task] = []

    def submit(self, task: Task) -> Future[Row]:
        self.begun.append(task)
        done: Future[Row] = Future()
        done.set_result(work(task))
        return done

    def room(self) -> int:
        return 1

    def withdraw(self, given: Future[Row]) -> bool:
        return False

    def close(self) -> None:
        pass


def fill(folder: Path, count: int) -> Path:
    for number in range(count):
        net = folder / f"m{number}" / "net.prototxt"
        net.parent.mkdir(parents=True)
        net.write_text(NET % (number, 2 + number % 5))
        graph = api.load(net)
        save(graph, make(graph, "fillers", number), net.with_suffix(".caffemodel"))
    return folder


def fleet(
    made: Plan | str, out: str, machines: Any = None, task: str = "convert", **more: Any
) -> Fleet:
    made = plan(made) if isinstance(made, str) else made
    way = more.pop("way", ToOnnx())
    order = Order(task, out, lambda item: way, **more)
    return Fleet(order, made, machines or Inline())
