"""Values moved towards what was shown: by how much, how much doubt remains, and that it pays."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.learning.driver import driver_by_motion
from dvf_ros.learning.report.composite import Shown, chance_of, composite, mean_shown, shown_by
from dvf_ros.learning.report.values import value_states
from dvf_ros.learning.report.worth import Earned, Worth, settled
from dvf_ros.learning.training import train
from tests.learning.small import CONFIG, SPEC, dataset

numbers = st.floats(-100.0, 100.0)
deviations = st.floats(0.0, 10.0)


def one(*values: float) -> tuple[np.ndarray, ...]:
    return tuple(np.array([value]) for value in values)


def test_what_is_as_doubtful_as_chance_goes_half_of_the_way() -> None:
    # What was shown lies no further off than both variances let expect (4 = 2 + 2): nothing is added.
    value, deviation = composite(*one(1.0, math.sqrt(2.0), 2.0, 2.0), share=1.0)
    assert value == pytest.approx(2.0) and deviation == pytest.approx(1.0)


def test_what_the_model_does_not_count_is_seen_in_what_was_shown() -> None:
    # Four times as far as chance lets expect: 36 = 9 + 27.
    value, deviation = composite(*one(0.0, 0.0, 6.0, 9.0), share=1.0)
    assert value == pytest.approx(6.0 * 27.0 / 36.0) and deviation == pytest.approx(math.sqrt(0.75 * 9.0))


def test_what_lies_within_chance_moves_nothing_that_is_sure() -> None:
    value, deviation = composite(np.array([1.0, 2.0]), np.zeros(2), np.array([0.1, -0.1]), np.ones(2), share=1.0)
    assert value.tolist() == [1.0, 2.0] and deviation.tolist() == [0.0, 0.0]


def test_what_comes_after_the_episodes_stays_in_doubt() -> None:
    # Half of the value is shown, without any chance: half of the error's deviation is known, three quarters of its
    # variance are left.
    value, deviation = composite(*one(1.0, 2.0, 1.0, 0.0), share=0.5)
    assert value == pytest.approx(2.0) and deviation == pytest.approx(math.sqrt(0.75 * 4.0))


@given(st.lists(st.tuples(numbers, deviations, numbers, deviations), min_size=1, max_size=6), st.floats(0.01, 1.0))
def test_a_combined_value_lies_between_both_and_is_never_nan(
    rows: list[tuple[float, float, float, float]], share: float
) -> None:
    value, deviation, beyond, spread = np.array(rows).T
    found, doubt = composite(value, deviation, beyond, spread**2, share)
    ends = np.sort([value, value + beyond], axis=0)
    assert np.all(ends[0] - 1e-9 <= found) and np.all(found <= ends[1] + 1e-9)
    assert np.all(np.isfinite(doubt)) and np.all(doubt >= 0.0)


def test_it_is_nearer_than_either_and_knows_how_near() -> None:
    rng = np.random.default_rng(0)
    drivers = 4000
    truth = rng.normal(5.0, 3.0, drivers)
    bias, own, chance = 1.5, rng.uniform(0.2, 1.0, drivers), rng.uniform(0.2, 4.0, drivers)
    value = truth + rng.normal(scale=np.hypot(bias, own))
    earned = truth + rng.normal(scale=np.sqrt(chance))
    found, doubt = composite(value, own, earned - value, chance, share=1.0)
    best = np.mean(1.0 / (1.0 / chance + 1.0 / (bias**2 + own**2)))
    errors = {name: np.mean((says - truth) ** 2) for name, says in (("v", value), ("shown", earned), ("both", found))}
    assert errors["both"] == pytest.approx(best, rel=0.08)
    assert errors["both"] < 0.8 * min(errors["v"], errors["shown"])
    assert np.mean(((found - truth) / doubt) ** 2) == pytest.approx(1.0, abs=0.08)


def test_chance_is_that_of_all_controllers_by_their_episodes() -> None:
    shown = [Shown(3, 0.0, 0.0, 2.0), Shown(5, 0.0, 0.0, 5.0), Shown(1, 0.0, 0.0, math.nan)]
    assert chance_of(shown) == pytest.approx(np.array([4.0 / 3, 4.0 / 5, 4.0]))


def test_several_agents_speak_of_the_same_episodes() -> None:
    mean = mean_shown([Shown(3, 1.0, 2.0, 3.0), Shown(3, 3.0, 4.0, 5.0)])
    assert mean == Shown(3, 2.0, 3.0, 4.0) and isinstance(mean.episodes, int)


def test_episodes_say_what_the_reward_gives_on_their_states_and_v_what_comes_later() -> None:
    data = dataset()
    agent, _ = train(data, replace(CONFIG, training=replace(CONFIG.training, representation="context")))
    agent.set_reward(parse_expression("position.x > -1000", SPEC))
    earned, discount = Earned.by(agent, data), agent.training_config.discount
    assert earned.window == 19 and earned.share == pytest.approx(1.0 - discount**19)
    assert earned.returns == pytest.approx(np.full(8, earned.share / (1.0 - discount)))
    starts = data.states[data.episode_start]
    driver = driver_by_motion(agent, [data.states[data.frames_of(0)]])
    shown = shown_by(agent, starts, earned.returns, earned.window, driver, np.random.default_rng(0))
    found = value_states(agent, starts, np.random.default_rng(0), earned.window, driver)
    later = (found.value - found.within).mean()
    assert shown.episodes == 8 and shown.earned == pytest.approx(earned.returns.mean() + later)
    luckier = shown_by(agent, starts, earned.returns + 3.0, earned.window, driver, np.random.default_rng(0))
    assert luckier.earned == pytest.approx(shown.earned + 3.0) and luckier.beyond == pytest.approx(shown.beyond + 3.0)
    assert math.isnan(
        shown_by(agent, starts[:1], earned.returns[:1], earned.window, driver, np.random.default_rng(0)).scatter
    )


def test_the_learned_reward_is_asked_not_the_labels() -> None:
    data = dataset()
    agent, _ = train(data, CONFIG)
    unlabelled = replace(
        data, reward_mask=np.zeros(data.frames, bool), rewards=np.full(data.frames, np.nan, np.float32)
    )
    assert Earned.by(agent, unlabelled).returns.tolist() == Earned.by(agent, data).returns.tolist()


def test_a_correction_is_moved_by_what_was_earned_beyond_it() -> None:
    plain = Worth("a", "motion", (1.0, 1.0), (), None, Shown(9, 4.0, 3.0, 1.0))
    corrected = replace(plain, controller="b", corrected=(4.0, 1.0))
    first, second = settled([plain, corrected], share=1.0)
    assert first.combined and 3.0 < first.combined[0] < 4.0 and first.best == first.combined
    assert second.combined and second.combined[0] == pytest.approx(4.0), "it said so before"


def test_without_chance_known_nothing_is_combined() -> None:
    lone = Worth("a", "motion", (1.0, 1.0), (), None, Shown(1, 4.0, 3.0, math.nan))
    hidden = replace(lone, controller="b", shown=None)
    assert settled([lone, hidden], share=1.0) == [lone, hidden]
    assert lone.best == lone.value
    several = replace(lone, shown=Shown(2, 4.0, 3.0, 1.0))
    found = settled([hidden, several, lone], share=1.0)
    assert found[0] == hidden and found[1].combined and found[2].combined, "one episode, by the others' chance"


def test_each_state_is_valued_by_futures_of_its_own_and_the_same_ones_whoever_drives() -> None:
    agent, _ = train(dataset(), CONFIG)
    states = np.repeat(dataset().states[:1], 32, axis=0)
    found = value_states(agent, states, np.random.default_rng(0), 19)
    assert len(np.unique(found.value)) > 16, "a mean over states averages the noise"
    again = value_states(agent, states, np.random.default_rng(0), 19)
    np.testing.assert_array_equal(found.value, again.value)
    apart = found.value.std(ddof=1)
    assert 0.1 < apart / found.error.mean() < 1.3, "and the errors say how large it is at most: offsets are stratified"
