"""A controller that is configured, activated, deactivated and cleaned up over and over keeps nothing of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from lifecycle_msgs.msg import Transition

from benchmarks.faults.matrix import parameter_words
from benchmarks.faults.rig import SPEC_FILE, files_of, memory_of, rig, threads_of, transition
from tests.nodes.harness import wait_for

CYCLE = (
    Transition.TRANSITION_CONFIGURE,
    Transition.TRANSITION_ACTIVATE,
    Transition.TRANSITION_DEACTIVATE,
    Transition.TRANSITION_CLEANUP,
)
WARM = 5


@dataclass(frozen=True)
class Holdings:
    """What a process has: threads, open files, entities in the ROS graph, resident MB."""

    threads: int
    files: int
    entities: int
    memory: float


def run_lifecycle(checkpoint: Path, folder: Path, cycles: int) -> tuple[Holdings, Holdings]:
    """What the unconfigured controller holds after the first few cycles, and after `cycles` more."""
    with rig(folder) as (processes, observer, _):
        words = parameter_words({"spec": SPEC_FILE, "checkpoint": checkpoint})
        process = processes.start_module("benchmarks.faults.faulty_controller", *words)
        node = observer.node

        def entities() -> int:
            whose = ("controller", "/")
            return (
                len(node.get_publisher_names_and_types_by_node(*whose))
                + len(node.get_subscriber_names_and_types_by_node(*whose))
                + len(node.get_service_names_and_types_by_node(*whose))
                + sum(node.count_publishers(topic) for topic in ("cmd_twist", "joint_target", "controller/status"))
            )

        def holdings() -> Holdings:
            return Holdings(threads_of(process.pid), files_of(process.pid), entities(), memory_of(process.pid))

        for _ in range(WARM):
            transition(observer, *CYCLE)
        wait_for(lambda: node.count_publishers("controller/status") == 0, "the cleaned-up graph")
        before = holdings()
        for number in range(cycles):
            transition(observer, *CYCLE)
            if number % 10 == 9:
                print(f"{number + 1} cycles: {asdict(holdings())}", flush=True)
        wait_for(lambda: node.count_publishers("controller/status") == 0, "the cleaned-up graph")
        return before, holdings()
