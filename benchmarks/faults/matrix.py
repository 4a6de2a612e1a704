"""The fault matrix: every way in which an input, time or the model goes wrong, and when the robot stands still."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.faults.rig import PERIOD, SPEC, SPEC_FILE, Robot, push, rig, start_moving
from dvf_ros.nodes.stop_log import SEPARATOR
from tests.nodes.harness import wait_for

TIMEOUT = 0.15
FROZEN_AFTER = 0.5
REASON_WITHIN = 1.5

# Fault -> what the reason on /diagnostics has to match.
SENSOR = {
    "joint_states silent": "nothing new on 'joint_states'",
    "carriage silent": "nothing new on 'carriage'",
    "one joint missing": "joint 'c' is not in the message",
    "wrong joint count": "expected 3 numbers, one a name, found 2",
    "header frozen": "nothing new on",
    "joints repeat": "repeats itself",
    "one joint repeats": "repeats itself: joint_position.c",
    "state NaN": "the state holds NaN or Inf",
    "state Inf": "the state holds NaN or Inf",
}
STAMPS = {"stamps +10 s": "ahead of the clock", "stamps -10 s": "too old: joint_states, carriage"}
# Stamps of the new time may arrive before the clock does: either says what is wrong.
CLOCK = {"clock +10 s": r"time jumped by \+|ahead of the clock", "clock -10 s": "time jumped by -"}
MODEL = {
    "action NaN": "actions or scores hold NaN or Inf",
    "action Inf": "actions or scores hold NaN or Inf",
    "score NaN": "actions or scores hold NaN or Inf",
    "score Inf": "actions or scores hold NaN or Inf",
    "action shape": "the agent's actions: expected",
    "model raises": "the model failed: spoiled on purpose",
    "model hangs": "no decision in time",
}
KINDS = (*SENSOR, *STAMPS, *CLOCK, *MODEL)


@dataclass(frozen=True)
class Trial:
    """What one fault led to; `stopped` and `told` in s since it began, `degrees` from the measured pose at resuming."""

    fault: str
    stopped: float
    bound: float
    told: float
    resumed_unasked: int
    unsafe: int
    degrees: float

    @property
    def passed(self) -> bool:
        """Whether every bar of the matrix holds."""
        return bool(
            self.stopped <= self.bound
            and self.told <= REASON_WITHIN
            and self.resumed_unasked == 0
            and self.unsafe == 0
            and self.degrees <= 1.0
        )


def run_matrix(checkpoint: Path, folder: Path, kinds: Sequence[str] = KINDS, repeats: int = 3) -> list[Trial]:
    """Each of `kinds` `repeats` times; the clock's jumps on a controller with simulated time."""
    trials = []
    for clock in (False, True):
        mine = [kind for kind in kinds if (kind in CLOCK) == clock]
        if not mine:
            continue
        with rig(folder / f"clock_{clock}", clock) as (processes, observer, robot):
            parameters = {"spec": SPEC_FILE, "checkpoint": checkpoint, "use_sim_time": clock}
            processes.start_module("benchmarks.faults.faulty_controller", *parameter_words(parameters))
            start_moving(observer, robot)
            for _ in range(repeats):
                for kind in mine:
                    trials.append(_trial(robot, kind))
                    print(f"{'ok  ' if trials[-1].passed else 'FAIL'} {asdict(trials[-1])}", flush=True)
    return trials


def _trial(robot: Robot, kind: str) -> Trial:
    wait_for(lambda: len(robot.moved_since(time.monotonic() - 0.5)) > 6, f"motion before: {kind}", timeout=20.0)
    word = {**SENSOR, **STAMPS, **CLOCK, **MODEL}[kind]
    del robot.sent[:-50]  # the last target is needed: a stop holds it
    robot.carriage[:] = 0
    began = _begin(robot, kind)
    bound = FROZEN_AFTER + 2 * PERIOD if "repeat" in kind else TIMEOUT + PERIOD

    # A jump of the clock is over as it happens: then it goes on from the measured state, which is no fault.
    lasting = kind not in CLOCK

    def told() -> float | None:
        says = _says_it_stands if lasting else _says_it_stopped
        return next((at for at, text in list(robot.reasons) if at > began and says(text, word, at - began)), None)

    try:
        said = wait_for(told, f"the reason '{word}'", timeout=3.0)
    except AssertionError:
        said = float("nan")
    time.sleep(max(0.0, began + bound + 0.3 - time.monotonic()) if lasting else 0.0)
    ended = time.monotonic()
    during = [item for item in robot.moved_since(began) if item.at < ended]
    stopped = _stopped(robot, began, lasting)
    resumed = sum(item.at > stopped for item in during) if lasting else 0
    if lasting:
        push(robot)
        time.sleep(2 * PERIOD)  # what was measured before the push is over: no hand is as quick as that
    since = time.monotonic()
    _end(robot, kind)
    wait_for(lambda: robot.moved_since(since), f"motion after: {kind}", timeout=20.0)
    first = wait_for(lambda: robot.first_target(stopped), f"a new target after: {kind}")
    robot.by_hand = False
    return Trial(kind, stopped - began, bound, said - began, resumed, robot.unsafe(), first.degrees)


def _says_it_stands(text: str, word: str, _: float) -> bool:
    return "stopped: " in text and re.search(word, text) is not None


def _says_it_stopped(text: str, word: str, within: float) -> bool:
    """Whether one of the last stops was for this reason, and no longer ago than `within` s."""
    _, _, stops = text.partition("last stops: ")
    found = (re.search(rf"({word}).* \(([\d.]+) s ago", stop) for stop in stops.split(SEPARATOR))
    return any(match and float(match[2]) < within + 0.1 for match in found)


def _begin(robot: Robot, kind: str) -> float:
    """Start the fault; returns since when (steady s) the controller could know."""
    began = time.monotonic()
    if kind in SENSOR:
        robot.fault = kind
        return robot.last_good if "silent" in kind else began
    if kind in STAMPS or kind in CLOCK:
        jump = 10.0 if "+" in kind else -10.0
        if kind in CLOCK:
            robot.clock_offset += jump
        else:
            robot.offset = jump
        return began
    told = len(robot.began)
    robot.ask(kind)
    wait_for(lambda: len(robot.began) > told, f"the model to fail: {kind}")
    return robot.began[-1]


def _end(robot: Robot, kind: str) -> None:
    robot.fault, robot.offset = "", 0.0
    if kind in MODEL:
        robot.ask("")


def _stopped(robot: Robot, began: float, lasting: bool) -> float:
    if lasting:
        return robot.stopped_at(began)
    stops = [item.at for item in list(robot.sent) if item.topic == "cmd_twist" and not item.values.any()]
    return next((at for at in stops if at > began), float("nan"))


def parameter_words(parameters: Mapping[str, object]) -> list[str]:
    """Command-line words that set parameters."""
    words = ["--ros-args"]
    for key, value in parameters.items():
        words += ["-p", f"{key}:={str(value).lower() if isinstance(value, bool) else value}"]
    return words


assert {source.max_age for source in SPEC.state} == {TIMEOUT}
