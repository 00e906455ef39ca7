"""The time of ``gen`` by the number of layers."""

import time

from prototxt_gen import api

api.generate(depth=18)  # what is imported and compiled once
for blocks in (20, 200, 2000):
    start = time.perf_counter()
    text = api.generate(stages=[blocks] * 3, block="basic", width=4)
    seconds = time.perf_counter() - start
    layers = text.count("layer {")
    print(f"{layers:6} layers  {seconds:6.2f} s  {seconds / layers * 1e6:5.1f} us a layer")
