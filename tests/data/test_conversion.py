"""Bags to a dataset: the same inputs give the same bytes, nothing is lost in silence, a run can be interrupted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dvf_ros.cli.main import main as dvf
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data import bag_conversion, conversion
from dvf_ros.data.bag_conversion import Options
from dvf_ros.data.bag_search import ConversionError, find_bags
from dvf_ros.data.conversion import PARTS, convert
from dvf_ros.data.dataset import Dataset
from tests.data.bag_making import MS, ROOT, SPEC, START, Bag, custom, pose_stamped, write_reach

BAGS = ROOT.parent / "shared" / "bags"
real_bags = pytest.mark.skipif(not BAGS.is_dir(), reason=f"the recorded bags are not at {BAGS}")


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def two_bags(folder: Path) -> Path:
    write_reach(folder / "one", frames=12, about=custom("expert", "success"))
    write_reach(folder / "two", frames=30, offset=100, skip=range(10, 15), about=custom("novice", "failure"))
    return folder


def test_bags_become_a_dataset(tmp_path: Path) -> None:
    report = convert([two_bags(tmp_path / "bags")], tmp_path / "data", jobs=1)
    data = Dataset.open(tmp_path / "data")
    assert (report.episodes, report.frames, report.broken) == (3, 38, ())
    assert data.episode_length.tolist() == [12, 11, 15]
    assert data.source == ("one", "two", "two")
    assert data.success.tolist() == [1, 0, 0]
    assert [data.behavior_names[i] for i in data.behavior] == ["expert", "novice", "novice"]
    assert data.spec.digest == SPEC.digest
    np.testing.assert_array_equal(data.states[:12, 0], np.arange(12))
    np.testing.assert_array_equal(data.states[:12, 2], 10 * np.arange(12))
    np.testing.assert_array_equal(data.actions[:11, 0], 100 * np.arange(11))
    np.testing.assert_array_equal(data.rewards[:11], 1000 * np.arange(1, 12))
    assert data.states[23, 0] == 115
    written = json.loads((tmp_path / "data" / "report.json").read_text())
    assert written["bags"][1]["dropped"] == {"too old: tip": 4}
    assert written["bags"][1]["messages"] == {"/cmd": 30, "/joint_states": 30, "/outcome": 30, "/tip": 25}
    assert not (tmp_path / "data" / PARTS).exists()


def test_same_bags_same_bytes_whatever_their_order_place_and_number_of_processes(tmp_path: Path) -> None:
    a, b = two_bags(tmp_path / "a"), two_bags(tmp_path / "elsewhere" / "b")
    convert([a / "one", a / "two"], tmp_path / "first", jobs=1)
    convert([b / "two", b / "one"], tmp_path / "second", jobs=2)
    assert content(tmp_path / "first") == content(tmp_path / "second")


def test_the_second_run_does_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bags = two_bags(tmp_path / "bags")
    first = convert([bags], tmp_path / "data", jobs=1)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "data").iterdir()}
    monkeypatch.setattr(conversion, "convert_bags", None)
    again = convert([bags], tmp_path / "data", jobs=1)
    assert not first.unchanged and again.unchanged
    assert again.bags == first.bags
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "data").iterdir()} == before


def test_other_inputs_or_options_convert_anew(tmp_path: Path) -> None:
    bags = two_bags(tmp_path / "bags")
    convert([bags], tmp_path / "data", jobs=1)
    assert convert([bags], tmp_path / "data", options=Options(min_frames=12), jobs=1).episodes == 2
    write_reach(bags / "three")
    assert convert([bags], tmp_path / "data", jobs=1).episodes == 4
    text = (bags / "three" / "metadata.yaml").read_text()
    (bags / "three" / "metadata.yaml").write_text(text.replace("outcome: ''", "outcome: success"))
    assert not convert([bags], tmp_path / "data", jobs=1).unchanged
    assert Dataset.open(tmp_path / "data").success.tolist() == [1, 1, 0, 0]


def test_an_interrupted_run_goes_on_and_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bags = two_bags(tmp_path / "bags")
    convert([bags], tmp_path / "whole", jobs=1)

    def interrupt(done: int, total: int, bag: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert([bags], tmp_path / "data", jobs=1, progress=interrupt)
    assert (tmp_path / "data" / PARTS).exists()
    opened = []
    real = bag_conversion.BagReader
    monkeypatch.setattr(bag_conversion, "BagReader", lambda bag, *rest: opened.append(bag.name) or real(bag, *rest))
    convert([bags], tmp_path / "data", jobs=1)
    assert opened == ["two"]
    assert content(tmp_path / "data") == content(tmp_path / "whole")


def test_a_part_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    bags = two_bags(tmp_path / "bags")
    convert([bags], tmp_path / "whole", jobs=1)

    def interrupt(done: int, total: int, bag: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert([bags], tmp_path / "data", jobs=1, progress=interrupt)
    (part,) = (tmp_path / "data" / PARTS).iterdir()
    (part / "report.json").unlink()
    (part / "states.npy").write_bytes(b"half")
    convert([bags], tmp_path / "data", jobs=1)
    assert content(tmp_path / "data") == content(tmp_path / "whole")


@pytest.mark.parametrize("jobs", [1, 2])
def test_broken_bags_are_named_and_the_others_converted(tmp_path: Path, jobs: int) -> None:
    bags = two_bags(tmp_path / "bags")
    cut = write_reach(bags / "cut") / "cut_0.mcap"
    cut.write_bytes(cut.read_bytes()[:1500])
    (write_reach(bags / "killed", offset=7) / "metadata.yaml").unlink()
    with Bag(bags / "poor", custom()) as bag:
        bag.put("/tip", pose_stamped(START, 1), START)
    report = convert([bags], tmp_path / "data", jobs=jobs)
    assert [bag.source for bag in report.broken] == ["cut", "poor"]
    reasons = {bag.source: bag.reason for bag in report.broken}
    assert "nothing in it is whole" in reasons["cut"]
    notes = {bag.source: bag.note for bag in report.bags}
    assert "no metadata.yaml: the recording was cut off" in notes["killed"]
    assert "no messages on the state topic '/joint_states'" in reasons["poor"]
    assert Dataset.open(tmp_path / "data").episodes == 4


def test_the_same_bag_twice_counts_once(tmp_path: Path) -> None:
    write_reach(tmp_path / "a" / "bag")
    write_reach(tmp_path / "b" / "bag")
    report = convert([tmp_path / "a", tmp_path / "b"], tmp_path / "data", jobs=1)
    assert [bag.status for bag in report.bags] == ["converted", "duplicate"]
    assert Dataset.open(tmp_path / "data").episodes == 1


def test_bags_that_give_nothing_are_told(tmp_path: Path) -> None:
    write_reach(tmp_path / "bags" / "one", frames=1)
    with pytest.raises(ConversionError, match=r"no episode could be used.*one: no episode: episode shorter than 2"):
        convert([tmp_path / "bags"], tmp_path / "data", jobs=1)
    assert not (tmp_path / "data" / "states.npy").exists()


def test_namespaces(tmp_path: Path) -> None:
    write_reach(tmp_path / "bags" / "one", namespace="/robot1")
    bag = tmp_path / "bags" / "two"
    with Bag(bag, custom()) as both:
        pass
    convert([tmp_path / "bags" / "one"], tmp_path / "data", jobs=1)
    assert Dataset.open(tmp_path / "data").frames == 20
    report_of = convert([tmp_path / "bags"], tmp_path / "data", options=Options(namespace="robot1"), jobs=1)
    assert [item.status for item in report_of.bags] == ["converted", "broken"]
    assert both.writer.messages == 0


def test_bags_of_different_specs_are_refused_with_both_named(tmp_path: Path) -> None:
    other = RobotSpec.parse(SPEC.text.replace("rate: 10.0", "rate: 5.0"))
    write_reach(tmp_path / "bags" / "one")
    write_reach(tmp_path / "bags" / "two", about=custom(spec=other))
    with pytest.raises(
        ConversionError, match=r"one' and '.*two' were .*different specs \(rate: first 10.0, then 5.0\)"
    ):
        convert([tmp_path / "bags"], tmp_path / "data", jobs=1)
    assert convert([tmp_path / "bags"], tmp_path / "data", other, jobs=1).episodes == 2


def test_without_any_spec_one_is_asked_for(tmp_path: Path) -> None:
    write_reach(tmp_path / "bag", about={})
    with pytest.raises(ConversionError, match="name one with --spec"):
        convert([tmp_path / "bag"], tmp_path / "data", jobs=1)


@pytest.mark.parametrize("jobs", [0, -2])
def test_no_process_and_fewer_are_refused(tmp_path: Path, jobs: int) -> None:
    write_reach(tmp_path / "bag")
    with pytest.raises(ConversionError, match=f"jobs: expected at least 1, found {jobs}; leave it out for one a core"):
        convert([tmp_path / "bag"], tmp_path / "data", jobs=jobs)
    assert not (tmp_path / "data").exists()


def test_bags_are_found_in_folders(tmp_path: Path) -> None:
    bags = two_bags(tmp_path / "x" / "bags")
    assert find_bags([tmp_path]) == [bags / "one", bags / "two"]
    assert find_bags([bags / "one" / "one_0.mcap"]) == [bags / "one" / "one_0.mcap"]
    (tmp_path / "empty").mkdir()
    for wrong, said in ((tmp_path / "nope", "is not there"), (tmp_path / "empty", "holds no bag")):
        with pytest.raises(ConversionError, match=said):
            find_bags([wrong])
    with pytest.raises(ConversionError, match="no bags named"):
        find_bags([])


def test_the_command_tells_and_its_status_says_whether_a_bag_was_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    bags, data = two_bags(tmp_path / "bags"), tmp_path / "data"
    assert dvf(["convert", str(bags), str(data)]) == 0
    assert "3 episodes, 38 frames from 2 bags" in capsys.readouterr().out
    assert dvf(["convert", str(bags), str(data)]) == 0
    assert "nothing to do" in capsys.readouterr().out
    (write_reach(bags / "lost") / "lost_0.mcap").unlink()
    assert dvf(["convert", str(bags), str(data)]) == 1
    out = capsys.readouterr().out
    assert "1 broken" in out and "lost" in out
    assert dvf(["convert", str(tmp_path / "nope"), str(data)]) == 1
    assert "is not there" in capsys.readouterr().err
    assert dvf(["convert", str(bags)]) == 1
    assert "expected bags and then the folder of the dataset" in capsys.readouterr().err


def test_dvf_help_and_unknown_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert dvf(["--help"]) == 0
    assert "convert" in capsys.readouterr().out
    assert dvf(["convrt"]) == 2
    assert "did you mean 'convert'?" in capsys.readouterr().err


FLY = """
robot: crazyflie
task: fly
rate: 10.0
state:
  - topic: /vicon/Group466CF/Group466CF/pose
    type: geometry_msgs/msg/PoseStamped
    max_age: 0.1
    fields:
      - {name: position, kind: vector, path: pose.position, unit: m}
      - {name: orientation, kind: quaternion, path: pose.orientation}
