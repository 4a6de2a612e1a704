"""Running a node: it ends when told to or when done, and running for long costs no memory."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rclpy.node import Node
from rclpy.task import Future

from dvf_ros.nodes.runtime import run
from tests.nodes.harness import own_domain

pytestmark = pytest.mark.ros


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with own_domain() as domain:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
        yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


class Busy(Node):
    """Turns a thousand times and is done; says how many objects there were early and late."""

    def __init__(self) -> None:
        super().__init__("busy")
        self.done = Future()
        self.turns = 0
        self.objects: list[int] = []
        self.closed = False
        self.create_timer(0.0005, self._turn)

    def _turn(self) -> None:
        self.turns += 1
        if self.turns in (200, 1200):
            gc.collect()
            self.objects.append(len(gc.get_objects()))
        if self.turns == 1200:
            self.done.set_result(3)

    def close(self) -> None:
        self.closed = True


def test_turning_leaves_nothing_behind() -> None:
    nodes = []
    status = run(lambda: nodes.append(Busy()) or nodes[0])
    assert status == 3 and nodes[0].closed
    early, late = nodes[0].objects
    assert late - early < 200  # a thousand turns; one object a turn would be a leak


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_with_status_0(number: signal.Signals) -> None:
    threading.Timer(0.5, os.kill, (os.getpid(), number)).start()
    assert run(lambda: Node("idle")) == 0


def test_an_end_from_another_thread_wakes_the_executor() -> None:
    node_done = Future()

    class Waiting(Node):
        done = node_done

    threading.Timer(0.3, node_done.set_result, (0,)).start()
    assert run(lambda: Waiting("waiting")) == 0


def test_what_a_user_can_mend_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    def make() -> Node:
        raise ValueError("expected this, found that")

    assert run(make) == 1
    assert capsys.readouterr().err == "ValueError: expected this, found that\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--log-level", "loud"), "Couldn't parse log level: '--log-level loud'"),
        (
            ("--params-file", "flat.yaml"),
            "'--params-file flat.yaml'. Error: Cannot have a value before ros__parameters",
        ),
        (("--params-file", "nope.yaml"), "'--params-file nope.yaml'. Error: Error opening YAML file"),
        (("-r", "__node:=a-b"), "Couldn't parse remap rule: '-r __node:=a-b'"),
        (("--loud",), "UnknownROSArgsError: ['--loud']"),
    ],
)
def test_ros_arguments_that_cannot_be_read_are_told_in_a_line(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("flat.yaml").write_text("deadline: 0.15\n")
    monkeypatch.setattr(sys, "argv", ["node", "--ros-args", *words])
    assert run(lambda: Node("never_made")) == 1
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1 and ".c:" not in told
