"""The shipped checkpoint drives the simulated arm for long, while another process keeps a core busy."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from lifecycle_msgs.msg import Transition

from benchmarks.faults.rig import busy_core, memory_of, transition
from dvf_ros.control.gate import input_topic
from dvf_ros.core.spec import RobotSpec
from dvf_ros.msg import ControllerStatus
from tests.nodes.harness import Observer, ros_domain, wait_for

ROOT = Path(__file__).parents[2]
SPEC_FILE = ROOT / "config" / "panda_lift.yaml"
CHECKPOINT = ROOT / "resource" / "panda_lift.yaml"
SETTLE = 10.0


def run_soak(folder: Path, seconds: float) -> dict[str, float]:
    """Periods of what the robot hears, missed deadlines and memory, over `seconds` after the first ten."""
    spec = RobotSpec.load(SPEC_FILE)
    folder.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    neighbour = context.Process(target=busy_core, args=(stop,), daemon=True)
    neighbour.start()
    try:
        with ros_domain(folder) as (processes, observer):
            arrivals: list[float] = []
            observer.node.create_subscription(
                TwistStamped, "cmd_twist", lambda _: arrivals.append(time.monotonic()), 100
            )
            said = observer.collect(ControllerStatus, "controller/status", 1)
            processes.start("sim_bridge", {"spec": SPEC_FILE, "mode": "realtime"})
            processes.start("command_gate", {"spec": SPEC_FILE})
            process = processes.start(
                "controller",
                {
                    "spec": SPEC_FILE,
                    "checkpoint": CHECKPOINT,
                    "tick_on": "state",
                    "use_sim_time": True,
                    "device": "cpu",
                },
                remappings={source.topic: input_topic(source.topic) for source in spec.action},
            )
            transition(observer, Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
            wait_for(lambda: arrivals, "the first command", timeout=60.0)
            time.sleep(SETTLE)
            before, first, memory = said[-1], len(arrivals), memory_of(process.pid)
            del said[:-1]
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(1.0)
                del said[:-1]
            after, taken, grown = said[-1], arrivals[first:], memory_of(process.pid) - memory
            longest_misses = _misses_in_a_row(observer)
    finally:
        stop.set()
        neighbour.join(5)
    periods = np.diff(taken) * 1e3
    decisions = after.decisions - before.decisions
    misses = after.deadline_misses - before.deadline_misses
    low, middle, high = np.percentile(periods, (1, 50, 99))
    return {
        "seconds": seconds,
        "commands": len(taken),
        "period_p01_ms": float(low),
        "period_p50_ms": float(middle),
        "period_p99_ms": float(high),
        "period_max_ms": float(periods.max()),
        "decisions": decisions,
        "deadline_misses": misses,
        "miss_share": misses / max(1, decisions + misses),
        "misses_in_a_row": longest_misses,
        "memory_growth_mb": grown,
        "tick_p50_ms": after.latency_p50_ms,
        "tick_p99_ms": after.latency_p99_ms,
    }


def _misses_in_a_row(observer: Observer) -> int:
    """The longest run of missed deadlines, from /diagnostics."""
    arrays = observer.collect(DiagnosticArray, "/diagnostics")

    def found() -> list[str]:
        return [v.value for a in list(arrays) for s in a.status for v in s.values if v.key == "misses in a row"]

    return int(wait_for(found, "the controller's diagnostics")[-1])
