"""Success of controllers, as `dvf evaluate` wrote it down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

KEYS = ("success_ever", "success_low", "success_high", "success_last")


class EvaluationError(ValueError):
    """A file is not what `dvf evaluate` writes."""


@dataclass(frozen=True)
class Success:
    """One controller: the share of episodes that succeeded at any time, its 95 % interval, and at the last step."""

    name: str
    ever: float
    low: float
    high: float
    last: float


@dataclass(frozen=True)
class Evaluation:
    """All controllers of one evaluation, on the same seeds, and the paired gains of the first over others."""

    controllers: tuple[Success, ...]
    gains: dict[str, tuple[float, float, float]]  # over whom -> mean, low, high
    episodes: int
    commit: str


def read_evaluation(path: Path) -> Evaluation:
    """Read the figures; raises EvaluationError naming the file and what is missing in it."""
    way_out = "make one with: dvf evaluate CHECKPOINT.yaml"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        figures = record["figures"]
        rows = {name: row for name, row in figures.items() if isinstance(row, dict)}
        controllers = tuple(
            Success(name, *(float(row[key]) for key in KEYS)) for name, row in rows.items() if KEYS[0] in row
        )
        gains = {
            name.removeprefix("gain over "): (float(row["mean"]), float(row["low"]), float(row["high"]))
            for name, row in rows.items()
            if name.startswith("gain over ")
        }
        found = Evaluation(controllers, gains, int(figures["episodes"]), str(record["commit"]))
    except OSError as error:
        raise EvaluationError(f"evaluation '{path}' cannot be read: {error.strerror}; {way_out}") from error
    except KeyError as error:
        raise EvaluationError(f"'{path}' is no evaluation: expected the key {error}, found none; {way_out}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise EvaluationError(f"'{path}' is no evaluation ({error}); {way_out}") from error
    if not controllers:
        raise EvaluationError(f"'{path}' is no evaluation: expected the success of a controller, found none; {way_out}")
    return found
