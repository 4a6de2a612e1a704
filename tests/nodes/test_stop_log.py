"""The log of stops: every kind of reason is still there when somebody looks once a second."""

from __future__ import annotations

from dvf_ros.nodes.stop_log import KINDS, StopLog


def test_a_reason_outlives_those_that_come_after_it() -> None:
    log = StopLog()
    log.note("time jumped by +10.00 s", 100.0)
    log.note("", 100.1)
    for i in range(20):  # a model that is late again and again
        log.note("no decision in time", 100.2 + i / 10)
        log.note("", 100.25 + i / 10)
    assert log.text(102.2) == "no decision in time (0.1 s ago, 20 times) | time jumped by +10.00 s (2.2 s ago)"


def test_what_else_goes_wrong_during_a_stop_is_kept_and_one_that_goes_on_is_one() -> None:
    log = StopLog()
    log.note("no decision in time", 1.0)
    log.note("time jumped by -10.00 s", 1.1)
    for i in range(10):
        log.note(f"nothing new on 'imu' for 0.{i} s", 1.2 + i / 10)
    expected = [
        "nothing new on 'imu' for 0.0 s (1.8 s ago)",
        "time jumped by -10.00 s (1.9 s ago)",
        "no decision in time (2.0 s ago)",
    ]
    assert log.text(3.0) == " | ".join(expected)


def test_the_directions_of_a_jump_are_two_kinds_and_the_oldest_kinds_are_forgotten() -> None:
    log = StopLog()
    log.note("time jumped by +1.0 s", 1.0)
    log.note("time jumped by -1.0 s", 2.0)
    assert log.text(2.0).count("time jumped") == 2
    for name in "abcdefgh"[:KINDS]:
        log.note(name, 3.0)
    assert "time jumped" not in log.text(3.0) and "a (0.0 s ago)" in log.text(3.0)
