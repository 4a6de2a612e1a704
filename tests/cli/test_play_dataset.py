"""Play as a dataset: the frames are those of the simulation, nobody labelled them, and the seeds say it all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dvf_ros.cli.play import Play, main, play_episode
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset
from dvf_ros.data.exchange import ExchangeError
from dvf_ros.sim.robosuite_sim import RobosuiteSim
from dvf_ros.sim.topics import SpecView

pytest.importorskip("robosuite")


def test_recorded_actions_lead_from_each_recorded_state_to_the_next(tmp_path: Path) -> None:
    assert main(Play(tmp_path, calm=1, brisk=1, steps=30, seed=4, processes=1)) == 0
    data = Dataset.open(tmp_path)
    assert data.episodes == 2 and data.episode_length.tolist() == [31, 31]
    assert not data.reward_mask.any() and np.isnan(data.success).all() and data.behavior_names == ("brisk", "calm")
    spec = RobotSpec.load("config/panda_play.yaml")
    sim, view = RobosuiteSim("play"), SpecView(spec)
    piece = data.frames_of(1)
    np.testing.assert_array_equal(view.state(sim.reset(4)), data.states[piece][0])
    assert data.action_mask[piece].tolist() == [True] * 30 + [False]
    for action, after in zip(data.actions[piece][:-1], data.states[piece][1:], strict=True):
        # Actions are stored as float32, the simulation was commanded in float64.
        np.testing.assert_allclose(view.state(sim.step(view.command(action))), after, atol=1e-3)
    again = play_episode(spec.text, 30, "brisk", 4)
    np.testing.assert_array_equal(again.states, data.states[piece])


def test_a_folder_that_holds_anything_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "states.npy").write_bytes(b"somebody's")
    with pytest.raises(ExchangeError, match="is not empty; name a new folder"):
        main(Play(tmp_path, calm=1, brisk=0, steps=1, processes=1))
    assert (tmp_path / "states.npy").read_bytes() == b"somebody's"
