"""Operational-space control of the arm, on MuJoCo's arrays without copies.

The law is robosuite's OSC_POSE (Khatib 1987) with fixed gains, goals relative to the achieved pose and
`uncouple_pos_ori` false, so that a turn does not shift the hand nor a shift tilt it; a test holds the torques
of both against each other. robosuite's own spends seven eighths of a simulation step in Python, and every
evaluation rests on steps per second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dvf_ros.sim.observation import Array

if TYPE_CHECKING:
    import mujoco

STIFFNESS = 150.0
DAMPING = 2.0 * np.sqrt(STIFFNESS)
NULLSPACE_STIFFNESS = 10.0


def lead(rate: float) -> float:
    """Return the seconds by which a goal leads the pose so that the pose moves at the commanded velocity.

    A goal set once per tick of T = 1/rate at x + d pulls with K(d - vT/2) on average and is braked by D v:
    steady where d = v (D/K + T/2). robosuite's plain d = v T would move at a quarter of the speed asked for.
    """
    return float(DAMPING / STIFFNESS) + 0.5 / rate


class OperationalSpaceController:
    """Torques that move a site of the arm towards a goal pose and the redundant joint towards its rest.

    `rest` (n,) rad is where the null space pulls the joints: their positions at the start of the episode.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, site: int, dofs: Array) -> None:
        import mujoco
        from scipy.linalg.lapack import dposv

        self._mujoco: Any = mujoco
        self._solve = dposv
        self._model, self._data, self._site = model, data, site
        self._dofs = np.asarray(dofs, dtype=np.intp)
        self._block = np.ix_(self._dofs, self._dofs)
        self._qpos = model.jnt_qposadr[model.dof_jntid[self._dofs]]
        # Views: MuJoCo keeps these arrays where they are for the life of `data`.
        self._position = data.site_xpos[site]
        self._rotation = data.site_xmat[site].reshape(3, 3)
        self._jacobian = np.zeros((6, model.nv))
        self._mass = np.zeros((model.nv, model.nv))
        self._goal_position = np.zeros(3)
        self._goal_rotation = np.eye(3)
        self.rest = np.zeros(len(self._dofs))

    def set_goal(self, translation: Array, rotation: Array) -> None:
        """Set the goal: the pose now, moved by translation (3,) m and rotation vector (3,) rad in world axes."""
        angle = float(np.linalg.norm(rotation))
        axis = rotation / angle if angle > 0.0 else np.array([0.0, 0.0, 1.0])
        quaternion, matrix = np.zeros(4), np.zeros(9)
        self._mujoco.mju_axisAngle2Quat(quaternion, axis, angle)
        self._mujoco.mju_quat2Mat(matrix, quaternion)
        self._goal_position = self._position + translation
        self._goal_rotation = matrix.reshape(3, 3) @ self._rotation

    def torques(self) -> Array:
        """Return the joint torques (n,) Nm for the present state; call between mj_step1 and mj_step2."""
        model, data = self._model, self._data
        self._mujoco.mj_jacSite(model, data, self._jacobian[:3], self._jacobian[3:], self._site)
        self._mujoco.mj_fullM(model, self._mass, data.qM)
        jacobian = self._jacobian[:, self._dofs]
        mass = self._mass[self._block]
        joint_velocity = data.qvel[self._dofs]

        # Orientation error: half the sum of column cross products, the skew part of R_goal R^T.
        turn = self._goal_rotation @ self._rotation.T
        error = np.empty(6)
        error[:3] = self._goal_position - self._position
        error[3] = 0.5 * (turn[2, 1] - turn[1, 2])
        error[4] = 0.5 * (turn[0, 2] - turn[2, 0])
        error[5] = 0.5 * (turn[1, 0] - turn[0, 1])
        acceleration = STIFFNESS * error - DAMPING * (jacobian @ joint_velocity)

        pull = NULLSPACE_STIFFNESS * (self.rest - data.qpos[self._qpos])
        posture = pull - 2.0 * np.sqrt(NULLSPACE_STIFFNESS) * joint_velocity

        # J M^-1 J^T: symmetric, positive away from singular poses. The posture acts in its null space only.
        inverse_inertia = jacobian @ self._solved(mass, jacobian.T)
        wrench = self._solved(inverse_inertia, acceleration - jacobian @ posture)
        torques: Array = jacobian.T @ wrench + mass @ posture + data.qfrc_bias[self._dofs]
        return torques

    def _solved(self, matrix: Array, right: Array) -> Array:
        """Return matrix^-1 right for a symmetric positive matrix, by least squares where it is singular."""
        _, solution, info = self._solve(matrix, right)
        if info != 0:
            solution = np.linalg.pinv(matrix) @ right
        return np.asarray(solution)
