"""The robot is stopped, moved by hand, and let go again: from where does it go on?"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from subprocess import Popen

from std_srvs.srv import SetBool, Trigger

from benchmarks.faults.processes import gated_words
from benchmarks.faults.rig import Robot, Sent, push, rig, start_moving
from dvf_ros.control.safety_filter import FIRST_TARGETS
from tests.nodes.harness import Observer, wait_for

REPEATS_S = 0.7
"""Until then the gate, and a controller that knows of the stop, have said it again for the last time."""


A_PERIOD_DEGREES = 3.0
"""Where the first target that moves a joint may lie: 1 rad/s, the rig's `max_rate`, is 2.86° in a period, and some."""


@dataclass(frozen=True)
class Resumption:
    """What stopped the robot, and how far (degrees) targets afterwards lay from where it was measured.

    The first FIRST_TARGETS say where it is, and hold it there; the one after them is the first that moves it.
    """

    after: str
    degrees: float
    moving_degrees: float


@contextmanager
def _halted(process: Popen[bytes], observer: Observer) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    yield
    process.send_signal(signal.SIGCONT)


@contextmanager
def _estopped(process: Popen[bytes], observer: Observer) -> Iterator[None]:
    assert observer.call(Trigger, "command_gate/estop", Trigger.Request()).success
    yield
    answer = observer.call(Trigger, "command_gate/release", Trigger.Request())
    assert answer.success, answer.message


@contextmanager
def _paused_and_estopped(process: Popen[bytes], observer: Observer) -> Iterator[None]:
    assert observer.call(SetBool, "controller/pause", SetBool.Request(data=True)).success
    with _estopped(process, observer):
        yield
    time.sleep(REPEATS_S)  # a controller that is only paused, behind a gate that is open again
    assert observer.call(SetBool, "controller/pause", SetBool.Request(data=False)).success


GATE_HALTED = "SIGSTOP of the gate"

STOPS: dict[str, Callable[[Popen[bytes], Observer], object]] = {
    "SIGSTOP": _halted,
    GATE_HALTED: _halted,
    "e-stop": _estopped,
    "pause and e-stop": _paused_and_estopped,
}


def run_resumes(checkpoint: Path, folder: Path, repeats: int) -> list[Resumption]:
    """Each of STOPS in turn, `repeats` times, behind the gate."""
    found = []
    with rig(folder) as (processes, observer, robot):
        process = processes.start_module("benchmarks.faults.faulty_controller", *gated_words(processes, checkpoint))
        start_moving(observer, robot)
        for number in range(len(STOPS) * repeats):
            name = list(STOPS)[number % len(STOPS)]
            wait_for(robot.moving, "motion")
            stopped = processes.named("command_gate") if name == GATE_HALTED else process
            with STOPS[name](stopped, observer):  # type: ignore[attr-defined]
                time.sleep(REPEATS_S)
                push(robot)
                time.sleep(REPEATS_S)
                released = time.monotonic()
            targets = wait_for(partial(_first_targets, robot, released), "targets after the stop")
            *holding, moving = (target.degrees for target in targets)
            found.append(Resumption(name, max(holding), moving))
            robot.by_hand = False
            print(asdict(found[-1]), flush=True)
    return found


def _first_targets(robot: Robot, since: float) -> list[Sent]:
    sent = [item for item in list(robot.sent) if item.topic == "joint_target" and item.at > since]
    return sent[: FIRST_TARGETS + 1] if len(sent) > FIRST_TARGETS else []
