"""Whether the robot of a spec can be simulated here: known before anything is built."""

from __future__ import annotations

from collections.abc import Collection

from dvf_ros.core.spec import RobotSpec
from dvf_ros.sim.robosuite_sim import TASKS, TIMESTEP, substeps
from dvf_ros.sim.topics import missing_topics, topics_of


def misfit(spec: RobotSpec, tasks: Collection[str], lack: str) -> str:
    """What of the spec does not fit the simulation of one of these tasks, in words; empty where all does.

    `lack` says why the other tasks of the simulation will not do, e.g. "knows no success".
    """
    if spec.task not in tasks:
        why = f", which {lack}" if spec.task in TASKS else ""
        return f"expected one of the tasks {', '.join(sorted(tasks))}, found the task '{spec.task}'{why}"
    objects = TASKS[spec.task].objects
    if missing := missing_topics(spec, objects):
        return f"expected the topics {', '.join(topics_of(objects))}, found {', '.join(missing)}"
    try:
        substeps(spec.rate, TIMESTEP)
    except ValueError as error:
        return str(error)
    return ""
