"""The picture of `dvf futures`, drawn of futures that are made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dvf_ros.cli.futures import SampledFutures, draw, reward_scale
from dvf_ros.cli.main import main as dvf
from dvf_ros.core.spec import RobotSpec
from tests.learning.small import SPEC, episode


def test_a_robots_name_is_drawn_as_it_is_written_and_not_as_a_formula(tmp_path: Path) -> None:
    name = r"a_$\frac$"
    spec, shown = RobotSpec.parse(SPEC.text.replace("toy", name)), episode(0, "")
    sampled = SampledFutures(int(shown.stamps[3]), np.array([0.1, 0.2]), shown.states[[5, 7]], np.array([0.0, 1.0]))
    draw(spec, shown, [sampled], [0, 2], tmp_path / "futures.svg")
    assert (tmp_path / "futures.svg").stat().st_size > 0


def test_a_name_that_is_no_pictures_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dvf(["futures", str(tmp_path), "--output", str(tmp_path / "futures.foo")]) == 1
    assert "expected a picture's name, with one of .png, .pdf, .svg; found" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rewards", "low", "high"),
    [([-3.0, -1.0], -3.0, 0.0), ([0.5, 2.0], 0.0, 2.0), ([-1.0, 2.0], -1.0, 2.0), ([0.0, 0.0], 0.0, 1e-6)],
)
def test_colours_tell_all_rewards_apart_costs_as_well(rewards: list[float], low: float, high: float) -> None:
    futures = [SampledFutures(0, np.zeros(1), np.zeros((1, 7)), np.array([reward])) for reward in rewards]
    scale = reward_scale(futures)
    assert (scale.vmin, scale.vmax) == (low, high)
