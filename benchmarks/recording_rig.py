"""The robot that the recorder is measured on: its spec, its publishers as processes, and a recorder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvf_ros.srv import EndEpisode, StartEpisode
from tests.nodes.harness import Observer, Processes, ros_domain

SPEC = """
robot: loaded
task: record
rate: 100.0
state:
  - topic: joint_states
    type: sensor_msgs/msg/JointState
    fields:
      - {name: position, kind: array, path: position, size: 7}
action:
  - topic: command
    type: geometry_msgs/msg/TwistStamped
    fields:
      - {name: velocity, kind: vector, path: twist.linear}
"""
LOW = {"/joint_states": 500.0, "/command": 100.0}  # Hz
IMAGES = {"/left": 30.0, "/right": 30.0}
ROBOT = ("joint_states:joints:500", "command:command:100")
CAMERAS = ("left:image:30", "right:image:30")


class Publisher:
    """A publisher process: `wait` until it has subscribers, `go`, and `finish` for what it says it sent."""

    def __init__(self, domain: int, *words: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.publisher", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"},
        )

    def wait(self) -> None:
        """Until every topic is subscribed to."""
        self._line("ready")

    def go(self) -> None:
        """Begin to publish, or, once finished, leave."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def finish(self) -> dict[str, Any]:
        """Wait until all is published; what was sent by topic, and when (ns) it began."""
        return json.loads(self._line("{"))

    def _line(self, beginning: str) -> str:
        """The next line that begins so: the middleware writes what it has to say among them."""
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith(beginning):
                return line
        raise RuntimeError(f"a publisher ended where it should have said '{beginning}…'")

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.communicate()


class Rig:
    """A domain with an observer; makes recorders and publishers, and ends them all."""

    def __init__(self, folder: Path, processes: Processes, observer: Observer) -> None:
        self.folder = folder
        self.processes = processes
        self.observer = observer
        self.spec = folder / "loaded.yaml"
        self.spec.write_text(SPEC)
        self.publishers: list[Publisher] = []

    def recorder(self, output: Path, name: str = "recorder") -> subprocess.Popen[bytes]:
        """Start a recorder of the robot and its cameras, as the node `name`."""
        parameters = {"spec": self.spec, "output": output, "extra_topics": "[left, right]"}
        return self.processes.start("recorder", parameters, name, remappings={"__node": name})

    def publish(self, seconds: float, *words: str) -> list[Publisher]:
        """Start the robot's and the cameras' publishers, ready to go once they are subscribed to."""
        made = [
            Publisher(self.processes.domain, *streams, "--seconds", str(seconds), *words)
            for streams in (ROBOT, CAMERAS)
        ]
        self.publishers += made
        return made

    def start(self, bag: str, name: str = "recorder") -> Any:
        """Call `~/start`."""
        return self.observer.call(StartEpisode, f"{name}/start", StartEpisode.Request(name=bag))

    def end(self, name: str = "recorder") -> Any:
        """Call `~/end`."""
        return self.observer.call(EndEpisode, f"{name}/end", EndEpisode.Request(), timeout=120.0)

    def close(self) -> None:
        """End the publishers."""
        for publisher in self.publishers:
            publisher.kill()


@contextmanager
def rig(folder: Path) -> Iterator[Rig]:
    """A rig on a domain of its own, its files in `folder`."""
    with ros_domain(folder) as (processes, observer):
        made = Rig(folder, processes, observer)
        try:
            yield made
        finally:
            made.close()
