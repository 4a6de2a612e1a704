"""The controller's process dies, hangs, or is told to end, at full speed."""

from __future__ import annotations

import math
import signal
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from subprocess import Popen

from lifecycle_msgs.msg import Transition

from benchmarks.faults.matrix import parameter_words
from benchmarks.faults.rig import SPEC, SPEC_FILE, Robot, push, rig, start_moving, transition
from dvf_ros.control.gate import input_topic
from tests.nodes.harness import Observer, Processes, wait_for

FULL_SPEED = 0.5


@dataclass(frozen=True)
class Ending:
    """How one process ended: s until the robot stood, degrees of the first target after the restart, exit status."""

    signal: str
    stopped: float
    degrees: float = 0.0
    status: int = 0
    ended: float = 0.0


def gated_words(processes: Processes, checkpoint: Path) -> list[str]:
    """Start a gate; returns the command line of controllers behind it."""
    processes.start("command_gate", {"spec": SPEC_FILE})
    gated = [f"{source.topic}:={input_topic(source.topic)}" for source in SPEC.action]
    return [
        *parameter_words({"spec": SPEC_FILE, "checkpoint": checkpoint}),
        *(word for remapping in gated for word in ("-r", remapping)),
    ]


def run_deaths(checkpoint: Path, folder: Path, repeats: int) -> list[Ending]:
    """SIGKILL and SIGSTOP in turn, `repeats` of each; the gate has to stop the robot."""
    endings = []
    with rig(folder) as (processes, observer, robot):
        words = gated_words(processes, checkpoint)

        def make(number: int) -> tuple[str, Popen[bytes]]:
            name = f"controller_{number}"  # the next one waits while this one drives: importing torch takes seconds
            module = "benchmarks.faults.faulty_controller"
            return name, processes.start_module(module, *words, "-r", f"__node:={name}")

        name, process = make(0)
        for number in range(2 * repeats):
            del robot.sent[:-50]
            start_moving(observer, robot, name)
            robot.carriage[:] = 0  # far from the walls, which would slow it down
            wait_for(lambda: _at_full_speed(robot), "full speed", timeout=20.0)
            successor = make(number + 1)
            wait_for(partial(_is_there, observer, successor[0]), "the next controller", timeout=60.0)
            wait_for(lambda: _at_full_speed(robot), "full speed", timeout=20.0)
            kind = signal.SIGKILL if number % 2 == 0 else signal.SIGSTOP
            began = time.monotonic()
            process.send_signal(kind)
            try:
                # Longer than commands under way may take; the last of them counts.
                time.sleep(0.3)
                wait_for(partial(_has_stopped, robot, began), "a stop", timeout=2.0)
            except AssertionError as error:
                print(error)
            stopped = robot.stopped_at(began)
            process.kill()
            push(robot)
            name, process = successor
            start_moving(observer, robot, name)
            first = wait_for(partial(robot.first_target, stopped), "a new target")
            robot.by_hand = False
            endings.append(Ending(kind.name, stopped - began, first.degrees))
            print(asdict(endings[-1]), flush=True)
            # The loop's next turn configures this one: back to where it began.
            transition(observer, Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP, node=name)
        process.kill()
    return endings


def run_signals(checkpoint: Path, folder: Path, repeats: int) -> list[Ending]:
    """SIGTERM and SIGINT, also while the model hangs: a stop goes out and the process ends with status 0."""
    endings = []
    for number in range(2 * repeats):
        kind = signal.SIGTERM if number % 2 == 0 else signal.SIGINT
        with rig(folder / str(number)) as (processes, observer, robot):
            words = parameter_words({"spec": SPEC_FILE, "checkpoint": checkpoint})
            process = processes.start_module("benchmarks.faults.faulty_controller", *words)
            start_moving(observer, robot)
            if number // 2 % 2:
                robot.ask("model hangs")
                wait_for(partial(getattr, robot, "began"), "a model that hangs")
            began = time.monotonic()
            status = processes.end(process, kind, timeout=20.0)
            ended = time.monotonic() - began
            time.sleep(0.1)
            endings.append(Ending(kind.name, robot.stopped_at(began) - began, status=status, ended=ended))
            print(asdict(endings[-1]), flush=True)
    return endings


def _is_there(observer: Observer, node: str) -> bool:
    return node in observer.node.get_node_names()


def _has_stopped(robot: Robot, since: float) -> bool:
    return math.isfinite(robot.stopped_at(since))


def _at_full_speed(robot: Robot) -> bool:
    robot.ask("full speed")  # again and again: a controller that has just started may not have heard it
    last = next((item for item in reversed(robot.sent) if item.topic == "cmd_twist"), None)
    return last is not None and bool((last.values == FULL_SPEED).all())
