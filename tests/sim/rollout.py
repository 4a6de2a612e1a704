"""Episodes without ROS: a simulation, something that acts, arrays out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dvf_ros.sim.observation import Array, Command, Observation
from dvf_ros.sim.robosuite_sim import RobosuiteSim


@dataclass(frozen=True)
class Episode:
    """T steps; observations lead: index k+1 is what command k led to, and reward k belongs to it.

    joint_position, joint_velocity (T+1, 9); eef_position (T+1, 3); eef_orientation (T+1, 4) xyzw;
    objects: name -> (T+1, 7). linear, angular (T, 3); gripper_width (T,). reward (T,), on arrival;
    success (T+1,) bool.
    """

    joint_position: Array
    joint_velocity: Array
    eef_position: Array
    eef_orientation: Array
    objects: dict[str, Array]
    linear: Array
    angular: Array
    gripper_width: Array
    reward: Array
    success: NDArray[np.bool_]

    @property
    def succeeded(self) -> bool:
        """Whether the task was done at any time."""
        return bool(self.success.any())

    @property
    def succeeded_at_end(self) -> bool:
        """Whether the task was done at the last step."""
        return bool(self.success[-1])


def rollout(sim: RobosuiteSim, act: Callable[[Observation], Command], seed: int, steps: int) -> Episode:
    """Run one episode of `steps` steps from the seed's start and return its arrays."""
    observations, commands = [sim.reset(seed)], []
    for _ in range(steps):
        commands.append(act(observations[-1]))
        observations.append(sim.step(commands[-1]))
    return Episode(
        joint_position=np.stack([o.joint_position for o in observations]),
        joint_velocity=np.stack([o.joint_velocity for o in observations]),
        eef_position=np.stack([o.eef_position for o in observations]),
        eef_orientation=np.stack([o.eef_orientation for o in observations]),
        objects={n: np.stack([o.objects[n] for o in observations]) for n in observations[0].objects},
        linear=np.array([c.linear for c in commands]).reshape(-1, 3),
        angular=np.array([c.angular for c in commands]).reshape(-1, 3),
        gripper_width=np.array([c.gripper_width for c in commands]),
        reward=np.array([o.reward for o in observations[1:]]),
        success=np.array([o.success for o in observations]),
    )
