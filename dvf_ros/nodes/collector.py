"""Collect episodes of scripted behaviours through the topics, one bag each, as fast as the simulation steps."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from rclpy.node import Node
from rclpy.task import Future

from dvf_ros.core.parsing import nearest
from dvf_ros.core.results import write_results
from dvf_ros.data.bag_reader import BagError, read_custom
from dvf_ros.nodes.episodes import EpisodeError, EpisodeServices, OutcomeCounter, Script
from dvf_ros.nodes.parameters import declare, told_together
from dvf_ros.nodes.robot_spec import declare_spec, load_spec
from dvf_ros.nodes.runtime import run
from dvf_ros.nodes.scripted_driver import ScriptedDriver
from dvf_ros.sim.behaviors import BEHAVIORS
from dvf_ros.sim.placing import HANDS

START_TIMEOUT = 60.0
"""s for the simulation and the recorder to come up; robosuite compiles at its first start."""

OUTCOMES = {"success": True, "failure": False}


@dataclass(frozen=True)
class Planned:
    """An episode to be collected; its number decides everything about it."""

    name: str
    behavior: str
    seed: int


class Collector(Node):
    """Drives the simulated arm with scripted behaviours and has each episode recorded; ends when all are there."""

    def __init__(self) -> None:
        super().__init__("collector")
        with told_together(self):
            spec = declare_spec(self)
            output = declare(self, "output", "bags", "Folder of the bags, the same as the recorder's")
            count = declare(
                self, "episodes", 400, "Episodes in all, those already recorded included", low=1, high=99_999
            )
            self._steps = declare(self, "steps", 120, "Steps of an episode", low=1, high=100_000)
            seed = declare(self, "seed", 0, "Seed of the first episode; the next ones count up", low=0, high=2**31 - 1)
            behaviors = declare(self, "behaviors", sorted(BEHAVIORS), "Behaviors, taken in turn; one may stand twice")
            self._every = declare(
                self, "report_every", 20, "Episodes between two lines of progress", low=1, high=10_000
            )
            self._stall = declare(
                self, "stall_timeout", 20.0, "s without a step after which to give up", low=1.0, high=600.0
            )
            self._result = declare(self, "result", "results/collect.json", "File for the figures; empty: none")
        self._spec = load_spec(spec)
        if not behaviors:
            raise ValueError(f"parameter 'behaviors': expected one or more of {sorted(BEHAVIORS)}, found none")
        for name in behaviors:
            if name not in BEHAVIORS:
                raise ValueError(f"parameter 'behaviors': unknown behavior '{name}'; {nearest(name, BEHAVIORS)}")
        if self._spec.task not in HANDS:
            raise ValueError(f"'{spec}': no behavior is scripted for its task '{self._spec.task}', for {[*HANDS]} only")
        self._output = Path(output)
        turns = [behaviors[i % len(behaviors)] for i in range(count)]
        self._plan = [Planned(f"{i:04d}_{name}", name, seed + i) for i, name in enumerate(turns)]
        self._successes: dict[str, list[bool]] = defaultdict(list)
        self._simulated = self._spent = 0.0
        self._recording = False
        self.done = Future()
        self._script = Script(self, self.done, self._collect)
        self._episodes = EpisodeServices(self, self._script, recording=True)
        self._driver = ScriptedDriver(self, self._spec)
        self._counter = OutcomeCounter(self, self._spec.period_ns)
        self._script.start()

    def close(self) -> None:
        """End the script; a bag that is half full is given up."""
        self._script.close()
        if self._recording:
            self._episodes.abandon_recording()

    def _collect(self) -> int:
        todo = [planned for planned in self._plan if not self._recorded(planned)]
        log = self.get_logger()
        if len(todo) < len(self._plan):
            log.info(f"{len(self._plan) - len(todo)} of {len(self._plan)} episodes are in '{self._output}' already")
        self._episodes.wait(START_TIMEOUT)
        # Stamps can be told apart from the last episode's only once one was heard.
        self._episodes.pause(False)
        if todo and not self._script.wait(self._driver.heard, START_TIMEOUT):
            raise EpisodeError(f"no state on '{self._spec.state[0].topic}' within {START_TIMEOUT:g} s")
        self._episodes.pause(True)
        begin = time.monotonic()
        for number, planned in enumerate(todo, 1):
            self._run(planned)
            self._spent = time.monotonic() - begin
            if number % self._every == 0 and number < len(todo):
                left = self._spent / number * (len(todo) - number)
                log.info(
                    f"{len(self._plan) - len(todo) + number}/{len(self._plan)}: {self._summary()}, {left:.0f} s left"
                )
        log.info(f"collected {len(todo)} episodes in {self._spent:.0f} s: {self._summary()}")
        if self._result:
            self._write(len(todo))
        return 0

    def _recorded(self, planned: Planned) -> bool:
        """Whether the bag is there and complete; a half bag, cut off when a run was ended, is deleted."""
        folder = self._output / planned.name
        if not folder.exists():
            return False
        try:
            custom = read_custom(folder)
        except BagError:
            custom = {}
        if custom.get("outcome") not in OUTCOMES:
            self.get_logger().warning(f"'{folder}' was cut off; it is deleted and collected anew")
            shutil.rmtree(folder)
            return False
        if custom.get("spec_digest") != self._spec.digest:
            raise EpisodeError(f"'{folder}' was recorded with another robot spec; name another folder by 'output'")
        self._successes[planned.behavior].append(OUTCOMES[custom["outcome"]])
        return True

    def _run(self, planned: Planned) -> None:
        """One episode into one bag.

        A waiting simulation says its state again and again: paused, it does not, so that the bag, opened before the
        reset to have the first state, has nothing of the episode before.
        """
        behavior = HANDS[self._spec.task](BEHAVIORS[planned.behavior])
        behavior.reset(planned.seed)
        self._episodes.start_recording(planned.behavior, planned.name)
        self._recording = True
        self._counter.begin(self._steps)
        self._driver.begin(behavior.command, self._steps)
        self._episodes.reset(planned.seed)
        self._episodes.pause(False)
        result = self._counter.wait(self._script, self._stall)
        self._episodes.pause(True)
        self._episodes.end_recording("success" if result.succeeded else "failure")
        self._recording = False
        self._successes[planned.behavior].append(result.succeeded)
        self._simulated += self._steps / self._spec.rate

    def _summary(self) -> str:
        shares = ", ".join(f"{name} {_share(self._successes[name]):.0%}" for name in sorted(self._successes))
        return f"{_share(self._all):.0%} succeeded ({shares}), {self._speed:.1f} x real time"

    @property
    def _all(self) -> list[bool]:
        return [success for values in self._successes.values() for success in values]

    @property
    def _speed(self) -> float:
        """Simulated seconds in one second, resets and recording included; 0 if nothing was collected."""
        return self._simulated / self._spent if self._spent else 0.0

    def _write(self, collected: int) -> None:
        figures = {
            "episodes": len(self._all),
            "collected_now": collected,
            "success_rate": _share(self._all),
            **{f"success_rate_{name}": _share(values) for name, values in sorted(self._successes.items())},
            "steps_per_episode": self._steps,
            "seconds": self._spent,
            "times_real_time": self._speed,
        }
        command = f"ros2 launch dvf_ros collect.launch.py task:={self._spec.task} episodes:={len(self._plan)}"
        write_results(self._result, figures, [], [planned.seed for planned in self._plan], command)


def _share(successes: list[bool]) -> float:
    return sum(successes) / len(successes) if successes else 0.0


def main() -> int:
    """Collect until all episodes are recorded, or until told to end."""
    return run(Collector)
