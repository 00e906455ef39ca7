"""How long a browser takes to show a report, and to move its picture."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from measuring import COMMAND, Figure, compare, process

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/report"))

from browser import CHROMIUM, FRAMES, Browser, browser

STEPS = 30
#: The seconds of some frames, each after a step of the picture or of nothing.
MOVE = """(async () => {
  const graph = document.querySelector('#graph, #graph-b');
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  const start = performance.now();
  for (let step = 0; step < %d; step += 1) {
    if (graph) graph.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown' }));
    await frame();
  }
  return (performance.now() - start) / 1000;
})()"""


def pages(folder: Path) -> Iterator[Figure]:
    """Each page beside a page of as many bytes of text."""
    if CHROMIUM is None:
        print("no chromium to show a page with")
        return
    large = ["gen", "--stages", "37,37,37", "--block", "basic", "--width", "16"]
    nets = {"resnet152": ["gen", "resnet152"], "resnet101": ["gen", "resnet101"], "large": large}
    for name, words in nets.items():
        process([COMMAND, *words, "-o", str(folder / f"{name}.prototxt")])
    made = {
        "ResNet-152": ["resnet152"],
        "ResNet-152, each unit": ["resnet152", "--no-blocks"],
        "1,000 layers": ["large"],
        "1,000 layers, each unit": ["large", "--no-blocks"],
        "ResNet-101 and 152": ["resnet101", "resnet152"],
    }
    with browser(folder) as chromium:
        for name, words in made.items():
            page, text = folder / "page.html", folder / "text.html"
            files = [w if w.startswith("-") else str(folder / f"{w}.prototxt") for w in words]
            process([COMMAND, "report", *files, "-o", str(page)])
            text.write_text(
                "<!doctype html><pre>" + ("x" * 79 + "\n") * (page.stat().st_size // 80)
            )
            runs = (lambda p=page: _shown(chromium, p), lambda t=text: _shown(chromium, t))
            yield compare(f"{name} shown", "as much text", runs, 4, 5)
            runs = (lambda p=page: _moved(chromium, p), lambda t=text: _moved(chromium, t))
            most = 4 if "--no-blocks" in words else 2
            yield compare(f"{name} moved {STEPS} times", "idle frames", runs, most, 5)


def _shown(chromium: Browser, path: Path) -> tuple[float, float]:
    """Seconds until a page is loaded, its scripts have run and it is painted."""
    start = time.perf_counter()
    page = chromium.page(path.as_uri())
    page.value(FRAMES)
    seconds = time.perf_counter() - start
    page.close()
    return seconds, 0.0


def _moved(chromium: Browser, path: Path) -> tuple[float, float]:
    page = chromium.page(path.as_uri())
    page.value(FRAMES)
    seconds = float(page.value(MOVE % STEPS))
    page.close()
    return seconds, 0.0
