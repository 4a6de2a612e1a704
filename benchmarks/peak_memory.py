"""The most memory that a process held, by itself."""

from __future__ import annotations

from pathlib import Path


def peak_mib() -> float:
    """MiB that this process has held at most (Linux: VmHWM).

    `ru_maxrss` would not do: it begins with what the parent held when it forked.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
