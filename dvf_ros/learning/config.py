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

    After `updates` of the models come `sampler_distillation` updates of the one-step samplers, then `distillation`
    updates of the value heads and the actor.
    """

    seed: int = 0
    """Of first weights, batches and noise; 0 or more."""
    discount: float = 0.97
    """What a reward is worth a tick later, γ; above 0 and below 1."""
    chunk: int = 8
    """Actions in a row that a candidate is, in ticks; 1 or more."""
    updates: int = 8000
    """Gradient steps of the models; 1 or more."""
    sampler_distillation: int = 2500
    """Gradient steps of the one-step samplers, which learn from the models; 0: none, and samples take several steps."""
    distillation: int = 1500
    """Gradient steps of the value heads and the actor, which learn from sampled values; 0: none, and no actor."""
    batch: int = 512
    """Training pairs of one gradient step, over all processes; 1 or more."""
    learning_rate: float = 3e-3
    """Size of the models' first gradient steps (AdamW); above 0."""
    weight_decay: float = 1e-2
    """How strongly weights are drawn to zero (AdamW); 0 or more."""
    ema: float = 0.999
    """Share that the averaged weights, which are the ones used, keep of themselves at an update; 0 or more, below 1."""
    width: int = 256
    """Numbers in a hidden layer of the models; 1 or more."""
    student_width: int = 128
    """The same of the occupancy's one-step sampler, 1 or more: the narrower, the quicker every decision."""
    depth: int = 3
    """Hidden layers of occupancy and prior, one more than the dynamics and the actor have; 1 or more."""
    context_depth: int = 0
    """Layers that the occupancy has for what it is asked about (state, offset, who drives) alone; 0 or more.
    With none it smooths over states that lie apart from the others, as an episode's first ones may.
    They run once per future, however many steps it is sampled in."""
    members: int = 5
    """Models in each ensemble (dynamics, reward, value heads), whose disagreement is the doubt; 1 or more."""
    perturbation: float = 0.1
    """Noise on every state that a model is conditioned on, in standard deviations of the state; 0 or more.
    It makes them tolerate states which another model generated."""
    behavior_drop: float = 0.25
    """Share of training pairs whose behavior is hidden from the occupancy; above 0, at most 1.
    With 1 it learns nothing of single behaviors, but only what they are together."""
    representation: Representation = "index"
    """How the occupancy knows who drives: by the index of a recorded behavior, or by context, read off motion.
    With context a controller can be valued that was in no data; it takes data of many, told apart by name."""
    occupancy: OccupancyPairs = "monte_carlo"
    """What the occupancy learns from.
    monte_carlo: the futures that were recorded.
    bootstrapped: beyond the end of a recording the model's own, which joins pieces and learns offsets of any length."""
    label_actions: bool = False
    """Fill in actions that were not recorded by what the recorded ones teach (inverse dynamics)."""
    relative_positions: bool = False
    """Show the models how far any two positions of the state are apart, beside where they are."""

    def __post_init__(self) -> None:
        _require("discount", self.discount, 0.0 < self.discount < 1.0, "between 0 and 1, both excluded")
        _require("ema", self.ema, 0.0 <= self.ema < 1.0, "at least 0 and below 1")
        _require("behavior_drop", self.behavior_drop, 0.0 < self.behavior_drop <= 1.0, "above 0 and at most 1")
        if not self.learns_behaviors and self.representation == "context":
            raise ConfigError(
                "'behavior_drop': expected below 1 with representation context, which otherwise learns of nobody who "
                "drives, found 1; lower it, or train with representation index"
            )
        _require("learning_rate", self.learning_rate, 0.0 < self.learning_rate < math.inf, "above 0, and finite")
        require_at_least(self, 0, "seed", "sampler_distillation", "distillation", "context_depth")
        require_at_least(self, 0, "perturbation", "weight_decay")
        require_at_least(self, 1, "chunk", "updates", "batch", "width", "student_width", "depth", "members")

    @property
    def learns_behaviors(self) -> bool:
        """Whether the occupancy is ever told who drives."""
        return self.behavior_drop < 1.0

    @property
    def learns_names(self) -> bool:
        """Whether it is told so by name: by the index of a behavior of the training data."""
        return self.learns_behaviors and self.representation == "index"