action:
  - topic: /cf_controll
    type: geometry_msgs/msg/Pose
    max_age: 0.2
    stamp: receive
    fields:
      - {name: command, kind: vector, path: position}
"""
KALMAN = """
robot: base
task: drive
rate: 10.0
state:
  - topic: /odom
    type: nav_msgs/msg/Odometry
    max_age: 0.2
    fields:
      - {name: position, kind: vector, path: pose.pose.position, unit: m}
      - {name: linear_velocity, kind: vector, path: twist.twist.linear, unit: m/s}
action: []
"""


@real_bags
@pytest.mark.parametrize("name", ["p4_flybag", "p4_yx1bag", "p4_pitch45bag"])
def test_real_flights(tmp_path: Path, name: str) -> None:
    report = convert([BAGS / name], tmp_path / "data", RobotSpec.parse(FLY), jobs=1)
    data = Dataset.open(tmp_path / "data")
    assert report.bags[0].status == "converted"
    assert data.frames > 40
    assert np.isfinite(data.states).all()
    np.testing.assert_allclose(np.linalg.norm(data.states[:, 3:7], axis=1), 1, atol=1e-3)
    assert 0.5 < report.bags[0].action_coverage <= 1


@real_bags
def test_a_real_flight_without_mocap_for_half_a_minute_is_cut_there(tmp_path: Path) -> None:
    report = convert([BAGS / "p4_fly90bag"], tmp_path / "data", RobotSpec.parse(FLY), jobs=1)
    assert report.bags[0].dropped["gap in the data"] > 320
    data = Dataset.open(tmp_path / "data")
    for episode in range(data.episodes):
        assert np.all(np.diff(data.stamps[data.frames_of(episode)]) == 100 * MS)


@real_bags
def test_a_real_drive_with_a_renamed_file(tmp_path: Path) -> None:
    report = convert([BAGS / "robot_kf"], tmp_path / "data", RobotSpec.parse(KALMAN), jobs=1)
    assert report.bags[0].status == "converted"
    assert "read 'my_bag.db3' instead" in report.bags[0].note
    data = Dataset.open(tmp_path / "data")
    # 200 s of recording hold 44 s of simulated time, which is what the headers carry.
    assert 420 < data.frames < 445
    assert data.actions.shape == (data.frames, 0)


@real_bags
def test_a_real_bag_of_an_unknown_type_is_broken_for_that_reason(tmp_path: Path) -> None:
    spec = RobotSpec.parse(
        KALMAN.replace("/odom", "/vicon/UnitreeGo2/UnitreeGo2").replace(
            "nav_msgs/msg/Odometry", "vicon_receiver/msg/Position"
        )
    )
    with pytest.raises(ConversionError, match="'vicon_receiver/msg/Position' is not embedded"):
        convert([BAGS / "go2_vicon_standard-replay-position"], tmp_path / "data", spec, jobs=1)
