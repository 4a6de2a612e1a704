"""Interquartile means by rliable: `python iqm.py SCORES.json MEANS.json`, controller -> (runs, tasks) scores.

Runs in .venv-d3rlpy, which `make peers` makes, and knows nothing of this package. Intervals are 95 % ones of rliable's
stratified bootstrap over runs (Agarwal et al. 2021, arXiv 2108.13264).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from rliable import library, metrics

RESAMPLES = 10_000


def main() -> None:
    """Read scores, write controller -> mean, low, high."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scores", type=Path)
    parser.add_argument("means", type=Path)
    args = parser.parse_args()
    scores = {name: np.array(rows) for name, rows in json.loads(args.scores.read_text()).items()}
    means, intervals = library.get_interval_estimates(
        scores,
        lambda rows: np.array([metrics.aggregate_iqm(rows)]),
        reps=RESAMPLES,
        random_state=np.random.RandomState(0),
    )
    found = {
        name: {"mean": float(means[name][0]), "low": float(intervals[name][0, 0]), "high": float(intervals[name][1, 0])}
        for name in scores
    }
    args.means.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
