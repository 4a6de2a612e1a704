"""Pairs (s_t, s_{t+Δ}): offsets follow the closed form, and no pair leaves its episode."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset, DatasetError, Episode
from dvf_ros.data.pairs import CutOffLengths, PairSampler, Ranks, draw_offsets

SPEC = RobotSpec.parse(
    "robot: r\ntask: t\nrate: 10\n"
    "state:\n- {topic: s, type: p/msg/T, fields: [{name: x, path: x}]}\n"
    "action:\n- {topic: a, type: p/msg/T, fields: [{name: u, path: u}]}"
)


def dataset(*episodes: tuple[int, bool]) -> Dataset:
    """Episodes of (length, terminated); a state is 1000·episode + frame."""
    made = []
    for number, (length, terminated) in enumerate(episodes):
        made.append(
            Episode(
                states=1000 * number + np.arange(length, dtype=np.float32)[:, None],
                actions=np.zeros((length, 1), np.float32),
                action_mask=np.zeros(length, bool),
                rewards=np.zeros(length, np.float32),
                reward_mask=np.zeros(length, bool),
                stamps=np.arange(length),
                behavior=f"b{number % 2}",
                terminated=terminated,
                truncated=not terminated,
            )
        )
    return Dataset.from_episodes(SPEC, made)


@pytest.mark.parametrize("discount", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("longest", [1, 5, 60, np.inf])
def test_offsets_follow_the_truncated_geometric(discount: float, longest: float) -> None:
    n = 200_000
    offsets = draw_offsets(np.random.default_rng(0), np.full(n, longest), discount)
    assert offsets.min() >= 1 and offsets.max() <= longest
    last = int(min(longest, 1000))
    mass = (1 - discount) * discount ** np.arange(last)
    mass /= mass.sum()
    # Bins with fewer than ten expected go together into one.
    large = mass * n >= 10
    found = np.bincount(np.minimum(offsets, last), minlength=last + 1)[1:]
    expected = np.append(mass[large] * n, max(n - (mass[large] * n).sum(), 0))
    counts = np.append(found[large], n - found[large].sum())
    keep = expected > 1e-6
    if keep.sum() > 1:
        assert chisquare(counts[keep], expected[keep] * counts[keep].sum() / expected[keep].sum()).pvalue > 1e-4


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=8),
    st.floats(0.05, 0.995),
    st.integers(0, 2**31),
)
def test_no_pair_leaves_its_episode(episodes: list[tuple[int, bool]], discount: float, seed: int) -> None:
    data = dataset(*episodes)
    if all(length == 1 and not terminated for length, terminated in episodes):
        with pytest.raises(DatasetError, match="no pair"):
            PairSampler(data, discount)
        return
    pairs = PairSampler(data, discount).draw(np.random.default_rng(seed), 300)
    now, then = data.states[pairs.index, 0], data.states[pairs.future, 0]
    assert np.all(now // 1000 == then // 1000)
    episode = (now // 1000).astype(int)
    assert np.all(pairs.behavior == data.behavior[episode])
    terminated = data.terminated[episode]
    assert np.all(pairs.offset >= 1)
    exact = ~terminated
    assert np.all((then - now)[exact] == pairs.offset[exact]) and not pairs.absorbed[exact].any()
    left = data.episode_length[episode] - 1 - now % 1000
    np.testing.assert_array_equal(pairs.absorbed, terminated & (pairs.offset >= left))
    np.testing.assert_array_equal((then - now)[terminated], np.minimum(pairs.offset, left)[terminated])


def test_every_frame_with_a_future_is_drawn_equally() -> None:
    data = dataset((4, False), (3, True), (1, False), (2, False))
    pairs = PairSampler(data, 0.9).draw(np.random.default_rng(0), 70_000)
    counts = np.bincount(pairs.index, minlength=10)
    # The last frame of a cut-off episode has no future; of a terminated one it has: itself.
    assert np.flatnonzero(counts).tolist() == [0, 1, 2, 4, 5, 6, 8]
    assert chisquare(counts[counts > 0]).pvalue > 1e-4


def test_the_absorbing_state_has_the_mass_that_is_left() -> None:
    data = dataset((4, True))
    pairs = PairSampler(data, 0.8).draw(np.random.default_rng(1), 100_000)
    for frame, left in ((0, 3), (1, 2), (2, 1), (3, 0)):
        absorbed = pairs.absorbed[pairs.index == frame]
        # P(Δ >= L) = γ^(L−1); a frame that is the last itself is absorbed at once.
        assert absorbed.mean() == pytest.approx(0.8 ** max(left - 1, 0), abs=0.01)


@pytest.mark.parametrize("discount", [0.0, 1.0, -1, 2])
def test_a_discount_must_lie_between(discount: float) -> None:
    with pytest.raises(ValueError, match="discount in"):
        PairSampler(dataset((3, False)), discount)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.booleans(), st.integers(0, 2**32))
def test_the_guide_table_gives_what_a_search_gives(widths: list[int], shares: bool, seed: int) -> None:
    edges = np.cumsum([0, *widths])
    values = np.random.default_rng(seed).integers(0, edges[-1] + 2, 200)
    values = np.concatenate([values, edges])
    if shares:  # of one, as probabilities are
        edges, values = edges / max(edges[-1], 1), values / max(edges[-1], 1)
    assert np.array_equal(Ranks(edges).of(values), np.searchsorted(edges, values, side="right"))


def test_cut_off_lengths_are_estimated_in_spite_of_terminations() -> None:
    # Truth: cut off at 10 or 30 frames with equal chance; a termination, independent of it, hides some of that.
    rng = np.random.default_rng(0)
    limit = rng.choice([10, 30], 40_000)
    end = rng.geometric(0.08, 40_000)
    terminated = end <= limit
    lengths = CutOffLengths(np.minimum(end, limit), terminated)
    drawn = lengths.draw(rng, lengths.below(np.zeros(20_000)))
    assert set(np.unique(drawn)) == {10, 30}
    # Counted naively, 10 would come out far too often: most long episodes terminate first.
    assert np.mean(limit[~terminated] == 10) > 0.75
    assert np.mean(drawn == 10) == pytest.approx(0.5, abs=0.02)


def test_a_length_is_never_below_what_was_reached() -> None:
    lengths = CutOffLengths(np.array([5, 8, 8, 20]), np.array([False, True, False, True]))
    drawn = lengths.draw(np.random.default_rng(0), lengths.below(np.full(1000, 6)))
    assert set(np.unique(drawn)) <= {8, np.inf}


def test_without_time_outs_nothing_is_cut_off() -> None:
    lengths = CutOffLengths(np.array([5, 8]), np.array([True, True]))
    assert np.isinf(lengths.draw(np.random.default_rng(0), lengths.below(np.array([5, 8])))).all()


def test_given_an_offset_the_future_does_not_depend_on_how_episodes_are_cut() -> None:
    """Half of the walks terminate at step 2, half go on to a cut-off at step 6: from Δ = 2 on, half are absorbed."""
    data = dataset(*([(3, True), (7, False)] * 50))
    pairs = PairSampler(data, 0.9).draw(np.random.default_rng(0), 200_000)
    start = pairs.index == data.episode_start[np.searchsorted(data.episode_start, pairs.index, "right") - 1]
    for offset, share in ((2, 0.5), (3, 0.5), (6, 0.5)):
        chosen = start & (pairs.offset == offset)
        assert np.mean(pairs.absorbed[chosen]) == pytest.approx(share, abs=0.02)
    assert pairs.offset[start].max() == 6


def test_hops_have_offsets_of_any_length_and_say_what_the_log_does_not_show() -> None:
    """Of the cut-off episode 0 as far as it goes; of the terminated episode 1 everything."""
    hops = PairSampler(dataset((8, False), (8, True)), 0.9).draw_hops(np.random.default_rng(0), 50_000)
    for offset in (1, 5, 20):
        assert np.mean(hops.offset >= offset) == pytest.approx(0.9 ** (offset - 1), abs=0.01)
    cut = hops.index < 8
    beyond = hops.index + hops.offset > 7
    assert (hops.remaining[cut & beyond] > 0).all() and not hops.remaining[~cut | ~beyond].any()
    reached = hops.landed + hops.remaining
    np.testing.assert_array_equal(reached[cut], (hops.index + hops.offset)[cut])
    np.testing.assert_array_equal(hops.landed[~cut & beyond & (hops.index + hops.offset > 15)], 15)
    np.testing.assert_array_equal(hops.landed[cut & beyond], 7)
