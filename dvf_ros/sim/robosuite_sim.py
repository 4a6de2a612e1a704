"""robosuite's manipulation tasks behind four calls: reset, step, get_state, set_state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dvf_ros.sim.engine import engine
from dvf_ros.sim.observation import (
    MAX_ANGULAR_SPEED,
    MAX_LINEAR_SPEED,
    Array,
    Command,
    CommandError,
    Observation,
)
from dvf_ros.sim.osc import OperationalSpaceController, lead

JOINT_NAMES = (*(f"panda_joint{i}" for i in range(1, 8)), "panda_finger_joint1", "panda_finger_joint2")
_ARM_JOINTS = tuple(f"robot0_joint{i}" for i in range(1, 8))
_FINGER_JOINTS = tuple(f"gripper0_right_finger_joint{i}" for i in (1, 2))
_ARM_ACTUATORS = tuple(f"robot0_torq_j{i}" for i in range(1, 8))
_FINGER_ACTUATORS = tuple(f"gripper0_right_gripper_finger_joint{i}" for i in (1, 2))
_GRIP_SITE = "gripper0_right_grip_site"
_LINKS = tuple(f"robot0_link{number}" for number in range(8))
TIMESTEP = 0.002
"""s, robosuite's own physics step."""
_FINGER_STEP = 0.2
"""Share of half the finger's travel that the hand's target moves in one step, as robosuite's PandaGripper."""


@dataclass(frozen=True)
class Task:
    """A robosuite environment and its objects: our name -> the body's name in the model.

    Without a `goal` nothing ever counts as success: the scene is there to be played with.
    """

    environment: str
    objects: dict[str, str]
    goal: bool = True


TASKS = {
    "lift": Task("Lift", {"cube": "cube_main"}),
    "stack": Task("Stack", {"red_cube": "cubeA_main", "green_cube": "cubeB_main"}),
    "can": Task("PickPlaceCan", {"can": "Can_main"}),
    "play": Task("Lift", {"cube": "cube_main"}, goal=False),
}


@dataclass(frozen=True)
class SimState:
    """All that decides the future: MuJoCo's integration state, the hand's target, the posture at rest."""

    physics: Array
    finger_target: Array
    rest: Array


