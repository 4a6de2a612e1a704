"""Samples at ticks depend on which messages came, not on the order in which topics arrived."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvf_ros.core.alignment import Aligner, TickGrid
from dvf_ros.core.spec import Field, Source

MS = 1_000_000
SOURCES = (
    Source("a", "p/msg/T", (Field("x", "x"),), max_age=0.1),
    Source("b", "p/msg/T", (Field("y", "y", "array", size=2),), max_age=0.2),
)
messages = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 400 * MS), st.integers(0, 100)), max_size=40)


def push(aligner: Aligner, topic: str, stamp: int, value: float) -> None:
    aligner.push(topic, stamp, np.full(1 if topic == "a" else 2, float(value)))


def test_the_newest_value_not_after_the_tick() -> None:
    aligner = Aligner(SOURCES)
    for topic, stamp, value in (("a", 10, 1), ("b", 15, 2), ("a", 20, 3), ("b", 30, 4)):
        push(aligner, topic, stamp, value)
    assert aligner.sample(20).values.tolist() == [3, 2, 2]
    assert aligner.sample(19).values.tolist() == [1, 2, 2]
    assert aligner.sample(30).valid
    assert aligner.watermark == 20


def test_missing_and_stale_are_named() -> None:
    aligner = Aligner(SOURCES)
    push(aligner, "a", 0, 1)
    sample = aligner.sample(50 * MS)
    assert not sample.valid and sample.missing == ("b",)
    assert np.isnan(sample.values[1:]).all() and sample.ages == (pytest.approx(0.05), np.inf)
    assert aligner.watermark is None
    push(aligner, "b", 0, 2)
    assert aligner.sample(100 * MS).valid
    late = aligner.sample(150 * MS)
    assert (late.stale, late.missing, late.problem) == (("a",), (), "too old: a")


@given(messages, st.randoms())
def test_arrival_order_across_topics_does_not_matter(pushed: list, random: object) -> None:
    in_order, shuffled = Aligner(SOURCES), Aligner(SOURCES)
    for message in pushed:
        push(in_order, *message)
    # Shuffle across topics, keep each topic's own order.
    queues = {topic: [m for m in pushed if m[0] == topic] for topic in "ab"}
    while any(queues.values()):
        topic = random.choice([t for t, q in queues.items() if q])  # type: ignore[attr-defined]
        push(shuffled, *queues[topic].pop(0))
    assert in_order.watermark == shuffled.watermark
    for tick in range(0, 500 * MS, 25 * MS):
        one, two = in_order.sample(tick), shuffled.sample(tick)
        assert one.values.tobytes() == two.values.tobytes()
        assert (one.ages, one.missing, one.stale) == (two.ages, two.missing, two.stale)


@given(messages)
def test_a_sample_is_what_a_search_by_hand_finds(pushed: list) -> None:
    aligner = Aligner(SOURCES)
    for message in pushed:
        push(aligner, *message)
    for tick in range(0, 500 * MS, 50 * MS):
        sample = aligner.sample(tick)
        for topic, start, limit in (("a", 0, 0.1), ("b", 1, 0.2)):
            held = {stamp: value for name, stamp, value in pushed if name == topic and stamp <= tick}
            if not held:
                assert topic in sample.missing
                continue
            assert sample.values[start] == held[max(held)]
            assert (topic in sample.stale) == ((tick - max(held)) * 1e-9 > limit)


def test_only_a_large_step_back_begins_a_new_epoch() -> None:
    aligner = Aligner(SOURCES)
    push(aligner, "a", 1000 * MS, 1)
    push(aligner, "b", 1000 * MS, 1)
    assert not aligner.jumps_back("a", 600 * MS)
    push(aligner, "a", 600 * MS, 2)
    assert aligner.epoch == 0 and aligner.sample(1000 * MS).values[0] == 1
    assert aligner.jumps_back("a", 400 * MS)
    push(aligner, "a", 400 * MS, 3)
    assert aligner.epoch == 1 and aligner.sample(2000 * MS).missing == ("b",)


def test_long_histories_keep_the_newest() -> None:
    aligner = Aligner(SOURCES[:1])
    for k in range(5000):
        push(aligner, "a", k * MS, k)
    assert aligner.sample(4999 * MS).values[0] == 4999
    assert aligner.sample(4600 * MS).values[0] == 4600


def test_ticks_come_once_each_and_evenly() -> None:
    grid = TickGrid(period=10, gap=100)
    assert list(grid.due(None)) == []
    assert list(grid.due(7)) == [7]
    assert list(grid.due(7)) == []
    assert list(grid.due(36)) == [17, 27]
    assert list(grid.due(37)) == [37]
    assert list(grid.due(300)) == [300]
    assert list(grid.due(320)) == [310, 320]
    grid.restart()
    assert list(grid.due(5)) == [5]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=50))
def test_how_the_watermark_advances_does_not_change_the_ticks(steps: list[int]) -> None:
    marks = np.cumsum([1000, *steps]).tolist()
    grid = TickGrid(period=10, gap=1000)
    ticks = [tick for mark in marks for tick in grid.due(mark)]
    assert ticks == list(range(1000, marks[-1] + 1, 10))


def test_a_fast_source_beside_one_that_lags_keeps_what_is_waited_for() -> None:
    aligner = Aligner(SOURCES)
    for k in range(4000):
        push(aligner, "a", k * MS, k)
        if k >= 1200 and k % 50 == 0:
            push(aligner, "b", (k - 1200) * MS, k)
            tick = aligner.watermark
            assert tick is not None and aligner.sample(tick).values[0] == k - 1200


def test_what_nobody_waits_for_is_forgotten() -> None:
    aligner = Aligner(SOURCES[:1], reach=1.0)
    for k in range(20_000):
        push(aligner, "a", k * MS, k)
    assert aligner.sample(17_000 * MS).values[0] == 17_000, "reach and what stamps may lie behind"
    assert aligner.sample(10_000 * MS).missing == ("a",)


def test_the_data_ends_where_a_value_is_due_that_does_not_come() -> None:
    aligner = Aligner(SOURCES)
    assert aligner.end is None
    for k in range(10):
        push(aligner, "a", 50 * k * MS, k)
    push(aligner, "b", 0, 1)
    assert aligner.end == 0, "of one value nobody knows when the next is due"
    push(aligner, "b", 400 * MS, 1)
    assert aligner.end == 450 * MS, "slow b is due at 800"
    push(aligner, "b", 440 * MS, 1)
    assert aligner.end == 450 * MS
    push(aligner, "a", 500 * MS, 1)
    assert aligner.end == 480 * MS - 1, "b was due, and nobody knows what it would have said"
