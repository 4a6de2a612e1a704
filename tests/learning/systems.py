"""Two small worlds whose occupancy and value are known exactly, as datasets for the learner."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset, Episode


def toy_spec(state_size: int, action_size: int = 1) -> RobotSpec:
    """A robot spec of `state_size` numbers and `action_size` actions in -2 .. 2."""
    return RobotSpec.parse(
        f"""
robot: toy
task: closed_form
rate: 20
state:
  - topic: state
    type: std_msgs/msg/Float64MultiArray
    stamp: receive
    fields: [{{name: x, path: data, kind: array, size: {state_size}}}]
action:
  - topic: action
    type: std_msgs/msg/Float64MultiArray
    stamp: receive
    fields:
      - name: u
        path: data
        kind: array
        size: {action_size}
        lower: {[-2.0] * action_size}
        upper: {[2.0] * action_size}
"""
    )


def episode(states: np.ndarray, rewards: np.ndarray, actions: np.ndarray, terminated: bool, behavior: str) -> Episode:
    """An episode of L states (L, D), L - 1 rewards on arrival and L - 1 actions (L - 1, A)."""
    length = len(states)
    known = np.arange(length) < length - 1
    return Episode(
        states=states.astype(np.float32),
        actions=np.concatenate([actions, np.zeros_like(actions[:1])]).astype(np.float32),
        action_mask=known,
        rewards=np.append(rewards, 0.0).astype(np.float32),
        reward_mask=known,
        stamps=np.arange(length) * 50_000_000,
        behavior=behavior,
        terminated=terminated,
        truncated=not terminated,
    )


class Chain:
    """Seven states in a row, walked forward or backward. The far end terminates and pays 1, standing at the start -0.5.

    Episodes are cut off after `limit` steps. The states are corners of a cube.
    """

    count = 7
    goal = 6
    discount = 0.9
    limit = 16
    steps: ClassVar = {"forward": (0.3, 0.2, 0.5), "backward": (0.5, 0.2, 0.3)}  # probabilities of -1, 0, +1

    def __init__(self) -> None:
        self.reward = np.array([-0.5, 0, 0, 0, 0, 0, 1.0])
        bits = np.arange(self.count)[:, None] >> np.arange(3) & 1
        self.embedding = 2.0 * bits - 1.0  # (7, 3)

    def transition(self, behavior: str) -> np.ndarray:
        """Probabilities (7, 7) of the next state; the row of the goal has no meaning."""
        matrix = np.zeros((self.count, self.count))
        for state in range(self.count):
            for step, share in zip((-1, 0, 1), self.steps[behavior], strict=True):
                matrix[state, np.clip(state + step, 0, self.goal)] += share
        return matrix

    def value(self, behavior: str) -> np.ndarray:
        """Exact discounted returns (7,); 0 at the goal."""
        matrix = self.transition(behavior)[: self.goal]
        before = np.linalg.solve(np.eye(self.goal) - self.discount * matrix[:, : self.goal], matrix @ self.reward)
        return np.append(before, 0.0)

    def occupancy(self, behavior: str, state: int, offset: int) -> np.ndarray:
        """Exact distribution (8,) over the seven states and `ended` after `offset` steps."""
        chain = np.zeros((self.count + 1, self.count + 1))
        chain[: self.goal, : self.count] = self.transition(behavior)[: self.goal]
        chain[self.goal :, -1] = 1.0
        return np.linalg.matrix_power(chain, offset)[state]

    def classify(self, states: np.ndarray, ended: np.ndarray) -> np.ndarray:
        """Shares (8,) of the seven states and `ended` among sampled states (n, 3)."""
        nearest = np.square(states[:, None] - self.embedding).sum(axis=-1).argmin(axis=1)
        return np.bincount(np.where(ended, self.count, nearest), minlength=self.count + 1) / len(states)

    def reward_at(self, states: np.ndarray) -> np.ndarray:
        """Reward (...) on arrival in states (..., 3), each taken for the nearest of the seven."""
        return self.reward[np.square(states[..., None, :] - self.embedding).sum(axis=-1).argmin(axis=-1)]

    def dataset(self, episodes: int, seed: int) -> Dataset:
        """Episodes of both behaviors from uniform starts before the goal."""
        rng = np.random.default_rng(seed)
        recorded = []
        for index in range(episodes):
            behavior = ("forward", "backward")[index % 2]
            path = [int(rng.integers(self.goal))]
            steps = rng.choice((-1, 0, 1), size=self.limit, p=self.steps[behavior])
            for step in steps:
                path.append(int(np.clip(path[-1] + step, 0, self.goal)))
                if path[-1] == self.goal:
                    break
            moves = np.diff(path)[:, None]
            terminated = path[-1] == self.goal
            recorded.append(episode(self.embedding[path], self.reward[path[1:]], moves, terminated, behavior))
        return Dataset.from_episodes(toy_spec(3), recorded)


class LinearGaussian:
    """x' = a x + sqrt(1 - a^2) e in two dimensions and a reward that is a Gaussian bump; nothing terminates."""

    decay = np.array([0.9, 0.7])
    centre = np.array([0.8, -0.4])
    width = 0.8
    discount = 0.9
    limit = 40

    def moments(self, state: np.ndarray, offset: int) -> tuple[np.ndarray, np.ndarray]:
        """Exact mean (2,) and variance (2,) of the state `offset` steps after `state` (2,)."""
        share = self.decay**offset
        return share * state, 1.0 - share**2

    def reward_at(self, states: np.ndarray) -> np.ndarray:
        """Reward (...) on arrival in states (..., 2)."""
        return np.exp(-0.5 * np.square((states - self.centre) / self.width).sum(axis=-1))

    def expected_reward(self, state: np.ndarray, offset: int) -> float:
        """Exact mean reward `offset` steps after `state`."""
        mean, variance = self.moments(state, offset)
        spread = self.width**2 + variance
        return float(np.prod(self.width / np.sqrt(spread) * np.exp(-0.5 * np.square(mean - self.centre) / spread)))

    def value(self, state: np.ndarray) -> float:
        """Exact discounted return after `state`, to 1e-12."""
        return sum(self.discount ** (offset - 1) * self.expected_reward(state, offset) for offset in range(1, 400))

    def dataset(self, episodes: int, seed: int) -> Dataset:
        """Episodes of `limit` steps from the stationary distribution."""
        rng = np.random.default_rng(seed)
        recorded = []
        for _ in range(episodes):
            states = [rng.standard_normal(2)]
            for _ in range(self.limit):
                states.append(self.decay * states[-1] + np.sqrt(1 - self.decay**2) * rng.standard_normal(2))
            path = np.stack(states)
            actions = rng.uniform(-1, 1, size=(self.limit, 1))
            recorded.append(episode(path, self.reward_at(path[1:]), actions, False, "drift"))
        return Dataset.from_episodes(toy_spec(2), recorded)


