"""An agent that sees positions relative to one another as well: trained, kept in a file, and asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.checkpoint import load_checkpoint, save_checkpoint
from dvf_ros.learning.config import LearningConfig
from dvf_ros.learning.training import train
from tests.learning.small import CONFIG, SPEC, episode

PLACE = """
  - topic: place
    type: geometry_msgs/msg/PointStamped
    fields:
      - {name: place, kind: vector, path: point, unit: m}
action:"""
TWO_POSITIONS = RobotSpec.parse(
    SPEC.text.replace("path: pose.position}", "path: pose.position, unit: m}").replace("\naction:", PLACE)
)


def test_an_agent_with_relative_positions_decides_as_before_when_it_was_saved_and_loaded(tmp_path: Path) -> None:
    episodes = []
    for seed in range(6):
        made = episode(seed, "ab"[seed % 2])
        place = np.random.default_rng(seed).normal(size=3).astype(np.float32)
        episodes.append(replace(made, states=np.hstack([made.states, np.tile(place, (len(made.states), 1))])))
    data = Dataset.from_episodes(TWO_POSITIONS, episodes)
    config = LearningConfig(replace(CONFIG.training, relative_positions=True), CONFIG.decision)
    agent, _ = train(data, config)
    save_checkpoint(agent, tmp_path / "agent.yaml", data.digest, "test")
    loaded = load_checkpoint(tmp_path / "agent.yaml")
    state = np.array(data.states[3])
    first, again = (one.decide(state, np.random.default_rng(0)) for one in (agent, loaded))
    np.testing.assert_array_equal(first.chunk, again.chunk)
    assert agent.encoder.size == 3 + 6 + 3 + 3
    futures = loaded.explain(state, again, np.random.default_rng(1)).futures
    assert futures.shape[1:] == state.shape and np.isfinite(futures).all(), "what was imagined, in the spec's numbers"
