"""What can be set in learning and deciding, with the defaults that were found on Lift."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from dvf_ros.core.parsing import ConfigError

OccupancyPairs = Literal["monte_carlo", "bootstrapped"]
Representation = Literal["index", "context"]
Behavior = Literal["dropped", "max"]
Scoring = Literal["both", "futures", "heads"]
Sampler = Literal["distilled", "exact"]
Unsupported = Literal["report", "stop", "actor"]
Policy = Literal["best", "actor", "prior"]
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class TrainingConfig:
    """All that shapes the weights. Lengths are in ticks of the spec's rate, noise in standard deviations of the state.

    `student_width` is the width of the occupancy's one-step sampler: the narrower, the quicker every decision.
    `context_depth` is how many layers of its own the occupancy has for what it is asked about (state, offset, who
    drives), before it comes to the future: with none it smooths over states that lie apart from the others, as an
    episode's first ones may. They run once per future, however many steps it is sampled in.
    `representation` says how the occupancy knows who drives: by the index of a recorded behavior, or by context, read
    off motion, so that a controller can be valued that was in no data (it takes data of many, told apart by name).
    `occupancy` says what it learns from: monte_carlo takes the futures that were recorded; bootstrapped lets the
    model's own go on where a recording ends, which joins pieces of different ones and learns offsets of any length.
    `label_actions` fills in actions that were not recorded by what the recorded ones teach (inverse dynamics).
    `relative_positions` shows the models how far any two positions of the state are apart, beside where they are.
    `perturbation` is the noise put on every state that a model is conditioned on, so that it tolerates states which
    another model generated; `behavior_drop` the share of training pairs whose behavior is hidden. After `updates` of
    the models come `sampler_distillation` updates of the one-step samplers, then `distillation` updates of the value
    heads and the actor.
    """

    seed: int = 0
    discount: float = 0.97
    chunk: int = 8
    updates: int = 8000
    sampler_distillation: int = 2500
    distillation: int = 1500
    batch: int = 512
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    ema: float = 0.999
    width: int = 256
    student_width: int = 128
    depth: int = 3
    context_depth: int = 0
    members: int = 5
    perturbation: float = 0.1
    behavior_drop: float = 0.25
    representation: Representation = "index"
    occupancy: OccupancyPairs = "monte_carlo"
    label_actions: bool = False
    relative_positions: bool = False

    def __post_init__(self) -> None:
        _require("discount", self.discount, 0.0 < self.discount < 1.0, "between 0 and 1, both excluded")
        _require("ema", self.ema, 0.0 <= self.ema < 1.0, "at least 0 and below 1")
        _require("behavior_drop", self.behavior_drop, 0.0 < self.behavior_drop <= 1.0, "above 0 and at most 1")
        _require("learning_rate", self.learning_rate, 0.0 < self.learning_rate < math.inf, "above 0, and finite")
        require_at_least(self, 0, "seed", "sampler_distillation", "distillation", "context_depth")
        require_at_least(self, 0, "perturbation", "weight_decay")
        require_at_least(self, 1, "chunk", "updates", "batch", "width", "student_width", "depth", "members")


@dataclass(frozen=True)
class DecisionConfig:
    """How an agent decides at run time; may differ from decision to decision of one checkpoint.

    `behavior` says whose value counts: `dropped` leaves the policy representation out (the value of the mixture that
    was recorded), `max` takes the best behavior for every candidate. `pessimism` is how many standard deviations of
    the ensemble a score lies below its value. `prior_temperature` scales the noise that candidates are made from:
    below 1 they keep closer to what was done most. `policy` best takes the best of `candidates`, of which the actor
    gives one if it proposes (it leads further from what was done, for better where values are right there, or for
    worse); actor the one chunk that was distilled from such choices; prior one sample of the prior. `scoring`
    futures samples what follows every candidate; heads asks the distilled value heads, where what is asked is what they
    have learned (the learned reward, the mean of all futures, `behavior` dropped); both takes the level from the heads
    and the differences between candidates from either. `best_share` is the share of a candidate's futures that counts,
    its best ones, two at least: 1 is the mean, what the recorded behavior makes of it; less is what somebody makes of
    it who knows the goal. That suits play, whose futures differ by what the player chose; where chance tells them apart
    it hopes for luck. `sampler` distilled takes one step, where that has been learned; exact takes `occupancy_steps`
    and `prior_steps`. `hop` is the longest offset (ticks) that the occupancy is asked for in one go, 0 the longest that
    the data covers; a longer one is reached in hops, each from where the last one ended, which takes more evaluations
    and may be truer. A candidate resembles the data if the dynamics models agree on it as they do on the training data,
    but for a share `false_alarm` of these. Where none does, `unsupported` says what to do: report it only, stop, or
    leave it to the actor. `device` cuda is refused on a machine without CUDA; in a checkpoint, which may go to another
    machine, it counts as auto.
    """

    candidates: int = 32
    futures: int = 16
    sampler: Sampler = "distilled"
    occupancy_steps: int = 4
    hop: int = 0
    prior_steps: int = 6
    prior_temperature: float = 0.5
    behavior: Behavior = "dropped"
    pessimism: float = 1.0
    policy: Policy = "best"
    actor_proposes: bool = True
    scoring: Scoring = "both"
    best_share: float = 1.0
    false_alarm: float = 1e-3
    unsupported: Unsupported = "report"
    execute: int = 4
    threads: int = 1
    device: Device = "auto"

    def __post_init__(self) -> None:
        require_at_least(self, 1, "candidates", "occupancy_steps", "prior_steps", "execute", "threads")
        require_at_least(self, 0, "hop", "prior_temperature", "pessimism")
        even = self.futures % 2 == 0 and self.futures >= 4
        _require("futures", self.futures, even, "an even number of at least 4 (noise comes in antithetic pairs)")
        _require("false_alarm", self.false_alarm, 1e-4 <= self.false_alarm <= 1.0, "between 1e-4 and 1")
        _require("best_share", self.best_share, 0.0 < self.best_share <= 1.0, "above 0 and at most 1")

    @property
    def by_actor(self) -> str:
        """The setting that asks for the distilled actor; empty where none does."""
        return next((name for name in ("policy", "unsupported") if getattr(self, name) == "actor"), "")


@dataclass(frozen=True)
class LearningConfig:
    """The whole configuration file: `training:` and `decision:`."""

    training: TrainingConfig = field(default_factory=TrainingConfig)
    decision: DecisionConfig = field(default_factory=DecisionConfig)

    def __post_init__(self) -> None:
        limit = self.training.chunk
        _require(
            "decision.execute",
            self.decision.execute,
            self.decision.execute <= limit,
            f"at most training.chunk ({limit})",
        )


def require_at_least(settings: object, least: int, *names: str) -> None:
    """Raise ConfigError unless each of the named numbers is finite and at least `least`; None is no number."""
    for name in names:
        value = getattr(settings, name)
        finite = ", and finite" if isinstance(value, float) else ""
        _require(name, value, value is None or least <= value < math.inf, f"at least {least}{finite}")


def _require(name: str, value: object, holds: bool, expected: str) -> None:
    if not holds:
        raise ConfigError(f"'{name}': expected {expected}, found {value}")
