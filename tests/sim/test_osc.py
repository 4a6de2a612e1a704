"""Our controller's torques are those of robosuite's OSC_POSE."""

from __future__ import annotations

import numpy as np
import pytest

from dvf_ros.sim.osc import OperationalSpaceController


def test_torques_equal_robosuites() -> None:
    robosuite = pytest.importorskip("robosuite")
    config = robosuite.load_composite_controller_config(robot="Panda")
    config["body_parts"]["right"]["uncouple_pos_ori"] = False
    env = robosuite.make(
        "Lift",
        robots="Panda",
        controller_configs=config,
        has_renderer=False,
        has_offscreen_renderer=False,
        use_camera_obs=False,
        renderer="mujoco",
        seed=3,
    )
    env.reset()
    theirs = env.robots[0].part_controllers["right"]
    model, data = env.sim.model._model, env.sim.data._data
    site = model.site("gripper0_right_grip_site").id
    ours = OperationalSpaceController(model, data, site, np.asarray(theirs.qvel_index))
    ours.rest = theirs.initial_joint
    rng = np.random.default_rng(0)
    for _ in range(20):
        action = np.append(rng.uniform(-1, 1, 6), 1.0)
        for substep in range(25):
            env.sim.step1()
            if substep == 0:
                ours.set_goal(0.05 * action[:3], 0.5 * action[3:6])
            env.robots[0].control(action, policy_step=substep == 0)
            # robosuite turns the goal's rotation in float32: no closer agreement can be had.
            np.testing.assert_allclose(ours.torques(), theirs.torques, rtol=1e-4, atol=0.02)
            env.sim.step2()
    env.close()
