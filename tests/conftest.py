"""What several tests share: the folders of other people's nets, and a way to run a command."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

#: Every run of the suite has the same examples; ``make fuzz`` draws others.
settings.register_profile(
    "suite", derandomize="FUZZ_SECONDS" not in os.environ, database=None, deadline=None
)
settings.load_profile("suite")

CORPUS = Path(os.environ.get("PROTOTXT_CORPUS", Path(__file__).parents[1] / "../shared/corpus"))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of other people's prototxt files; skips where it is absent."""
    if not CORPUS.is_dir():
        pytest.skip("no corpus: set PROTOTXT_CORPUS to a folder of prototxt files")
    return CORPUS


@pytest.fixture(scope="session")
def recorded(corpus: Path) -> Path:
    """The folder beside the corpus with what real Caffe made of its files."""
    folder = corpus.parent / "golden"
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}")
    return folder


@pytest.fixture(autouse=True)
def layers_of_ours() -> Iterator[None]:
    """What a test loads with ``--plugin`` is forgotten after it."""
    yield
    outside = sys.modules.get("prototxt_gen.layers.outside")
    if outside is not None and outside._loaded:
        from plugins import forget_layers

        forget_layers()
