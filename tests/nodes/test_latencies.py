"""What is said of the latest durations."""

from __future__ import annotations

import numpy as np
import pytest

from dvf_ros.nodes.latencies import LATEST, Latencies


def test_percentiles_of_the_latest() -> None:
    latencies = Latencies()
    assert latencies.percentiles_ms() == (0, 0, 0, 0)
    latencies.note(9.0)
    assert latencies.percentiles_ms() == (9000, 9000, 9000, 9000)
    seconds = np.random.default_rng(0).permutation(np.arange(LATEST) / LATEST)
    for each in seconds:
        latencies.note(float(each))
    expected = np.percentile(seconds, (50, 95, 99, 100)) * 1e3
    assert latencies.percentiles_ms() == pytest.approx(tuple(expected)), "the 9 s are forgotten"
