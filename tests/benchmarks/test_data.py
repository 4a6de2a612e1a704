"""The bags and datasets that conversion is measured on: what they hold is what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.data import bars
from benchmarks.data_bags import RATES, SPEC, write_bag
from benchmarks.data_conversion import content, decode
from benchmarks.data_scale import write_dataset
from dvf_ros.data.bag_conversion import DEFAULTS, convert_bag
from dvf_ros.data.dataset import Dataset


@pytest.mark.parametrize("name", list(RATES))
def test_a_bag_is_converted_without_a_word(tmp_path: Path, name: str) -> None:
    bag = write_bag(tmp_path / "bag", 4.0, RATES[name])
    report = convert_bag(bag, SPEC.text, DEFAULTS, tmp_path / "parts")
    assert report.status == "converted" and not report.warnings and not report.refused and not report.note
    assert decode(bag, RATES[name]) == sum(report.messages.values()) == 4 * sum(RATES[name].values())
    data = Dataset.open(next((tmp_path / "parts").iterdir()))
    assert 190 < data.frames <= 200
    time = (data.stamps - 1_700_000_000 * 10**9) * 1e-9
    held = np.floor(time * RATES[name]["/joint_states"] + 1e-6) / RATES[name]["/joint_states"]
    np.testing.assert_allclose(data.states[:, 3], np.sin(held + 0.9), atol=1e-6)


def test_a_dataset_has_the_frames_that_it_was_asked_for_and_one_seed_one_content(tmp_path: Path) -> None:
    one, two, other = (write_dataset(tmp_path / name, 3000, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert 3000 <= Dataset.open(one).frames < 3750
    assert content(one) == content(two) != content(other)


def test_one_miss_is_one_bar_that_does_not_hold() -> None:
    scale = {"frames": 10**7, "pairs_per_s": 2e6, "pairs_with_states_per_s": 2e6, "open_s": 0.1}
    figures = {
        "conversion": {name: {"share": 0.6} for name in RATES},
        "memory": {"minutes_growth": 1.0},
        "spread": {"speed_up": 1.8, "two_processes_same": True, "merged_same": True, "ray_same": True},
        "small": scale,
        "large": scale,
        "cost_ratio": 1.0,
    }
    assert all(bar.holds for bar in bars(figures))
    missed = bars(figures | {"spread": figures["spread"] | {"ray_same": False}})
    assert [bar.name for bar in missed if not bar.holds] == ["Ray with two workers gives the same bytes"]
