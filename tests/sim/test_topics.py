"""The simulation seen through a spec: what the topics say is what the state vector holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dvf_ros.core.spec import RobotSpec
from dvf_ros.sim.observation import Command, Observation
from dvf_ros.sim.topics import SpecView

CONFIG = Path(__file__).parents[2] / "config"
SPEC = RobotSpec.load(CONFIG / "panda_lift.yaml")
NAMES = tuple([f"panda_joint{i}" for i in range(1, 8)] + ["panda_finger_joint1", "panda_finger_joint2"])


def unit(numbers: np.ndarray) -> np.ndarray:
    return numbers / np.linalg.norm(numbers)


def observation(rng: np.random.Generator) -> Observation:
    return Observation(
        joint_names=NAMES,
        joint_position=rng.random(9),
        joint_velocity=rng.random(9),
        eef_position=rng.random(3),
        eef_orientation=unit(rng.random(4)),
        objects={"cube": np.concatenate([rng.random(3), unit(rng.random(4))])},
        reward=0.0,
        success=False,
    )


def test_values_are_those_of_the_observation() -> None:
    seen = observation(np.random.default_rng(0))
    values = SpecView(SPEC).values(seen)
    expected = [
        seen.joint_position[:7],
        seen.joint_velocity[:7],
        seen.joint_position[7:],
        seen.eef_position,
        seen.eef_orientation,
    ]
    vector = np.concatenate([values[source.topic] for source in SPEC.state])
    assert (vector == np.concatenate([*expected, seen.objects["cube"]])).all()
    assert (SpecView(SPEC).state(seen) == vector.astype(np.float32)).all()


def test_an_action_becomes_the_command_it_means() -> None:
    command = SpecView(SPEC).command(np.array([0.1, -0.2, 0.3, 0.5, 0.02]))
    assert command.linear.tolist() == [0.1, -0.2, 0.3]
    assert command.angular.tolist() == [0.0, 0.0, 0.5]
    assert command.gripper_width == 0.02


def test_a_command_becomes_an_action_and_that_the_command_again() -> None:
    view = SpecView(RobotSpec.load(CONFIG / "panda_play.yaml"))
    command = Command(np.array([0.125, -0.25, 0.5]), np.array([1.0, -0.75, 0.5]), 0.0)
    action = view.action(command)
    assert action.dtype == np.float32 and action.tolist() == [0.125, -0.25, 0.5, 1.0, -0.75, 0.5, 0.0]
    again = view.command(action)
    assert (again.linear == command.linear).all() and (again.angular == command.angular).all()
    assert again.gripper_width == command.gripper_width
    assert SpecView(SPEC).action(command).tolist() == [0.125, -0.25, 0.5, 0.5, 0.0]


def test_nothing_to_say_about_the_gripper_leaves_it_open() -> None:
    assert SpecView(SPEC).command(np.array([0, 0, 0, 0, np.nan])).gripper_width == 0.08


def test_a_topic_that_the_simulation_has_not() -> None:
    text = SPEC.text.replace("objects/cube/pose", "objects/sphere/pose")
    with pytest.raises(KeyError, match="objects/sphere/pose"):
        SpecView(RobotSpec.parse(text)).values(observation(np.random.default_rng(0)))
