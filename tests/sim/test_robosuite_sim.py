"""The simulation repeats itself bit for bit, obeys commands in world axes and refuses bad ones."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dvf_ros.sim.observation import Command, CommandError, Observation
from dvf_ros.sim.robosuite_sim import TIMESTEP, RobosuiteSim

pytest.importorskip("robosuite")

DIGEST_IN_ANOTHER_PROCESS = """
import sys
from tests.sim.test_robosuite_sim import RobosuiteSim, digest, random_episode
print(digest(random_episode(RobosuiteSim("lift"), 7)))
"""


@pytest.fixture(scope="module")
def sim() -> Iterator[RobosuiteSim]:
    simulation = RobosuiteSim("lift")
    yield simulation
    simulation.close()


def random_commands(seed: int, steps: int) -> list[Command]:
    rng = np.random.default_rng(seed)
    down = np.array([0.1, 0.0, -0.2])
    return [
        Command(down + rng.normal(0, 0.1, 3), rng.normal(0, 0.3, 3), float(rng.choice([0.0, 0.08])))
        for _ in range(steps)
    ]


def random_episode(sim: RobosuiteSim, seed: int, steps: int = 40) -> list[Observation]:
    """Push at the cube and the table, so that contacts are in it."""
    return [sim.reset(seed)] + [sim.step(command) for command in random_commands(seed, steps)]


def digest(observations: list[Observation]) -> str:
    content = hashlib.sha256()
    for o in observations:
        arrays = [o.joint_position, o.joint_velocity, o.eef_position, o.eef_orientation, *o.objects.values()]
        content.update(b"".join(array.tobytes() for array in arrays) + bytes([o.success]))
    return content.hexdigest()


def yaw_pitch_roll_change(before: Observation, after: Observation) -> Any:
    """Rotation vector in world axes that turns the first hand into the second."""
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_quat(after.eef_orientation) * Rotation.from_quat(before.eef_orientation).inv()
    return turn.as_rotvec()


def test_importing_the_room_stays_cheap() -> None:
    code = (
        "import sys, dvf_ros.sim.robosuite_sim, dvf_ros.sim.behaviors;"
        "assert not {'robosuite', 'mujoco', 'torch', 'rclpy', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_same_seed_same_bits_after_other_episodes_and_in_another_instance(sim: RobosuiteSim) -> None:
    first = digest(random_episode(sim, 7))
    others = {digest(random_episode(sim, seed)) for seed in (8, 9)}
    np.random.rand(3)
    assert first not in others and len(others) == 2
    assert digest(random_episode(sim, 7)) == first
    assert digest(random_episode(RobosuiteSim("lift"), 7)) == first


def test_same_seed_same_bits_in_another_process(sim: RobosuiteSim, pytestconfig: pytest.Config) -> None:
    command = [sys.executable, "-c", DIGEST_IN_ANOTHER_PROCESS]
    result = subprocess.run(command, cwd=pytestconfig.rootpath, capture_output=True, text=True, check=True)
    assert result.stdout.strip().splitlines()[-1] == digest(random_episode(sim, 7))


def test_a_restored_state_continues_bit_for_bit(sim: RobosuiteSim) -> None:
    commands = random_commands(3, 50)
    sim.reset(3)
    for command in commands[:25]:
        before = sim.step(command)
    state = sim.get_state()
    expected = digest([before] + [sim.step(command) for command in commands[25:]])

    random_episode(sim, 4)
    assert digest([sim.set_state(state)] + [sim.step(command) for command in commands[25:]]) == expected
    other = RobosuiteSim("lift")
    other.reset(5)
    assert digest([other.set_state(state)] + [other.step(command) for command in commands[25:]]) == expected


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_linear_command_moves_the_hand_along_that_world_axis(sim: RobosuiteSim, axis: int) -> None:
    start = sim.reset(1)
    for _ in range(10):
        end = sim.step(Command(linear=0.1 * np.eye(3)[axis]))
    # 0.1 m/s for 0.5 s, less the 0.04 s that the arm takes to gather speed.
    expected = 0.046 * np.eye(3)[axis]
    np.testing.assert_allclose(end.eef_position - start.eef_position, expected, atol=0.003)
    assert np.linalg.norm(yaw_pitch_roll_change(start, end)) < 0.01


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_angular_command_turns_the_hand_about_that_world_axis(sim: RobosuiteSim, axis: int) -> None:
    start = sim.reset(1)
    for _ in range(10):
        end = sim.step(Command(angular=0.4 * np.eye(3)[axis]))
    np.testing.assert_allclose(yaw_pitch_roll_change(start, end), 0.18 * np.eye(3)[axis], atol=0.03)
    assert np.linalg.norm(end.eef_position - start.eef_position) < 0.005


def test_speeds_beyond_the_limits_are_clipped(sim: RobosuiteSim) -> None:
    ends = []
    for speed in (0.5, 50.0):
        sim.reset(1)
        ends.append([sim.step(Command(linear=np.array([speed, 0, 0]))) for _ in range(4)])
    assert digest(ends[0]) == digest(ends[1])


def test_the_gripper_opens_and_closes(sim: RobosuiteSim) -> None:
    sim.reset(0)
    for _ in range(20):
        opened = sim.step(Command(gripper_width=0.041))
    for _ in range(20):
        closed = sim.step(Command(gripper_width=0.039))
    assert opened.gripper_width > 0.078 and closed.gripper_width < 0.002


def test_zero_commands_hold_the_arm_still(sim: RobosuiteSim) -> None:
    start = sim.reset(2)
    for _ in range(40):
        end = sim.step(Command())
    np.testing.assert_allclose(end.eef_position, start.eef_position, atol=1e-4)


def test_bad_commands_are_refused_before_the_simulation(sim: RobosuiteSim) -> None:
    before = digest([sim.reset(0)])
    with pytest.raises(CommandError, match="finite"):
        Command(linear=np.array([0.0, np.nan, 0.0]))
    with pytest.raises(CommandError, match="finite"):
        Command(gripper_width=float("inf"))
    with pytest.raises(CommandError, match=r"expected shape \(3,\), found \(2,\)"):
        Command(angular=np.zeros(2))
    with pytest.raises(CommandError, match="expected a"):
        sim.step(np.zeros(7))  # type: ignore[arg-type]
    state = sim.get_state()
    assert digest([sim.set_state(state)]) == before


def test_orientations_are_unit_quaternions_and_shapes_hold(sim: RobosuiteSim) -> None:
    for o in random_episode(sim, 11):
        assert o.joint_position.shape == o.joint_velocity.shape == (9,) and len(o.joint_names) == 9
        for quaternion in (o.eef_orientation, o.objects["cube"][3:]):
            assert abs(np.linalg.norm(quaternion) - 1.0) < 1e-9
        assert o.reward == float(o.success) and not o.terminated


def test_observations_own_their_arrays(sim: RobosuiteSim) -> None:
    start = sim.reset(0)
    copy = start.joint_position.copy(), start.eef_position.copy(), start.objects["cube"].copy()
    for _ in range(5):
        sim.step(Command(linear=np.array([0.3, 0.0, -0.3])))
    for now, then in zip((start.joint_position, start.eef_position, start.objects["cube"]), copy, strict=True):
        np.testing.assert_array_equal(now, then)


def put(sim: RobosuiteSim, body: str, place: list[float]) -> Observation:
    """The present state with a free body moved to a place (3,) m."""
    address = sim._model.jnt_qposadr[sim._model.body_jntadr[sim._model.body(body).id]]
    sim._data.qpos[address : address + 3] = place
    sim._data.qvel[:] = 0.0
    for _ in range(10):
        seen = sim.step(Command())
    return seen


def test_a_cube_on_the_other_is_a_stack_and_beside_it_is_none() -> None:
    sim = RobosuiteSim("stack")
    seen = sim.reset(3)
    assert set(seen.objects) == {"red_cube", "green_cube"} and not seen.success
    below = seen.objects["green_cube"][:3]
    assert put(sim, "cubeA_main", [*below[:2], below[2] + 0.046]).success
    assert not put(sim, "cubeA_main", [below[0] + 0.1, below[1], below[2]]).success
    assert digest(random_episode(sim, 7)) == digest(random_episode(RobosuiteSim("stack"), 7))


def test_the_can_counts_in_its_own_quarter_of_the_other_bin_only() -> None:
    sim = RobosuiteSim("can")
    seen = sim.reset(3)
    assert set(seen.objects) == {"can"} and not seen.success and seen.objects["can"][1] < 0
    assert put(sim, "Can_main", [0.2, 0.4, 0.86]).success
    assert not put(sim, "Can_main", [0.0, 0.16, 0.86]).success
    assert digest(random_episode(sim, 7)) == digest(random_episode(RobosuiteSim("can"), 7))


def test_a_physics_step_is_as_long_as_specs_are_checked_for(sim: RobosuiteSim) -> None:
    assert sim._model.opt.timestep == TIMESTEP


def test_unknown_tasks_and_rates_are_named() -> None:
    with pytest.raises(ValueError, match="lift"):
        RobosuiteSim("lfit")
    with pytest.raises(ValueError, match="divisor"):
        RobosuiteSim("lift", rate=30.0)
