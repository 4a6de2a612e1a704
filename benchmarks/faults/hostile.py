"""Specs, parameters and messages that nobody would write on purpose (hypothesis): no crash, no motion, a reason."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
import yaml
from builtin_interfaces.msg import Time as Stamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lifecycle_msgs.msg import Transition
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState

from benchmarks.faults.matrix import parameter_words
from benchmarks.faults.rig import JOINTS, SPEC_FILE, rig, transition
from dvf_ros.control.safety_filter import SafetyFilter
from dvf_ros.control.watch import InputWatch
from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.spec import RobotSpec
from dvf_ros.msg import ControllerStatus
from dvf_ros.nodes.controller_parameters import ControllerParameters
from tests.nodes.harness import wait_for

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def run_specs(examples: int) -> tuple[int, int]:
    """Texts, valid specs with something replaced, and valid ones of other numbers.

    Returns how many were refused with a reason, and how many were taken and are able to stop; raises otherwise.
    """
    refused = taken = 0

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.text() | ANYTHING.map(yaml.safe_dump) | st.builds(_spoil, st.data()) | st.builds(_retuned, st.data()))
    def every_spec_is_usable_or_refused(text: str) -> None:
        nonlocal refused, taken
        try:
            spec = RobotSpec.parse(text)
        except ConfigError as error:
            refused += 1
            assert len(str(error)) > 10
            return
        stop = SafetyFilter(spec).stop()  # what can be loaded can stop
        assert len(stop) == spec.action_size
        InputWatch(spec.state)
        taken += 1

    every_spec_is_usable_or_refused()
    return refused, taken


def _spoil(data: Any) -> str:
    """The rig's spec with one value, somewhere, replaced by anything."""
    spoiled = yaml.safe_load(SPEC_FILE.read_text())
    place = spoiled
    while True:
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(ANYTHING)
        return str(yaml.safe_dump(spoiled))


def _retuned(data: Any) -> str:
    """The rig's spec at another rate, with limits that are up to a thousand times as wide or as narrow."""
    retuned = yaml.safe_load(SPEC_FILE.read_text())
    retuned["rate"] = data.draw(st.floats(0.1, 1000.0))
    for topic in retuned["action"]:
        for field in topic["fields"]:
            scale = 10.0 ** data.draw(st.floats(-3.0, 3.0))
            for key in {"lower", "upper", "max_rate"} & field.keys():
                field[key] = (scale * np.array(field[key])).tolist()
    return str(yaml.safe_dump(retuned))


VALUES = (
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=8) | st.lists(st.integers(0, 9))
)


def run_parameters(examples: int) -> int:
    """Parameters of any type and value; returns how many sets were refused with a reason, raises otherwise."""
    refused = 0
    context = rclpy.Context()
    rclpy.init(context=context, args=[])
    probe = Node("probe", context=context, start_parameter_services=False)
    ControllerParameters.declare(probe)
    names = [name for name in probe._parameters if name in ControllerParameters.__dataclass_fields__]
    probe.destroy_node()
    misspelt = {f"{name}s" for name in names} - set(names)

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(st.sampled_from([*names, *misspelt]), VALUES, min_size=1, max_size=4))
    def every_set_is_usable_or_refused(values: dict[str, Any]) -> None:
        nonlocal refused
        try:
            overrides = [Parameter(name, value=value) for name, value in values.items()]
        except (TypeError, ValueError):
            return  # not a parameter at all
        node = Node("hostile", context=context, parameter_overrides=overrides, start_parameter_services=False)
        try:
            found = ControllerParameters.declare(node)
        except (ValueError, InvalidParameterTypeException, InvalidParameterValueException) as error:
            refused += 1
            assert any(name in str(error) for name in values), error
            return
        finally:
            node.destroy_node()
        assert misspelt.isdisjoint(values)
        assert 0.05 <= found.deadline <= 1 and 0 <= found.seed < 2**31 and found.tick_on in ("timer", "state")

    every_set_is_usable_or_refused()
    rclpy.shutdown(context=context)
    return refused


@st.composite
def hostile_states(draw: Any) -> JointState:
    """A JointState that must not move the robot: of other joints, not finite, of another count or of another time."""
    message = JointState(name=list(JOINTS), position=[0.1, 0.2, 0.3])
    seconds = int(time.time())
    message.header.stamp = Stamp(sec=seconds, nanosec=int(time.time() % 1 * 1e9))
    floats = st.floats(allow_nan=True, allow_infinity=True)
    match draw(st.sampled_from(("names", "count", "finite", "stamp"))):
        case "names":
            message.name = draw(st.lists(st.text(max_size=8).filter(lambda name: name != "a"), max_size=5))
            message.position = draw(st.lists(floats, max_size=5))
        case "count":
            message.position = draw(st.lists(floats, max_size=8).filter(lambda values: len(values) != 3))
        case "finite":
            bad = draw(st.sampled_from([math.nan, math.inf, -math.inf, 1e300]))
            message.position[draw(st.integers(0, 2))] = bad
        case "stamp":
            far = st.integers(-(2**31), 2**31 - 1).filter(lambda sec: abs(sec - seconds) > 100)
            message.header.stamp = Stamp(sec=draw(far), nanosec=draw(st.integers(0, 2**32 - 1)))
    return message


def run_messages(checkpoint: Path, folder: Path, examples: int) -> int:
    """Hostile states to a real controller while all else is well; returns how many commands it stopped with."""
    with rig(folder) as (processes, observer, robot):
        statuses = observer.collect(ControllerStatus, "controller/status", 10)
        words = parameter_words({"spec": SPEC_FILE, "checkpoint": checkpoint})
        process = processes.start_module("benchmarks.faults.faulty_controller", *words)
        robot.fault = "joint_states silent"
        publisher = observer.node.create_publisher(JointState, "joint_states", 10)
        transition(observer, Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
        wait_for(lambda: robot.sent and statuses, "a first stop")

        @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(hostile_states())
        def no_message_moves_it(message: JointState) -> None:
            heard = len(robot.sent)
            publisher.publish(message)
            wait_for(lambda: len(robot.sent) > heard, "the next command", timeout=5.0)
            assert process.poll() is None, f"the controller died of {message}"
            assert not robot.moved_since(0.0), f"it moved at {message}"
            assert statuses[-1].reason

        no_message_moves_it()
        stops = len(robot.sent)
        assert robot.unsafe() == 0
        robot.fault = ""
        wait_for(robot.moving, "motion once the states are good", timeout=20.0)
        return stops