@dataclass(frozen=True)
class DecisionConfig:
    """How an agent decides at run time; may differ from decision to decision of one checkpoint."""

    candidates: int = 32
    """Chunks of actions that a decision chooses from; 1 or more."""
    futures: int = 16
    """Futures that are sampled of each candidate; an even number, 4 or more."""
    sampler: Sampler = "distilled"
    """How samples are drawn.
    distilled: in one step, where that has been learned.
    exact: in `occupancy_steps` and `prior_steps`."""
    occupancy_steps: int = 4
    """Steps in which a future is sampled where the sampler is exact; 1 or more."""
    hop: int = 0
    """Longest offset that the occupancy is asked for in one go, in ticks; 0: the longest that the data covers.
    A longer one is reached in hops, each from where the last one ended: more evaluations, and maybe truer."""
    prior_steps: int = 6
    """Steps in which a candidate is sampled where the sampler is exact; 1 or more."""
    prior_temperature: float = 0.5
    """Scale of the noise that candidates are made from, 0 or more: below 1 they keep closer to what was done most."""
    behavior: Behavior = "dropped"
    """Whose value counts: dropped, that of the recorded mixture; max, that of the best behavior for every candidate."""
    pessimism: float = 1.0
    """How far a score lies below its value, in standard deviations of the ensemble; 0 or more."""
    policy: Policy = "best"
    """What is done.
    best: the best of the candidates.
    actor: the one chunk that was distilled from such choices.
    prior: one sample of the prior."""
    actor_proposes: bool = True
    """Let the actor give one of the candidates, where one has been learned.
    It leads further from what was done: for better where values are right there, or for worse."""
    scoring: Scoring = "both"
    """What tells the value of candidates.
    futures: what is sampled after every one.
    heads: the distilled value heads, for what they know: the learned reward, all futures' mean, behavior dropped.
    both: the level from the heads, the differences between candidates from either."""
    best_share: float = 1.0
    """Share of a candidate's futures that counts, its best ones, two at least; above 0, at most 1.
    1 is the mean, what the recorded behavior makes of it; less is what somebody makes of it who knows the goal.
    That suits play, whose futures differ by what the player chose; where chance tells them apart it hopes for luck."""
    false_alarm: float = 1e-3
    """Share of the training data that would be found unlike it by the same measure; 1e-4 to 1.
    A candidate resembles the data if the dynamics models agree on it as they do on the rest."""
    unsupported: Unsupported = "report"
    """What to do where no candidate resembles the data: report it only, stop, or leave it to the actor."""
    execute: int = 4
    """Actions of the chosen chunk that are sent before the next decision, in ticks; 1 to the chunk's length."""
    threads: int = 1
    """CPU threads that torch takes in the process, in training as in deciding; 1 or more."""
    device: Device = "auto"
    """Where the models run, in training as in deciding: auto takes CUDA if there is one, cuda is refused without.
    In a checkpoint, which may go to another machine, cuda counts as auto."""

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


def require_learned(decision: DecisionConfig, training: TrainingConfig, distilled: bool) -> None:
    """Raise ConfigError where a decision asks for what an agent that was trained so has not learned."""
    if decision.by_actor and not distilled:
        raise ConfigError(
            f"'{decision.by_actor}': found actor, which this agent has not learned: it was trained without "
            "rewards, or without distillation; set something else, or train anew with both (training.distillation)"
        )
    if decision.behavior == "max" and not training.learns_names:
        why = "representation context" if training.learns_behaviors else f"behavior_drop {training.behavior_drop:g}"
        raise ConfigError(
            f"'behavior': expected dropped, found max; this agent was trained with {why}, and knows no behavior by name"
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
