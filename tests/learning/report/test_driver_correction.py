"""What V misses of a driver: learned as a function of its traits, and refused where there is nothing to learn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dvf_ros.core.parsing import ConfigError
from dvf_ros.data.dataset import Dataset, DatasetError
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.context import TRAITS
from dvf_ros.learning.driver import driver_by_motion
from dvf_ros.learning.report.driver_correction import (
    Records,
    driver_records,
    fit_correction,
    fit_returns,
    traits_of,
)
from dvf_ros.learning.report.returns import recorded_rewards
from dvf_ros.learning.training import train
from tests.learning.small import CONFIG, SPEC, dataset, driven

DRIVERS, EACH, LENGTH = 24, 2, 20


def many(drivers: int = DRIVERS) -> Dataset:
    """Episodes of many drivers, two of each."""
    return Dataset.from_episodes(SPEC, [driven(seed, seed // EACH, LENGTH) for seed in range(EACH * drivers)])


@pytest.fixture(scope="module")
def agent() -> DvfAgent:
    trained, _ = train(many(), replace(CONFIG, training=replace(CONFIG.training, representation="context")))
    assert trained.occupancy.motion is not None and trained.occupancy.motion.difference.any(), "drivers have traits"
    return trained


def records_of(traits: np.ndarray, earned: np.ndarray, value: np.ndarray | None = None) -> Records:
    """Records of drivers without luck, one of each; V is nothing where it is not given."""
    nothing = np.zeros(len(traits))
    return Records(np.arange(len(traits)), traits, nothing if value is None else value, earned, nothing, nothing + 1.0)


def driver(traits: list[float]) -> torch.Tensor:
    return torch.tensor([[*traits, *[0.0] * 4]])


def test_what_depends_on_one_trait_is_found_among_eight() -> None:
    rng = np.random.default_rng(0)
    traits = rng.standard_normal((80, TRAITS))
    process = fit_returns(records_of(traits, 5.0 + 2.0 * traits[:, 3] + 0.5 * rng.standard_normal(80)))
    for place in (-1.0, 0.0, 1.5):
        mean, deviation = process.of(driver([0.7, -0.3, 1.0, place, 0.0, 0.2, -1.0, 0.4]), 0.0)
        assert mean == pytest.approx(5.0 + 2.0 * place, abs=0.3)
        assert deviation == pytest.approx(0.5, abs=0.15), "one more driver scatters as the recorded ones do"


def test_the_error_bar_leaves_out_what_chance_did_to_the_records_and_keeps_what_traits_do_not_tell() -> None:
    rng = np.random.default_rng(3)
    traits = rng.standard_normal((200, TRAITS))
    untold, luck = 0.4 * rng.standard_normal(200), rng.standard_normal(200)
    records = replace(records_of(traits, traits[:, 0] + untold + luck), luck=np.ones(200))
    assert fit_returns(records).of(driver([0.0] * TRAITS), 0.0)[1] == pytest.approx(0.4, abs=0.2)


def test_what_is_a_drivers_own_is_not_taken_for_what_its_traits_say() -> None:
    """Both records of a driver share it: taken for two drivers they would seem to confirm each other."""
    rng, drivers, others = np.random.default_rng(8), 60, 200
    traits = rng.standard_normal((drivers + others, TRAITS))
    earned = traits[:, 0] + 0.5 * rng.standard_normal(drivers + others)
    twice = np.repeat(np.arange(drivers), 2)
    seen = traits[twice] + 0.1 * rng.standard_normal((2 * drivers, TRAITS))
    luck = 0.3 * rng.standard_normal(2 * drivers)
    records = replace(records_of(seen, earned[twice] + luck), driver=twice, luck=np.full(2 * drivers, 0.3**2))
    process = fit_returns(records)
    said = np.array([process.of(driver(list(one)), 0.0) for one in traits[drivers:]])
    off = np.abs(said[:, 0] - earned[drivers:])
    assert np.mean(off < 1.96 * said[:, 1]) > 0.88
    assert np.sqrt(np.mean(off**2)) < 0.65, "0.5 is what nobody can know"


def test_no_return_is_set_against_its_own_motion(agent: DvfAgent) -> None:
    data = many()
    earned = np.arange(data.episodes, dtype=np.float32)
    paid = replace(data, rewards=np.repeat(earned, data.episode_length))
    records = driver_records(agent, paid, recorded_rewards(agent, paid), np.random.default_rng(0))
    order = np.argsort(records.earned)
    for record, index in zip(order, range(data.episodes), strict=True):
        other = index + 1 if index % EACH == 0 else index - 1
        known_by = driver_by_motion(agent, [data.states[data.frames_of(other)]])
        np.testing.assert_allclose(records.traits[record], traits_of(known_by))


def test_episodes_without_a_return_still_tell_who_drives(agent: DvfAgent) -> None:
    shown = [driven(3 * number + part, number, LENGTH) for number in range(DRIVERS) for part in range(3)]
    data = Dataset.from_episodes(SPEC, shown)
    mask = np.array(data.reward_mask)
    mask[data.frames_of(2)] = False
    partly = replace(data, reward_mask=mask)
    records = driver_records(agent, partly, recorded_rewards(agent, partly), np.random.default_rng(0))
    known_by = driver_by_motion(agent, [data.states[data.frames_of(other)] for other in (1, 2)])
    np.testing.assert_allclose(records.traits[0], traits_of(known_by))


def test_the_error_bar_grows_away_from_who_was_recorded() -> None:
    rng = np.random.default_rng(1)
    traits = rng.standard_normal((60, TRAITS))
    process = fit_returns(records_of(traits, np.sin(2.0 * traits[:, 0]) + 0.1 * rng.standard_normal(60)))
    _, near = process.of(driver([0.0] * TRAITS), 0.0)
    _, far = process.of(driver([6.0, *[0.0] * (TRAITS - 1)]), 0.0)
    assert far > 2.0 * near


def test_drivers_who_all_earn_their_value_need_no_correction() -> None:
    traits = np.random.default_rng(2).standard_normal((30, TRAITS))
    value = traits[:, 0]
    process = fit_correction(records_of(traits, earned=value, value=value))
    assert process.of(driver([0.5] * TRAITS), 0.5)[0] == pytest.approx(0.0, abs=1e-6)


def test_what_v_knows_of_drivers_beyond_their_traits_is_kept() -> None:
    rng = np.random.default_rng(4)
    traits, value = rng.standard_normal((80, TRAITS)), rng.standard_normal(80)
    process = fit_correction(records_of(traits, value + traits[:, 1] + 0.1 * rng.standard_normal(80), value))
    for v in (-1.0, 2.0):
        more, _ = process.of(driver([0.0, 0.5, *[0.0] * (TRAITS - 2)]), v)
        assert more == pytest.approx(0.5, abs=0.15), "whatever V says"


def test_a_v_that_says_nothing_of_drivers_is_taken_for_nothing() -> None:
    rng = np.random.default_rng(5)
    traits, value = rng.standard_normal((120, TRAITS)), rng.standard_normal(120)
    process = fit_correction(records_of(traits, 3.0 + traits[:, 2] + 0.3 * rng.standard_normal(120), value))
    for v in (-2.0, 0.0, 2.0):
        more, _ = process.of(driver([0.0] * TRAITS), v)
        assert v + more == pytest.approx(3.0, abs=0.3)


def test_a_v_that_tells_drivers_apart_twice_too_much_is_halved() -> None:
    rng = np.random.default_rng(6)
    traits, earned = rng.standard_normal((120, TRAITS)), 2.0 * rng.standard_normal(120)
    process = fit_correction(records_of(traits, earned + 0.3 * rng.standard_normal(120), 2.0 * earned))
    for v in (-4.0, 0.0, 6.0):
        more, _ = process.of(driver([0.0] * TRAITS), v)
        assert v + more == pytest.approx(v / 2.0, abs=0.3)


def test_a_v_that_all_records_share_says_nothing_of_another() -> None:
    rng = np.random.default_rng(7)
    traits = rng.standard_normal((60, TRAITS))
    process = fit_returns(records_of(traits, traits[:, 0] + 0.1 * rng.standard_normal(60)))
    known = driver([0.3] * TRAITS)
    assert process.of(known, 0.0) == process.of(known, 100.0)


def test_records_hold_what_was_earned_and_v_of_what_came_after(agent: DvfAgent) -> None:
    data = many()
    always, never = (replace(data, rewards=np.full(data.frames, reward, np.float32)) for reward in (1.0, 0.0))
    records, without = (
        driver_records(agent, paid, recorded_rewards(agent, paid), np.random.default_rng(0)) for paid in (always, never)
    )
    assert records.traits.shape == (2 * DRIVERS, TRAITS), "two halves of every driver's episodes"
    np.testing.assert_array_equal(records.driver, np.repeat(np.arange(DRIVERS), 2))
    np.testing.assert_array_equal(records.luck, 0.0)
    discount = agent.training_config.discount
    window = (1.0 - discount ** (LENGTH - 1)) / (1.0 - discount)
    np.testing.assert_allclose(records.earned - without.earned, window, rtol=1e-5)
    np.testing.assert_array_equal(records.value, without.value)
    np.testing.assert_array_less(0.0, without.earned)
    np.testing.assert_array_less(without.earned, records.value)


def test_only_drivers_whose_rewards_are_known_are_recorded(agent: DvfAgent) -> None:
    data = many()
    mask = np.array(data.reward_mask)
    mask[: EACH * LENGTH] = False
    partly = replace(data, reward_mask=mask)
    followed: list[int] = []

    def follow(drivers: np.ndarray) -> list[int]:
        followed.extend(drivers.tolist())
        return followed

    driver_records(agent, partly, recorded_rewards(agent, partly), np.random.default_rng(0), follow)
    assert followed == list(range(1, DRIVERS))


def test_few_drivers_are_refused(agent: DvfAgent) -> None:
    data = many(19)
    with pytest.raises(DatasetError, match=r"at least 20 drivers of two or more episodes .* found 19: record more"):
        driver_records(agent, data, recorded_rewards(agent, data), np.random.default_rng(0))


def test_an_agent_that_knows_drivers_by_index_is_refused() -> None:
    by_index, _ = train(dataset(), CONFIG)
    data = many()
    with pytest.raises(ConfigError, match="representation context"):
        driver_records(by_index, data, recorded_rewards(by_index, data), np.random.default_rng(0))
