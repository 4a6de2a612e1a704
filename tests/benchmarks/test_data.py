"""The bags and datasets that conversion is measured on: what they hold is what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from benchmarks.data import Part, bars
from benchmarks.data_bags import RATES, SPEC, write_bag
from benchmarks.data_conversion import decode
from benchmarks.data_scale import convert, drawing_seconds, write_bags
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


def test_many_bags_convert_by_the_command_to_the_frames_that_were_asked_for(tmp_path: Path) -> None:
    source = write_bags(tmp_path / "bags", 3000, 3)
    assert convert(source, tmp_path / "data")["conversion_peak_mib"] > 10
    data = Dataset.open(tmp_path / "data")
    assert 2990 < data.frames <= 3000 and len(set(data.source)) == 3
    np.testing.assert_allclose(data.states[:, 0], np.sin((data.stamps - data.stamps[0]) * 1e-9), atol=1e-6)
    drawn, fetched = drawing_seconds({"one": data, "other": data})
    assert all((drawn[name] > 0).all() and (drawn[name] < fetched[name]).all() for name in ("one", "other"))


def test_what_the_parent_holds_is_no_memory_of_its_child() -> None:
    held = np.ones(50_000_000)  # 400 MB
    words = [sys.executable, "-c", "from benchmarks.peak_memory import peak_mib; print(peak_mib())"]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    assert 5 < float(ran.stdout) < held.nbytes / 2**20 / 4


def test_one_miss_is_one_bar_that_does_not_hold() -> None:
    size = {"frames": 10**7, "pairs_per_s": 2e6, "pairs_with_states_per_s": 2e6, "open_s": 0.1}
    figures: dict[Part, dict[str, Any]] = {
        "conversion": {name: {"share": 0.6} for name in RATES},
        "memory": {"minutes_growth": 1.0},
        "spread": {"speed_up": 1.8, "two_processes_same": True, "merged_same": True, "ray_same": True},
        "scale": {"small": size, "large": size, "peak_growth": 1.0, "cost_ratio": 1.0},
    }
    found = [bar for part in get_args(Part) for bar in bars(part, figures[part])]
    assert all(bar.holds for bar in found) and len(found) == 13
    missed = bars("spread", figures["spread"] | {"ray_same": False})
    assert [bar.name for bar in missed if not bar.holds] == ["Ray with two workers gives the same bytes"]
