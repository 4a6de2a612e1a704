"""The agent as the inference thread uses it: settings taken up between decisions, randomness that a tick decides."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from rclpy.impl.rcutils_logger import RcutilsLogger

from dvf_ros.control.brain import Request
from dvf_ros.core.decision import Decision
from dvf_ros.core.expression import Expression, ExpressionError
from dvf_ros.nodes.clocks import at_most_every, steady_ns

if TYPE_CHECKING:
    from dvf_ros.learning.agent import DvfAgent
    from dvf_ros.learning.config import DecisionConfig

WARM_UP = 3
MARGIN = 0.2
"""Share of the time for a decision that is left to handing it over, and to a block that lasts longer than usual."""
EXPLANATION = 1
"""Its random numbers are others than the decision's."""


class Deciding:
    """Decides and explains with `agent` under the settings that `wanted()` says at the time.

    `share` of a period after it was asked for, a decision is too late: it is made of what was scored shortly before.
    A period lasts 1 / (rate x `pace`) s.
    """

    def __init__(
        self,
        agent: DvfAgent,
        wanted: Callable[[], DecisionConfig],
        seed: int,
        share: float,
        pace: float,
        logger: RcutilsLogger,
    ) -> None:
        self._agent, self._wanted, self._seed, self._logger = agent, wanted, seed, logger
        self._pace = pace
        self._allowed = (1.0 - MARGIN) * share / agent.spec.rate

    def set_reward(self, expression: Expression | None) -> bool:
        """Decide by this reward, or by the learned one (None); returns whether it is another than before.

        Raises ExpressionError and keeps the old one, also where the policy scores nothing: that knows no reward but the
        one of its training.
        """
        if (expression.text if expression else "learned") == self._agent.reward_name:
            return False
        policy = self._wanted().policy
        if expression is not None and policy != "best":
            raise ExpressionError(f"the policy '{policy}' looks at no reward; start the controller with policy best")
        self._agent.set_reward(expression)
        return True

    def warm_up(self) -> None:
        """Decide and explain a few times: the first calls are many times slower than those that follow."""
        state, rng = self._agent.spec.neutral_state, np.random.default_rng(0)
        for _ in range(WARM_UP):
            self._agent.explain(state, self._agent.decide(state, rng), rng)

    def decide(self, request: Request) -> Decision:
        """Choose a chunk for the state of the request."""
        # On this thread, so that no decision ever sees half of a change.
        if (wanted := self._wanted()) != self._agent.decision:
            self._agent.configure(wanted)
        return self._agent.decide(request.state, self._randomness(request), self._deadline(request))

    def explain(self, request: Request, decision: Decision) -> Decision:
        """The decision with the futures behind it; as it was, and an error logged, where the model fails at that."""
        try:
            return self._agent.explain(request.state, decision, self._randomness(request, EXPLANATION))
        except Exception as error:  # the command is out already: whatever the model raises costs only the picture
            self._logger.error(f"the decision cannot be explained: {error}", **at_most_every(1.0))
            return decision

    def _deadline(self, request: Request) -> float:
        """Until when, in Python's monotonic s, which the agent reads; inf where time does not count."""
        if request.asked is None:
            return math.inf
        left = (request.asked * 1e-9 + self._allowed) / self._pace - steady_ns() * 1e-9
        return time.monotonic() + left

    def _randomness(self, request: Request, *purpose: int) -> np.random.Generator:
        # Seeded by the tick, not by a running count: the same input gives the same command after any history.
        return np.random.default_rng([self._seed, request.stamp, *purpose])
