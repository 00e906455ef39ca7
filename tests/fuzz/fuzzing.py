"""How a fuzz target is run: a few seconds in the suite, minutes with random seeds else.

FUZZ_SECONDS=120 runs each target for that long with new seeds; without it every run has the
same examples.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
_MOST_MEMORY = 16 << 30  #: of the process where targets run for long: more is a MemoryError
_A_ROUND = 300  #: examples after which the clock is looked at


def fuzz(
    examples: int, *strategies: st.SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Make a test of a function that takes what the strategies draw."""
    if SECONDS:
        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        soft = _MOST_MEMORY if most == resource.RLIM_INFINITY else min(most, _MOST_MEMORY)
        resource.setrlimit(resource.RLIMIT_AS, (soft, most))
    how = settings(
        max_examples=_A_ROUND if SECONDS else examples,
        derandomize=not SECONDS,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )

    def made(check: Callable[..., None]) -> Callable[[], None]:
        target = how(given(*strategies)(check))

        def test() -> None:
            end = time.monotonic() + SECONDS
            target()
            while time.monotonic() < end:
                target()

        test.__doc__ = check.__doc__
        return test

    return made
