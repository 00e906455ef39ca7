"""Reading a net into a typed document, against protobuf's own Python reader."""

import statistics
import sys
import time
from collections.abc import Callable

from google.protobuf import text_format

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.formats.binary.message import message_class
from prototxt_gen.formats.prototxt import parse
from prototxt_gen.formats.reader import read_text

ROUNDS = 15
BOUND = 0.5


def main() -> int:
    text = api.generate(depth=152)
    data = text.encode()
    message = message_class("NetParameter")
    runs: dict[str, Callable[[], object]] = {
        "text_format.Parse": lambda: text_format.Parse(text, message()),
        "parse": lambda: parse(Source(data), Sink()),
        "parse and type": lambda: read_text(Source(data), Sink()),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(found) for name, found in times.items()}
    base = medians["text_format.Parse"]
    for name, median in medians.items():
        print(f"{name:18} {median * 1e3:6.1f} ms  {median / base:5.2f}  (bound {BOUND})")
    return int(medians["parse and type"] > BOUND * base)


if __name__ == "__main__":
    sys.exit(main())
