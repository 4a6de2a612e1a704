"""The value monitor: what is to be expected from here, of whatever controller drives the robot. It commands nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import DiagnosticStatusWrapper
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from dvf_ros.core.alignment import Aligner
from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.msg import ValueEstimate
from dvf_ros.nodes.clocks import beat_clock
from dvf_ros.nodes.diagnostics import steady_updater
from dvf_ros.nodes.live_parameters import follow_changes
from dvf_ros.nodes.parameters import declare, told_together
from dvf_ros.nodes.robot_spec import declare_spec, load_spec
from dvf_ros.nodes.runtime import run
from dvf_ros.nodes.spec_topics import StateTopics, state_frame
from dvf_ros.nodes.trained_agent import check_checkpoint, declare_checkpoint

if TYPE_CHECKING:
    from dvf_ros.core.expression import Expression
    from dvf_ros.learning.config import Device


NO_REWARD = "no reward: none was learned and none is set; set the parameter reward"
PATIENCE = 5.0
"""s without a tick, at least, before that is told: a simulation may be twenty times slower than time."""


class ValueMonitor(Node):
    """Estimates the value of the measured state, with its errors, from the spec's state topics alone.

    It is computed only while somebody subscribes to `~/value`, and never for a state that is missing or too old.
    """

    def __init__(self) -> None:
        super().__init__("value_monitor")
        with told_together(self):
            spec_file = declare_spec(self)
            checkpoint = declare_checkpoint(self)
            device = declare(
                self,
                "device",
                "auto",
                "Where the model runs; auto takes CUDA if there is one",
                options=("auto", "cpu", "cuda"),
            )
            rate = declare(self, "rate", 5.0, "Hz of values, by the node's clock", low=0.1, high=100.0)
            futures = declare(
                self, "futures", 256, "Sampled futures per value, even: more make its error smaller", low=4, high=65536
            )
            reward = declare(self, "reward", "", "Reward as an expression; empty: the learned one", read_only=False)
            self._seed = declare(
                self, "seed", 0, "Seed: the same state at the same time gives the same value", low=0, high=2**31 - 1
            )
        self._spec = load_spec(spec_file)
        check_checkpoint(checkpoint)
        self._load(checkpoint, device, futures)
        self._agent.set_reward(self._read(reward))
        self._aligner = Aligner(self._spec.state)
        self._problem = "no state yet"
        self._patience = max(PATIENCE, 3.0 / rate)
        self._ticked = time.monotonic()
        self._age = float("inf")
        self._latest: ValueEstimate | None = None
        self._seconds = 0.0
        self._states = StateTopics(self, self._spec, self._aligner.push)
        self._publisher = self.create_publisher(ValueEstimate, "~/value", 1)
        self.create_timer(1 / rate, self._on_timer, clock=beat_clock(self))
        follow_changes(self, check=self._check, apply=self._apply)
        steady_updater(self, self._spec.robot).add("value", self._diagnose)
        for source in self._spec.state:
            if source.resample == "linear":
                self.get_logger().warning(
                    f"'{source.key}' has resample: linear, which needs the value after the tick; its last one is taken"
                )
        self.get_logger().info(
            f"values of {self._spec.robot} {self._spec.task} by the reward: {self._agent.reward_name}"
        )

    def _load(self, checkpoint: str, device: str, futures: int) -> None:
        from dvf_ros.learning.checkpoint import load_checkpoint

        self._agent = load_checkpoint(checkpoint, self._spec)
        wanted = replace(self._agent.decision, device=cast("Device", device), futures=futures, behavior="dropped")
        self._agent.configure(wanted)
        self._agent.estimate(self._spec.neutral_state, np.random.default_rng(0))  # the first call is the slowest

    def _read(self, reward: str) -> Expression | None:
        return parse_expression(reward, self._spec) if reward.strip() else None

    def _check(self, changes: dict[str, Any]) -> None:
        if "reward" in changes and (expression := self._read(changes["reward"])):
            from dvf_ros.learning.written_reward import ExpressionReward

            ExpressionReward(expression, self._agent.encoder)

    def _apply(self, changes: dict[str, Any]) -> None:
        if "reward" in changes:
            self._agent.set_reward(self._read(changes["reward"]))
            self._latest = None
            self.get_logger().info(f"reward: {self._agent.reward_name}")

    def _on_timer(self) -> None:
        self._ticked = time.monotonic()
        stamp = self.get_clock().now().nanoseconds
        sample = self._aligner.sample(stamp)
        self._age = max(sample.ages)
        self._problem = sample.problem or ("" if self._agent.rewarded else NO_REWARD)
        if self._problem or not self._publisher.get_subscription_count():
            return
        begin = time.perf_counter()
        try:
            estimate = self._agent.estimate(sample.values, np.random.default_rng([self._seed, stamp]))
        except ValueError as error:  # NaN or Inf, or a rotation that is none
            self._problem = str(error)
            return
        self._seconds = time.perf_counter() - begin
        frame = state_frame(self._spec, self._states.frames)
        self._latest = ValueEstimate(
            header=Header(stamp=Time(nanoseconds=stamp).to_msg(), frame_id=frame),
            value=float(estimate.value[0]),
            standard_error=float(estimate.standard_error[0]),
            disagreement=float(estimate.disagreement[0]),
            discount=self._agent.training_config.discount,
            samples=len(estimate.offsets),
        )
        self._publisher.publish(self._latest)

    def _diagnose(self, status: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        if (silent := time.monotonic() - self._ticked) > self._patience:
            status.summary(DiagnosticStatus.WARN, f"no value: the clock has stood still for {silent:.0f} s")
        elif self._problem:
            status.summary(DiagnosticStatus.WARN, f"no value: {self._problem}")
        elif not self._publisher.get_subscription_count():
            status.summary(DiagnosticStatus.OK, "nobody subscribes, nothing is computed")
        else:
            status.summary(DiagnosticStatus.OK, "running")
        status.add("reward", self._agent.reward_name)
        status.add("input age (s)", f"{self._age:.3f}")
        if self._latest:
            status.add("value", f"{self._latest.value:.4g}")
            status.add("standard error", f"{self._latest.standard_error:.3g}")
            status.add("disagreement", f"{self._latest.disagreement:.3g}")
            status.add("time of a value (ms)", f"{self._seconds * 1e3:.2f}")
        return status


def main() -> int:
    """Run the monitor until it is told to end."""
    return run(ValueMonitor, shared_memory=False)
