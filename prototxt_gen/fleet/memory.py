"""How much memory a process has, and has had at most."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path


def resident(process: int) -> int | None:
    """The bytes of memory that a process has; None where that cannot be asked."""
    with suppress(OSError, ValueError, IndexError):
        text = Path(f"/proc/{process}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) << 10
    with suppress(Exception):  # whatever psutil raises for one that is gone
        import psutil  # type: ignore[import-untyped]

        return int(psutil.Process(process).memory_info().rss)
    return None


def forget_peak() -> None:
    """Let the peak of this process begin anew, where the system can (proc(5), clear_refs)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_mib() -> float:
    """The most memory that this process has had, in MiB; 0 where that is not known."""
    with suppress(OSError, ValueError, IndexError):
        text = Path("/proc/self/status").read_text()
        return round(int(text.split("VmHWM:")[1].split()[0]) / 1024, 1)
    try:
        import resource
    except ImportError:
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)
