"""One conversion on several machines is the same dataset, bit for bit: shards that merge, or a Ray Data job."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dvf_ros.cli.main import main as dvf
from dvf_ros.data.bag_conversion import Options
from dvf_ros.data.bag_search import ConversionError
from dvf_ros.data.conversion import convert
from dvf_ros.data.cutting import Cutting
from dvf_ros.data.labels import read_labels
from dvf_ros.data.sharding import convert_shard, merge
from tests.data.bag_making import custom, write_reach
from tests.data.test_conversion import content


def bags(folder: Path) -> Path:
    for k in range(5):
        write_reach(folder / f"bag{k}", frames=8 + 5 * k, offset=100 * k, about=custom("expert" if k % 2 else ""))
    shutil.copytree(folder / "bag0", folder / "same")
    (write_reach(folder / "lost") / "lost_0.mcap").unlink()
    return folder


@pytest.mark.parametrize("count", [1, 3, 9])
def test_shards_merge_to_what_one_machine_makes(tmp_path: Path, count: int) -> None:
    source = bags(tmp_path / "bags")
    (tmp_path / "table.yaml").write_text("bag1: pushed\nnone: pulled\n")
    options = Options(cutting=Cutting(length=1.2))
    labels = read_labels(r"bag\d", tmp_path / "table.yaml")
    whole = convert([source], tmp_path / "whole", options=options, jobs=1, labels=labels)
    assert [bag.status for bag in whole.bags] == [*["converted"] * 5, "broken", "duplicate"]
    shards = [tmp_path / f"shard{i}" for i in range(count)]
    for i, shard in enumerate(shards):
        convert_shard([source], shard, (i, count), options=options, jobs=1, labels=labels)
    merged = merge(shards[::-1], tmp_path / "merged")
    assert content(tmp_path / "merged") == content(tmp_path / "whole")
    assert merged.inputs == whole.inputs and "'none'" in merged.warnings[-1]


def test_shards_that_are_no_whole_are_refused(tmp_path: Path) -> None:
    source = bags(tmp_path / "bags")
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    convert_shard([source], one, (0, 2), jobs=1)
    convert_shard([source], two, (1, 2), jobs=1)
    convert_shard([source], other, (1, 2), options=Options(min_frames=5), jobs=1)
    for wrong, said in (
        ([one], r"expected the shards \[0, 1\], each once, found \[0\]"),
        ([one, two, two], r"each once, found \[0, 1, 1\]"),
        ([one, other], "no shards of one conversion"),
        ([one, source], "is no whole shard"),
        ([], "no shards named"),
    ):
        with pytest.raises(ConversionError, match=said):
            merge(wrong, tmp_path / "data")
    with pytest.raises(ConversionError, match="0 <= i < n, found 2/2"):
        convert_shard([source], one, (2, 2))
    with pytest.raises(ConversionError, match="jobs: expected at least 1, found -2"):
        convert_shard([source], one, (0, 2), jobs=-2)
    assert merge([one, two], tmp_path / "data").episodes == 5, "what is refused takes nothing away"


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = bags(tmp_path / "bags")
    (source / "lost" / "metadata.yaml").unlink()
    (source / "lost").rmdir()
    assert dvf(["convert", str(source), str(tmp_path / "whole"), "--jobs", "1"]) == 0
    for i in range(2):
        assert dvf(["convert", str(source), str(tmp_path / f"s{i}"), "--shard", f"{i}/2", "--jobs", "1"]) == 0
    assert dvf(["merge", str(tmp_path / "s0"), str(tmp_path / "s1"), str(tmp_path / "merged")]) == 0
    assert content(tmp_path / "merged") == content(tmp_path / "whole")
    assert "5 episodes" in capsys.readouterr().out
    assert dvf(["convert", str(source), str(tmp_path / "x"), "--shard", "1"]) == 1
    assert "expected i/n such as 0/4, found '1'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(300)  # Ray takes its time to come up where the machine is busy
def test_ray_with_two_workers_makes_the_same(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="needs the extra `fleet`")
    pytest.importorskip("ray.data", reason="needs the extra `fleet`")
    from dvf_ros.data.ray_job import convert_on_ray

    source = bags(tmp_path / "bags")
    convert([source], tmp_path / "whole", jobs=1)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        report = convert_on_ray([source], tmp_path / "data", workers=2)
    finally:
        ray.shutdown()
    assert report.episodes == 5
    assert content(tmp_path / "data") == content(tmp_path / "whole")


def test_copies_of_one_bag_in_one_share_are_converted_once(tmp_path: Path) -> None:
    """Two processes that wrote one part at a time lost all of them."""
    source = tmp_path / "bags"
    write_reach(source / "a", frames=400)
    for name in "bcd":
        shutil.copytree(source / "a", source / name)
    reports = convert_shard([source], tmp_path / "shard", (0, 1), jobs=2)
    assert [(report.source, report.status) for report in reports] == [(name, "converted") for name in "abcd"]
    merged = merge([tmp_path / "shard"], tmp_path / "merged")
    convert([source], tmp_path / "whole", jobs=2)
    assert merged.episodes == 1 and content(tmp_path / "merged") == content(tmp_path / "whole")