class Drift:
    """x' = x - gain x + spread e in one dimension; controllers differ in their gain alone. Reward: a bump around 0."""

    spread = 0.15
    width = 0.6
    discount = 0.9
    limit = 40

    def path(self, gain: float, start: float, rng: np.random.Generator) -> np.ndarray:
        """States (limit + 1, 1)."""
        states = [start]
        for shock in rng.standard_normal(self.limit):
            states.append((1.0 - gain) * states[-1] + self.spread * shock)
        return np.array(states)[:, None]

    def reward_at(self, states: np.ndarray) -> np.ndarray:
        """Reward (...) on arrival in states (..., 1)."""
        return np.exp(-0.5 * np.square(states[..., 0] / self.width))

    def value(self, gain: float, state: float) -> float:
        """Exact discounted return after `state` under a gain, to 1e-12."""
        offset = np.arange(1, 400)
        share = (1.0 - gain) ** offset
        variance = self.width**2 + self.spread**2 * (1.0 - share**2) / (1.0 - (1.0 - gain) ** 2)
        reward = self.width / np.sqrt(variance) * np.exp(-0.5 * (share * state) ** 2 / variance)
        return float(np.sum(self.discount ** (offset - 1) * reward))

    def dataset(self, gains: np.ndarray, episodes: int, seed: int) -> Dataset:
        """`episodes` of every gain from starts in -2 .. 2; a behavior is named after its gain."""
        rng = np.random.default_rng(seed)
        recorded = []
        for gain in np.tile(gains, episodes):
            path = self.path(gain, rng.uniform(-2, 2), rng)
            actions = rng.uniform(-1, 1, (self.limit, 1))
            recorded.append(episode(path, self.reward_at(path[1:]), actions, False, f"{gain:g}"))
        return Dataset.from_episodes(toy_spec(1), recorded)
