"""`dvf report` on agents that are special: whose values are alike, or who know drivers by their motion."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt

from dvf_ros.cli.report_pictures import draw_calibration
from dvf_ros.cli.report_sections import ranking
from dvf_ros.learning.checkpoint import save_checkpoint
from dvf_ros.learning.report.calibration import calibrate
from dvf_ros.learning.report.ranking import Ranked, Ranking
from dvf_ros.learning.training import train
from tests.cli.test_report import SECTIONS, parse, report
from tests.data.datasets import write_dataset
from tests.learning.small import CONFIG, dataset

pytestmark = pytest.mark.timeout(600)  # each page takes seconds, but minutes where the machine is busy


@pytest.mark.parametrize("ends", [True, False])
def test_a_cost_of_time_is_valued_even_where_it_makes_all_values_alike(tmp_path: Path, ends: bool) -> None:
    data = dataset()
    terminated = np.arange(data.episodes) % 2 == 0
    data = replace(data, rewards=np.full_like(data.rewards, -1.0), terminated=terminated & ends)
    save_checkpoint(train(data, CONFIG)[0], tmp_path / "agent.yaml", data.digest, "0" * 40)
    write_dataset(tmp_path / "data", data)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert report(tmp_path) == 0
    page = parse(tmp_path / "report.html")
    assert set(SECTIONS) - set(page.pictures) == {"success"}
    assert not any("has learned no reward" in words for words in page.words.values())


def test_values_that_are_alike_but_for_rounding_are_drawn() -> None:
    predicted = np.full(50, -99.0) + np.arange(50) % 3 * np.spacing(99.0)
    found = calibrate(10, predicted, np.zeros(50), np.full(50, -30.0), np.arange(50) // 10)
    figure = draw_calibration.__wrapped__(found)
    widths = [bar.get_width() for bar in figure.axes[1].patches]
    plt.close(figure)
    assert len(widths) == 30 and min(widths) > 1e-9, "bars of no width show nothing, and newer numpy refuses them"


@pytest.mark.parametrize("known", [True, False])
def test_the_note_on_a_ranking_says_how_the_agent_knows_who_drives(known: bool) -> None:
    ranked = Ranked("x", known, 3, 1.0, 0.1, 1.0, 0.1)
    by_name, by_motion = (
        " ".join(ranking(Ranking(5, (ranked, ranked), 1.0, by_motion=by_motion)).notes) for by_motion in (False, True)
    )
    assert "for the behavior by name" in by_name and "luck" not in by_name
    assert "their luck shows in their motion" in by_motion and "by name" not in by_motion
    assert ("does not know this behavior by name" in by_name) != known
    assert ("does not know this behavior by its motion" in by_motion) != known


def test_an_agent_that_reads_motion_is_said_to(tmp_path: Path) -> None:
    config = replace(CONFIG, training=replace(CONFIG.training, representation="context"))
    data = dataset()
    save_checkpoint(train(data, config)[0], tmp_path / "agent.yaml", data.digest, "0" * 40)
    write_dataset(tmp_path / "data", data)
    assert report(tmp_path) == 0
    assert "their luck shows in their motion" in parse(tmp_path / "report.html").words["ranking"]
