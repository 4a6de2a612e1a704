"""What the inference thread may do to the controller: hand over a decision in time, and stop the robot; no more."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

from dvf_ros.control.brain import Brain, Command, Request
from dvf_ros.control.open_request import OpenRequest
from dvf_ros.control.pulse import Pulse
from dvf_ros.core.spec import RobotSpec
from dvf_ros.nodes.controller import Controller
from dvf_ros.nodes.controller_report import ControllerReport
from dvf_ros.nodes.inference import InferenceWorker

SPEC = RobotSpec.load("config/base_goto.yaml")
MS = 1_000_000
PERIOD = SPEC.period_ns


class Bare(Controller):
    """A controller without ROS, active and asked for a decision at 0 ms. It has no timers: to touch one is an error."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._active = True
        self._brain = Brain(SPEC, execute=1, max_reuse=0, gap=0.3)
        self._pulse = Pulse(0.3)
        self._pulse.beat(0)
        self._open = OpenRequest(0.7 / SPEC.rate)
        self._open.request = self.request = Request(PERIOD, SPEC.neutral_state, asked=0)
        self._release = MagicMock()
        self._report = MagicMock()
        self._deciding = MagicMock()
        self._last_command = Command(-1, np.zeros(0))
        self.parameters = SimpleNamespace(lockstep=False)  # type: ignore[assignment]
        self.log = MagicMock()
        self.time = 0

    def _now(self) -> int | None:
        return self.time

    def get_logger(self) -> Any:
        return self.log

    def get_clock(self) -> Any:
        return MagicMock(now=lambda: SimpleNamespace(nanoseconds=PERIOD))

    def offered(self) -> list[Command]:
        return [call.args[0] for call in self._release.offer.call_args_list]


def test_a_decision_is_handed_over_without_touching_a_timer() -> None:
    controller = Bare()
    controller._deliver(controller.request, RuntimeError("no"), 0.01)
    assert [command.stop_reason for command in controller.offered()] == ["the model failed: no"]


def test_a_late_decision_is_not_taken_though_the_executor_is_late_as_well() -> None:
    controller = Bare()
    controller.time = 70 * MS
    controller._deliver(controller.request, RuntimeError("no"), 0.07)
    assert controller.offered() == []
    controller._give_up()
    assert [command.stop_reason for command in controller.offered()] == ["no decision in time"]


def test_a_command_that_waited_while_the_machine_slept_is_not_sent() -> None:
    controller = Bare()
    controller._commands = MagicMock()
    controller._send(Command(PERIOD, np.zeros(2)))
    assert controller._commands.publish.call_count == 1
    controller.time = 10_000 * MS
    controller._send(Command(2 * PERIOD, np.zeros(2)))
    assert controller._commands.publish.call_count == 1


def test_an_error_after_the_decision_stops_the_robot_with_its_reason_and_the_thread_goes_on() -> None:
    controller, offered = Bare(), threading.Semaphore(0)
    failures = iter([ValueError("no such publisher"), ValueError("nor this one")])

    def offer(command: Command) -> None:
        offered.release()
        if (failure := next(failures, None)) is not None:
            raise failure

    controller._release.offer.side_effect = offer
    worker = InferenceWorker(
        lambda: None, MagicMock(side_effect=RuntimeError("no")), controller._deliver, controller._undelivered
    )
    worker.submit(controller.request)
    assert offered.acquire(timeout=5.0) and offered.acquire(timeout=5.0)
    stop = controller.offered()[-1]
    assert stop.stop_reason == "a decision could not be delivered: no such publisher" and stop.stamp == PERIOD
    controller._open.request = Request(2 * PERIOD, SPEC.neutral_state, asked=0)
    worker.submit(controller._open.request)
    assert offered.acquire(timeout=5.0), "though not even the stop went out before"
    worker.close()
    assert controller.offered()[-1].stop_reason == "the model failed: no"
    told = str(controller.log.error.call_args_list)
    assert "no such publisher" in told and "nor could the robot be stopped: nor this one" in told


def test_a_decision_that_ends_after_the_worker_was_closed_is_not_delivered() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def decide(request: Request) -> Any:
        begun.set()
        go_on.wait(5.0)

    deliver = MagicMock()
    worker = InferenceWorker(lambda: None, decide, deliver, MagicMock())
    worker.submit(Request(1, np.zeros(1)))
    assert begun.wait(5.0)
    worker.close(timeout=0.01)
    go_on.set()
    worker._thread.join(5.0)
    assert not deliver.called


def test_a_picture_that_cannot_be_published_costs_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    report = object.__new__(ControllerReport)
    report._node = MagicMock()
    monkeypatch.setattr(ControllerReport, "wanted", False)
    monkeypatch.setattr(ControllerReport, "publish_decision", MagicMock(side_effect=ValueError("destroyed")))
    report.show(Request(1, np.zeros(1)), MagicMock(), lambda request, decision: decision)
    assert "cannot be shown: destroyed" in report._node.get_logger().error.call_args.args[0]
