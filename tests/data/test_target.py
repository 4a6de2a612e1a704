"""A dataset is written over nothing but an earlier conversion of its own bags, and the old one goes last."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dvf_ros.cli.main import main as dvf
from dvf_ros.data import conversion
from dvf_ros.data.bag_search import ConversionError
from dvf_ros.data.conversion import convert
from dvf_ros.data.dataset import Dataset
from dvf_ros.data.sharding import convert_shard, merge
from tests.data.bag_making import SPEC, write_reach
from tests.data.datasets import write_dataset
from tests.data.test_conversion import content
from tests.data.test_dataset import EPISODES


def everything(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def bags(tmp_path: Path) -> Path:
    write_reach(tmp_path / "bags" / "one")
    write_reach(tmp_path / "bags" / "two", offset=1)
    return tmp_path / "bags"


@pytest.mark.parametrize("more", [[], ["--shard", "0/1"]])
@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("bags/two", "found a bag"),
        ("bags/two/two_0.mcap", "found a file"),
        ("bags", "found an input"),
        ("imported", "found 'action_mask.npy', 'actions.npy', 'episodes.parquet', …"),
        ("text", "found 'notes.txt'; name another"),
    ],
)
def test_a_last_path_that_holds_something_else_is_refused_and_stays(
    bags: Path, tmp_path: Path, target: str, found: str, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_dataset(tmp_path / "imported", Dataset.from_episodes(SPEC, EPISODES))
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "notes.txt").write_text("mine")
    before = everything(tmp_path)
    assert dvf(["convert", str(bags), str(tmp_path / target), "--jobs", "1", *more]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"dvf convert: '{tmp_path / target}': expected") and found in said
    assert everything(tmp_path) == before


def test_a_dataset_of_other_bags_is_refused_and_stays(bags: Path, tmp_path: Path) -> None:
    convert([bags], tmp_path / "data", jobs=1)
    before = everything(tmp_path / "data")
    write_reach(tmp_path / "other" / "three", offset=2)
    with pytest.raises(
        ConversionError, match=r"dataset of these bags, found one of 'one', 'two'; name another, or del"
    ):
        convert([tmp_path / "other"], tmp_path / "data", jobs=1)
    convert_shard([tmp_path / "other"], tmp_path / "shard", (0, 1), jobs=1)
    with pytest.raises(ConversionError, match=r"found one of 'one', 'two'"):
        merge([tmp_path / "shard"], tmp_path / "data")
    assert everything(tmp_path / "data") == before
    assert convert([bags, tmp_path / "other"], tmp_path / "data", jobs=1).episodes == 3
    assert merge([tmp_path / "shard"], tmp_path / "merged").episodes == 1
    assert merge([tmp_path / "shard"], tmp_path / "merged").episodes == 1


@pytest.mark.parametrize("target", ["shard", "shard/parts", "imported"])
def test_merging_writes_over_no_shard_and_no_other_dataset(bags: Path, tmp_path: Path, target: str) -> None:
    convert_shard([bags], tmp_path / "shard", (0, 1), jobs=1)
    write_dataset(tmp_path / "imported", Dataset.from_episodes(SPEC, EPISODES))
    before = everything(tmp_path)
    with pytest.raises(ConversionError, match="': expected "):
        merge([tmp_path / "shard"], tmp_path / target)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("lost", ["states.npy", "episodes.parquet", "spec.yaml"])
def test_a_dataset_that_lost_a_file_is_made_again(bags: Path, tmp_path: Path, lost: str) -> None:
    convert([bags], tmp_path / "data", jobs=1)
    before = content(tmp_path / "data")
    (tmp_path / "data" / lost).unlink()
    assert not convert([bags], tmp_path / "data", jobs=1).unchanged
    assert content(tmp_path / "data") == before
    assert convert([bags], tmp_path / "data", jobs=1).unchanged


def test_the_old_dataset_stays_until_the_new_one_is_there(
    bags: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert([bags], tmp_path / "data", jobs=1)
    before = content(tmp_path / "data")
    write_reach(bags / "three", offset=2)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(conversion.DatasetWriter, "extend", full)
        with pytest.raises(OSError, match="No space left"):
            convert([bags], tmp_path / "data", jobs=1)
    assert content(tmp_path / "data") == before
    assert Dataset.open(tmp_path / "data").episodes == 2
    assert len(json.loads((tmp_path / "data" / "report.json").read_text())["bags"]) == 2
    report = convert([bags], tmp_path / "data", jobs=1)
    assert report.episodes == 3 and np.isfinite(Dataset.open(tmp_path / "data").states).all()
