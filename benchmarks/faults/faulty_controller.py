"""The controller with a model that fails when asked to (topic `fault`): `python -m` this module.

It is the node itself; only what the model answers is spoiled. When a fault first shows, `fault_began` says the steady
time (s), which all processes of a machine share.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np
from std_msgs.msg import String

from dvf_ros.control.brain import Request
from dvf_ros.core.decision import Decision
from dvf_ros.nodes.controller import Controller
from dvf_ros.nodes.runtime import run

HANG = 5.0


class FaultyController(Controller):
    """Spoils decisions as the topic `fault` says."""

    def __init__(self) -> None:
        super().__init__()
        self._fault = ""
        self._began = self.create_publisher(String, "fault_began", 10)
        self.create_subscription(String, "fault", self._on_fault, 10)

    def _on_fault(self, message: String) -> None:
        self._fault, self._told = message.data, False

    def _decide(self, request: Request) -> Decision:
        decision = super()._decide(request)
        fault = self._fault
        if fault and not self._told:
            self._told = True
            self._began.publish(String(data=repr(time.monotonic())))
        bad = np.nan if "NaN" in fault else np.inf
        match fault:
            case "full speed":
                chunk = decision.chunk.copy()
                chunk[:, :3] = 0.5
                decision = replace(decision, chunk=chunk)
            case "action NaN" | "action Inf":
                decision = replace(decision, chunk=np.full_like(decision.chunk, bad))
            case "score NaN" | "score Inf":
                decision = replace(decision, scores=np.full_like(decision.scores, bad))
            case "action shape":
                decision = replace(decision, chunk=decision.chunk[:, :-1])
            case "model raises":
                raise RuntimeError("spoiled on purpose")
            case "model hangs":
                time.sleep(HANG)
        return decision


if __name__ == "__main__":
    sys.exit(run(FaultyController, shared_memory=False))
