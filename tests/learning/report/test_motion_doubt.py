"""Error bars of who is known by motion: the less of it is shown, the wider."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.context import TRAITS
from dvf_ros.learning.driver import driver_by_motion
from dvf_ros.learning.report.driver_correction import DriverProcess, Records
from dvf_ros.learning.report.motion_doubt import corrected_deviation, likely_values
from dvf_ros.learning.training import train
from tests.learning.small import CONFIG, SPEC, driven, episode

DRIVERS, EACH, LENGTH = 12, 8, 20
STARTS = np.stack([episode(seed, "", LENGTH).states[0] for seed in range(3)])


@pytest.fixture(scope="module")
def agent() -> DvfAgent:
    data = Dataset.from_episodes(SPEC, [driven(seed, seed // EACH, LENGTH) for seed in range(DRIVERS * EACH)])
    settings = replace(CONFIG.training, representation="context")
    return train(data, replace(CONFIG, training=settings))[0]


def motion(episodes: int) -> list[np.ndarray]:
    return [episode(1000 + seed, "", LENGTH).states for seed in range(episodes)]


def test_the_less_is_shown_the_more_open_is_who_drives(agent: DvfAgent) -> None:
    found = [likely_values(agent, motion(1), STARTS, 0, transitions) for transitions in (5, 50, 500)]
    spread = [float(one.drivers[:, TRAITS - 1].std()) for one in found]
    assert spread[0] > spread[1] > spread[2] > 0.0
    assert found[0].deviation() > found[2].deviation() > 0.0


def test_it_is_as_if_so_many_transitions_had_been_shown(agent: DvfAgent) -> None:
    shown = motion(2)
    as_shown = likely_values(agent, shown, STARTS, 0).deviation()
    assert as_shown == likely_values(agent, shown, STARTS, 0, transitions=2 * LENGTH - 2).deviation()


def test_the_process_speaks_for_drivers_known_as_well_as_its_own(agent: DvfAgent) -> None:
    traits = np.random.default_rng(0).standard_normal((40, TRAITS))
    numbers = 3.0 * traits[:, -1] + 5.0 * np.random.default_rng(1).standard_normal(40)
    nothing = np.zeros(40)
    process = DriverProcess(
        Records(np.arange(len(traits)), traits, nothing, numbers, nothing, nothing), numbers, nothing
    )
    one = motion(1)
    driver, shown = driver_by_motion(agent, one), likely_values(agent, one, STARTS, 0)

    def deviation(known_by: float) -> float:
        return corrected_deviation(process, driver, 0.0, shown, likely_values(agent, one, STARTS, 0, known_by))

    as_well = deviation(LENGTH - 1.0)
    assert as_well == pytest.approx(process.of(driver, 0.0)[1])
    assert deviation(10.0 * LENGTH) > as_well, "known worse than the recorded ones"
    assert deviation(LENGTH / 10.0) < as_well, "known better"
