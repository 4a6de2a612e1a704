"""What can be set on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from rclpy.node import Node

from dvf_ros.core.expression import Expression
from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.spec import RobotSpec
from dvf_ros.nodes.parameters import declare, told_together
from dvf_ros.nodes.robot_spec import declare_spec
from dvf_ros.nodes.trained_agent import check_checkpoint, declare_checkpoint

if TYPE_CHECKING:
    from dvf_ros.learning.config import DecisionConfig, Device, Policy, Unsupported


MOST_FUTURES = 65_536
"""Of one decision, all candidates together: more would not fit a robot's memory, nor any period."""

CHANGEABLE = ("candidates", "futures")


@dataclass(frozen=True)
class ControllerParameters:
    """The parameters' values; `declare` holds their descriptions."""

    spec: str
    checkpoint: str
    device: str
    seed: int
    tick_on: str
    lockstep: bool
    deadline: float
    release: float
    max_reuse: int
    candidates: int
    futures: int
    policy: str
    unsupported: str
    reward: str
    goal_object: str
    goal_reach: float
    speed: float

    @property
    def pace(self) -> float:
        """Seconds of the robot that go by in one: fewer in a slow simulation, while a fast one grants no less time."""
        return min(self.speed, 1.0)

    @classmethod
    def declare(cls, node: Node) -> ControllerParameters:
        """Declare all parameters on the node; raises ValueError naming all that are not allowed."""
        with told_together(node):
            return cls._declare(node)

    @classmethod
    def _declare(cls, node: Node) -> ControllerParameters:
        return cls(
            spec=declare_spec(node),
            checkpoint=declare_checkpoint(node),
            device=declare(
                node,
                "device",
                "auto",
                "Where the model runs; auto takes CUDA if there is one",
                options=("auto", "cpu", "cuda"),
            ),
            seed=declare(
                node, "seed", 0, "Seed: the same seed and input give the same commands", low=0, high=2**31 - 1
            ),
            tick_on=declare(
                node,
                "tick_on",
                "timer",
                "timer: the node's clock at the spec's rate. state: as soon as every state topic has reached the tick",
                options=("timer", "state"),
            ),
            lockstep=declare(
                node, "lockstep", False, "Answer every state however long it takes: only for a simulation that waits"
            ),
            deadline=declare(
                node,
                "deadline",
                0.7,
                "Share of a period after which a decision is too late and not used",
                low=0.05,
                high=1.0,
            ),
            release=declare(
                node,
                "release",
                0.5,
                "Share of a period after its tick at which a command goes out, so that they come evenly; one that is "
                "ready later, and a stop, at once. 0: none waits",
                low=0.0,
                high=0.9,
            ),
            max_reuse=declare(
                node,
                "max_reuse",
                2,
                "Ticks in a row served by the rest of the last chunk when decisions are late",
                low=0,
                high=100,
            ),
            candidates=declare(
                node,
                "candidates",
                0,
                "Candidate chunks per decision; 0: as the checkpoint says",
                low=0,
                high=4096,
                read_only=False,
            ),
            futures=declare(
                node,
                "futures",
                0,
                "Sampled futures per candidate, even; 0: as the checkpoint says",
                low=0,
                high=4096,
                read_only=False,
            ),
            reward=declare(
                node,
                "reward",
                "",
                "Reward over the spec's fields, such as 'cube_position.z > 0.86'; empty: the learned one. ~/set_reward "
                "and goals take its place",
            ),
            goal_object=declare(
                node,
                "goal_object",
                "",
                "Position in the state that ~/goal moves; empty: an object's, else the robot's own",
            ),
            goal_reach=declare(
                node,
                "goal_reach",
                0.1,
                "m from a goal at which its reward has fallen to 1/e: as far as the robot is to feel it, a few metres "
                "for a mobile base",
                low=0.001,
                high=1000.0,
            ),
            speed=declare(
                node,
                "speed",
                1.0,
                "Simulation only: its seconds in one second; a robot's is 1. Slower ones get longer deadlines",
                low=0.05,
                high=20.0,
            ),
            policy=declare(
                node,
                "policy",
                "",
                "best: the best of the candidates. actor: the one chunk distilled from such choices, which is fast. "
                "prior: one sample of the behavior prior, for comparison. Empty: as the checkpoint says",
                options=("", "best", "actor", "prior"),
            ),
            unsupported=declare(
                node,
                "unsupported",
                "",
                "What to do where neither the state nor any candidate resembles the data: report it only, stop, or "
                "leave it to the actor. Empty: as the checkpoint says",
                options=("", "report", "stop", "actor"),
            ),
        )

    def check(self, spec: RobotSpec) -> None:
        """Raise ConfigError where the spec and these parameters do not go together, or the agent is missing."""
        check_checkpoint(self.checkpoint)
        if not spec.action_size:
            raise ConfigError(f"'{self.spec}' has no action, so nothing can be commanded; value_monitor gives values")
        if self.tick_on == "timer" and (joined := [item.key for item in spec.state if item.resample == "linear"]):
            raise ConfigError(
                f"'{joined[0]}' has resample: linear, which needs the value after the tick, and a timer does not wait"
                " for it; set tick_on to state, or write resample: hold"
            )

    def written_reward(self, spec: RobotSpec) -> Expression | None:
        """The reward to begin with, None for the learned one; raises ExpressionError."""
        return parse_expression(self.reward, spec) if self.reward.strip() else None

    def changed(self, changes: Mapping[str, Any]) -> ControllerParameters:
        """The same with those of `changes` that may change while the node runs."""
        return replace(self, **{name: value for name, value in changes.items() if name in CHANGEABLE})

    def decision(self, stored: DecisionConfig) -> DecisionConfig:
        """The checkpoint's run-time settings with what was set here in their place.

        Raises ValueError for settings that do not go together.
        """
        wanted = replace(
            stored,
            device=cast("Device", self.device),
            candidates=self.candidates or stored.candidates,
            futures=self.futures or stored.futures,
            policy=cast("Policy", self.policy or stored.policy),
            unsupported=cast("Unsupported", self.unsupported or stored.unsupported),
        )
        count = wanted.candidates * wanted.futures
        if count > MOST_FUTURES:
            raise ValueError(f"candidates x futures: expected at most {MOST_FUTURES}, found {count}; lower one of them")
        return wanted
