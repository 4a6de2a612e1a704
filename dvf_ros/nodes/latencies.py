"""How long the latest decisions took."""

from __future__ import annotations

import numpy as np

LATEST = 10_000


class Latencies:
    """The latest durations (s), and what is to be said of them."""

    def __init__(self) -> None:
        # An array, not a list of numbers: their percentiles must not hold up the thread that decides.
        self._seconds = np.zeros(LATEST)
        self._count = 0

    def note(self, seconds: float) -> None:
        """Add a duration; the oldest is forgotten when there are too many."""
        self._seconds[self._count % LATEST] = seconds
        self._count += 1

    def percentiles_ms(self) -> tuple[float, float, float, float]:
        """Median, 95th and 99th percentile and maximum; zeros before the first."""
        known = self._seconds[: min(self._count, LATEST)]
        if not len(known):
            return 0.0, 0.0, 0.0, 0.0
        p50, p95, p99, worst = np.percentile(known, (50, 95, 99, 100)) * 1e3
        return float(p50), float(p95), float(p99), float(worst)
