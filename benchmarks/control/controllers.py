"""Who is compared: one trained agent as it decides, what is left of it without one of its parts, and the libraries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from benchmarks.regressed_value import RegressedValue
from benchmarks.rescored import RescoredAgent
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import load_checkpoint
from dvf_ros.learning.config import DecisionConfig

DVF = "dvf"
PRIOR, WIDE_PRIOR = "prior alone", "prior alone, temperature 1"
SIX_STEPS = "six sampling steps"
REGRESSED, GREEDY = "scored by a regressed value", "scored by the reward after the chunk"
PRIORS = (PRIOR, WIDE_PRIOR)
SETTINGS: dict[str, dict[str, Any]] = {
    DVF: {},
    PRIOR: {"policy": "prior"},
    WIDE_PRIOR: {"policy": "prior", "prior_temperature": 1.0},
    "futures and heads": {"scoring": "both"},
    "heads without futures": {"scoring": "heads"},
    "the actor proposes too": {"actor_proposes": True},
    "maximum over behaviors": {"behavior": "max"},
    SIX_STEPS: {"sampler": "exact", "occupancy_steps": 6},
    "one sampling step, not distilled": {"sampler": "exact", "occupancy_steps": 1, "prior_steps": 6},
}
"""How each decides, other than the agent itself."""

ABLATIONS = (*(name for name in SETTINGS if name not in (DVF, *PRIORS, SIX_STEPS)), REGRESSED, GREEDY)
"""The agent without a part, or with another in its place. Six steps, which its sampler was distilled from, are more."""
OWN = (*SETTINGS, REGRESSED, GREEDY)
LIBRARIES = ("bc", "td3_bc", "iql", "cql")
"""Algorithms of d3rlpy."""


def controller(name: str, checkpoint: Path, decision: DecisionConfig) -> DvfAgent:
    """One of OWN, from the files that its training left: the checkpoint, and the regressed value beside it."""
    agent = load_checkpoint(checkpoint, decision=replace(decision, **SETTINGS.get(name, {"scoring": "futures"})))
    if name == REGRESSED:
        model = RegressedValue(agent.encoder.size)
        model.load_state_dict(load_file(regressed_path(checkpoint)))
        return RescoredAgent.of(agent, model)
    if name == GREEDY:
        return RescoredAgent.of(agent, lambda states: agent.reward.predict(states).mean(dim=0))
    return agent


def regressed_path(checkpoint: Path) -> Path:
    """Where the regressed value of an agent lies."""
    return checkpoint.with_suffix(".regressed.safetensors")