class RobosuiteSim:
    """A Panda arm at one of robosuite's tasks, driven by Cartesian velocities at a fixed rate.

    The model (the cube's size too) is built once from a fixed seed; `reset(seed)` draws the arm's and the
    objects' poses. The same seed and commands give bit-identical observations in any process on one machine.
    Raises ValueError for an unknown task or a rate that is no whole number of physics steps.
    """

    joint_names = JOINT_NAMES

    def __init__(self, task: str, rate: float = 20.0) -> None:
        if task not in TASKS:
            raise ValueError(f"task: expected one of {sorted(TASKS)}, found {task!r}")
        mujoco, robosuite = engine()
        self._mujoco: Any = mujoco
        self.task, self.rate = TASKS[task], rate
        self._env: Any = robosuite.make(
            self.task.environment,
            robots="Panda",
            has_renderer=False,
            has_offscreen_renderer=False,
            use_camera_obs=False,
            use_object_obs=False,
            renderer="mujoco",
            control_freq=rate,
            ignore_done=True,
            hard_reset=False,
            seed=0,
        )
        # Nobody reads robosuite's own observations: ours come straight from MuJoCo's arrays.
        self._env._observables.clear()
        self._model, self._data = self._env.sim.model._model, self._env.sim.data._data
        self._substeps = substeps(rate, self._model.opt.timestep)
        self._index()
        self._finger_target = np.zeros(2)
        self._lead = lead(rate)

    def _index(self) -> None:
        """Look up once where joints, actuators, site and bodies live in MuJoCo's arrays."""
        model = self._model
        joints = [model.joint(name) for name in _ARM_JOINTS + _FINGER_JOINTS]
        self._qpos = np.array([joint.qposadr[0] for joint in joints])
        self._dofs = np.array([joint.dofadr[0] for joint in joints])
        self._arm_actuators = np.array([model.actuator(name).id for name in _ARM_ACTUATORS])
        self._finger_actuators = np.array([model.actuator(name).id for name in _FINGER_ACTUATORS])
        self._torque_low, self._torque_high = model.actuator_ctrlrange[self._arm_actuators].T
        finger_low, finger_high = model.actuator_ctrlrange[self._finger_actuators].T
        self._finger_middle, self._finger_half = (
            (finger_low + finger_high) / 2,
            (finger_high - finger_low) / 2,
        )
        self._site = model.site(_GRIP_SITE).id
        self._links = [model.body(name).id for name in _LINKS]
        self._bodies = {name: model.body(body).id for name, body in self.task.objects.items()}
        self._controller = OperationalSpaceController(model, self._data, self._site, self._dofs[:7])

    def reset(self, seed: int) -> Observation:
        """Start the episode that the seed names, whatever ran before, and return its first observation."""
        self._env.rng = np.random.default_rng(seed)
        _reseed(self._env.placement_initializer, self._env.rng)
        self._env.reset()
        self._finger_target = np.zeros(2)
        self._controller.rest = self._data.qpos[self._qpos[:7]].copy()
        return self._observe()

    def step(self, command: Command) -> Observation:
        """Hold the command for 1/rate seconds and return what is then seen.

        A Command is checked where it is made; anything else raises CommandError. Speeds beyond
        MAX_LINEAR_SPEED and MAX_ANGULAR_SPEED are clipped, axis by axis.
        """
        if not isinstance(command, Command):
            raise CommandError(f"step: expected a dvf_ros.sim Command, found {type(command).__name__}")
        linear = np.clip(command.linear, -MAX_LINEAR_SPEED, MAX_LINEAR_SPEED)
        angular = np.clip(command.angular, -MAX_ANGULAR_SPEED, MAX_ANGULAR_SPEED)
        direction = np.array([-1.0, 1.0]) if command.closes else np.array([1.0, -1.0])
        self._finger_target = np.clip(self._finger_target + _FINGER_STEP * direction, -1.0, 1.0)

        mujoco, model, data = self._mujoco, self._model, self._data
        controller, control = self._controller, self._data.ctrl
        for substep in range(self._substeps):
            mujoco.mj_step1(model, data)
            if substep == 0:
                controller.set_goal(linear * self._lead, angular * self._lead)
                control[self._finger_actuators] = self._finger_middle + self._finger_half * self._finger_target
            torques = controller.torques()
            control[self._arm_actuators] = np.minimum(np.maximum(torques, self._torque_low), self._torque_high)
            mujoco.mj_step2(model, data)
        return self._observe()

    def get_state(self) -> SimState:
        """Return a copy of the present state, for `set_state`."""
        mujoco = self._mujoco
        physics = np.empty(mujoco.mj_stateSize(self._model, mujoco.mjtState.mjSTATE_INTEGRATION))
        mujoco.mj_getState(self._model, self._data, physics, mujoco.mjtState.mjSTATE_INTEGRATION)
        return SimState(physics, self._finger_target.copy(), self._controller.rest.copy())

    def set_state(self, state: SimState) -> Observation:
        """Go back to a state of this task; what follows is bit-identical to what followed then."""
        self._mujoco.mj_setState(self._model, self._data, state.physics, self._mujoco.mjtState.mjSTATE_INTEGRATION)
        self._finger_target = state.finger_target.copy()
        self._controller.rest = state.rest.copy()
        return self._observe()

    def close(self) -> None:
        """Free the simulation."""
        self._env.close()

    def _observe(self) -> Observation:
        """Read the present state; poses are brought up to date first, as a step ends with those before it."""
        model, data = self._model, self._data
        self._mujoco.mj_kinematics(model, data)
        quaternion = np.empty(4)
        self._mujoco.mju_mat2Quat(quaternion, data.site_xmat[self._site])
        success = self.task.goal and bool(self._env._check_success())
        return Observation(
            joint_names=JOINT_NAMES,
            joint_position=data.qpos[self._qpos],
            joint_velocity=data.qvel[self._dofs],
            eef_position=data.site_xpos[self._site].copy(),
            eef_orientation=quaternion[[1, 2, 3, 0]],
            objects={
                name: np.concatenate([data.xpos[body], data.xquat[body][[1, 2, 3, 0]]])
                for name, body in self._bodies.items()
            },
            reward=float(success),
            success=success,
            links=np.vstack([data.xpos[self._links], data.site_xpos[self._site]]),
        )


def substeps(rate: float, timestep: float) -> int:
    """Return how many physics steps make one tick; raises ValueError where that is no whole number."""
    steps = 1.0 / (rate * timestep) if rate > 0.0 else 0.0
    if round(steps) < 1 or abs(steps - round(steps)) > 1e-6:
        raise ValueError(
            f"rate: expected a divisor of {1.0 / timestep:g} Hz, the physics rate, found {rate:g}; "
            "20, 25, 50 and 100 are some"
        )
    return round(steps)


def _reseed(sampler: Any, rng: np.random.Generator) -> None:
    """Give the placement sampler, and those inside it, the episode's random numbers."""
    sampler.rng = rng
    for inner in getattr(sampler, "samplers", {}).values():
        _reseed(inner, rng)
