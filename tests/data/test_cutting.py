"""How a bag is cut into episodes: its longest stretch, a fixed length, events; and who names the behavior."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dvf_ros.cli.main import main as dvf
from dvf_ros.core.parsing import ConfigError
from dvf_ros.data.bag_conversion import Options
from dvf_ros.data.bag_search import ConversionError
from dvf_ros.data.bag_writer import Qos
from dvf_ros.data.conversion import convert
from dvf_ros.data.cutting import Cutting
from dvf_ros.data.dataset import Dataset
from dvf_ros.data.labels import read_labels
from tests.data.bag_making import MS, START, STORE, Bag, custom, joint_state, make, pose_stamped, write_reach

SERVICE = "/mark/_service_event"


def firsts(data: Dataset) -> list[int]:
    """The first frame of each episode; frame k of a bag says k."""
    return [int(value) for value in data.states[data.episode_start, 0]]


def test_the_longest_stretch_without_a_gap(tmp_path: Path) -> None:
    bag = write_reach(tmp_path / "bag", frames=40, skip=range(10, 15))
    report = convert([bag], tmp_path / "data", options=Options(cutting=Cutting(longest=True)), jobs=1)
    data = Dataset.open(tmp_path / "data")
    assert (data.episode_length.tolist(), firsts(data)) == ([25], [15])
    assert report.bags[0].dropped == {"too old: tip": 4, "not the longest stretch of the bag": 11}
    assert len(report.bags[0].kept) == 1


def test_a_fixed_length_cuts_without_losing_a_frame(tmp_path: Path) -> None:
    bag = write_reach(tmp_path / "bag", frames=24)
    report = convert([bag], tmp_path / "data", options=Options(cutting=Cutting(length=1.0)), jobs=1)
    data = Dataset.open(tmp_path / "data")
    assert (data.episode_length.tolist(), firsts(data)) == ([10, 10, 4], [0, 10, 20])
    assert [kept["end"] for kept in report.bags[0].kept] == ["fixed length", "fixed length", "end of the bag"]
    np.testing.assert_array_equal(data.states[:, 0], np.arange(24))
    assert data.truncated.all()


def write_events(folder: Path, events: dict[int, str], frames: int = 30) -> Path:
    """Frames 0, 1, …; after frame k the event `events[k]`: a message on a topic, or a call with its four events."""
    with Bag(folder, custom()) as bag:
        for k in range(frames):
            stamp = START + k * 100 * MS
            bag.put("/joint_states", joint_state(stamp, {"a": k, "b": -k}), stamp + MS)
            bag.put("/tip", pose_stamped(stamp, k), stamp + MS)
            if events.get(k) == SERVICE:
                for kind in range(4):
                    put_service_event(bag, kind, stamp + 2 * MS + kind)
            elif k in events:
                bag.put(events[k], make("std_msgs/msg/Bool", data=True), stamp + 2 * MS)
    return folder


def put_service_event(bag: Bag, kind: int, receive_ns: int) -> None:
    info = "service_msgs/msg/ServiceEventInfo"
    time = make("builtin_interfaces/msg/Time", sec=receive_ns // 10**9, nanosec=receive_ns % 10**9)
    event = make(info, event_type=kind, stamp=time, client_gid=np.zeros(16, np.uint8), sequence_number=1)
    definition, _ = STORE.generate_msgdef(info, ros_version=2)
    bag.writer.add_topic(SERVICE, "std_srvs/srv/Trigger_Event", definition, Qos(), "")
    bag.writer.write(SERVICE, receive_ns, receive_ns, bytes(STORE.serialize_cdr(event, info)))


def test_topics_begin_and_end_episodes(tmp_path: Path) -> None:
    bag = write_events(tmp_path / "bag", {4: "/go", 12: "/halt", 20: "/go"})
    cutting = Cutting(start_on=("/go",), end_on=("halt",))
    report = convert([bag], tmp_path / "data", options=Options(cutting=cutting), jobs=1)
    data = Dataset.open(tmp_path / "data")
    assert (data.episode_length.tolist(), firsts(data)) == ([8, 9], [5, 21])
    assert [kept["end"] for kept in report.bags[0].kept] == ["event on /halt", "end of the bag"]
    assert report.bags[0].dropped == {"outside of the events that begin and end an episode": 5 + 8}


def test_a_service_call_cuts_once(tmp_path: Path) -> None:
    bag = write_events(tmp_path / "bag", {9: SERVICE, 19: SERVICE})
    report = convert([bag], tmp_path / "data", options=Options(cutting=Cutting(end_on=(SERVICE,))), jobs=1)
    data = Dataset.open(tmp_path / "data")
    assert (data.episode_length.tolist(), firsts(data)) == ([10, 10, 10], [0, 10, 20])
    assert [kept["end"] for kept in report.bags[0].kept][:2] == [f"event on {SERVICE}"] * 2


def test_an_event_that_never_comes_is_told(tmp_path: Path) -> None:
    bag = write_events(tmp_path / "bag", {})
    report = convert([bag], tmp_path / "data", options=Options(cutting=Cutting(end_on=("/halt",))), jobs=1)
    said = "no message on '/halt', which should cut episodes; known: /joint_states, /tip"
    assert said in report.bags[0].warnings


def test_an_event_that_never_begins_an_episode_is_told(tmp_path: Path) -> None:
    for name, frames in (("one", 30), ("two", 31)):
        write_events(tmp_path / "bags" / name, {4: "/go_on"}, frames)
    said = "one and 1 more: no episode: no message on '/go_in', which should cut episodes; did you mean '/go_on'?"
    with pytest.raises(ConversionError) as caught:
        options = Options(cutting=Cutting(start_on=("/go_in",)))
        convert([tmp_path / "bags"], tmp_path / "data", options=options, jobs=1)
    assert said in str(caught.value) and "two:" not in str(caught.value)


def test_behaviors_by_metadata_pattern_and_table(tmp_path: Path) -> None:
    for kind in ("lift", "push"):
        write_reach(tmp_path / "bags" / kind / f"{kind}1", about=custom("recorded"), offset=len(kind) + ord(kind[0]))
    table = tmp_path / "table.csv"
    table.write_text("bag,behavior\npush1,clumsy\n")
    yaml = tmp_path / "table.yaml"
    yaml.write_text("push1: clumsy\n")
    pattern = r"bags/(?P<behavior>\w+)/"
    for options, behaviors, origins in (
        ([], ["recorded", "recorded"], ["metadata", "metadata"]),
        (["--behavior-pattern", pattern], ["lift", "push"], ["pattern", "pattern"]),
        (["--behavior-table", str(table)], ["recorded", "clumsy"], ["metadata", "table"]),
        (["--behavior-table", str(yaml), "--behavior-pattern", pattern], ["lift", "clumsy"], ["pattern", "table"]),
    ):
        assert dvf(["convert", str(tmp_path / "bags"), str(tmp_path / "data"), "--jobs", "1", *options]) == 0
        data = Dataset.open(tmp_path / "data")
        assert [data.behavior_names[i] for i in data.behavior] == behaviors
        report = convert_report(tmp_path / "data")
        assert [bag["behavior_from"] for bag in report] == origins


def convert_report(folder: Path) -> list[dict]:
    return json.loads((folder / "report.json").read_text())["bags"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.csv", b"name,label\na,b\n", "columns bag and behavior, found name, label"),
        ("t.csv", b"", "columns bag and behavior, found nothing"),
        ("t.csv", b"bag,behavior\n", "expected a bag and its behavior in a line, found no such line"),
        ("t.csv", b"bag,behavior\na,b\na,c\n", "two behaviors, 'b' and 'c'"),
        ("t.csv", b"bag,behavior\na,b\nc\n", "line 3: expected 2 cells, found 1: c"),
        ("t.csv", b"bag,behavior\na,b,c\n", "line 2: expected 2 cells, found 3: a, b, c"),
        ("t.csv", b"bag,behavior\na,\n", "line 2: expected a bag and a behavior, found 'a' and ''"),
        ("t.csv", b'bag,behavior\na,"b\n', "line 2: no valid CSV"),
        ("t.csv", b"bag,behavior\nm\xfcll,b\n", "expected text in UTF-8"),
        ("t.yaml", b"m\xfcll: b\n", "expected text in UTF-8"),
        ("t.yaml", b"a: [\n", "is not valid YAML"),
        ("t.yaml", b"a\n", "expected lines 'BAG: BEHAVIOR', found no such line"),
        ("t.yaml", b"\n", "expected lines 'BAG: BEHAVIOR', found no such line"),
        ("t.yaml", b"a: b\nc: [d, e]\n", "line 2: expected 'BAG: BEHAVIOR', found a list or a mapping"),
        ("t.yaml", b"a: b\nc:\n", "line 2: expected a bag and a behavior, found 'c' and ''"),
        ("t.yaml", b"a: b\na: c\n", "two behaviors, 'b' and 'c'"),
    ],
)
def test_tables_that_cannot_be_meant_are_refused(tmp_path: Path, name: str, text: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        read_labels(table=tmp_path / name)
    assert said in str(caught.value) and str(tmp_path / name) in str(caught.value)


def test_labels_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no regular expression"):
        read_labels("(")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_labels(table=tmp_path / "nowhere.yaml")


def test_words_of_a_table_are_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("2025_01_05: no\n007: 1e3\ntrue: 2025-01-05\nnull: ~\n")
    table = {"2025_01_05": "no", "007": "1e3", "true": "2025-01-05", "null": "~"}
    assert read_labels(table=tmp_path / "t.yaml").table == table
    (tmp_path / "t.csv").write_text("\ufeffbag,note,behavior\r\n2025_01_05,,no\r\n\r\n007,x,1e3\r\n", newline="")
    assert read_labels(table=tmp_path / "t.csv").table == {"2025_01_05": "no", "007": "1e3"}


def test_a_pattern_that_matches_no_bag_is_told(tmp_path: Path) -> None:
    bags = [write_reach(tmp_path / name, frames=frames) for name, frames in (("push1", 20), ("lift1", 21))]
    words = "the pattern 'zzz' matches none of 2 bags; it is searched in their paths"
    assert convert(bags, tmp_path / "data", jobs=1, labels=read_labels("zzz")).warnings == (words,)
    again = convert(bags, tmp_path / "data", jobs=1, labels=read_labels("zzz"))
    assert again.unchanged and again.warnings == (words,)
    assert convert(bags, tmp_path / "data", jobs=1, labels=read_labels("push")).warnings == ()


def test_entries_of_a_table_that_name_no_bag_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_reach(tmp_path / "bags" / "push1")
    write_reach(tmp_path / "bags" / "push2.take", offset=1)
    words = ["convert", str(tmp_path / "bags"), str(tmp_path / "data"), "--jobs", "1"]
    assert dvf(words) == 0
    assert "the table" not in capsys.readouterr().out
    (tmp_path / "t.yaml").write_text("pusch1: clumsy\n")
    assert dvf([*words, "--behavior-table", str(tmp_path / "t.yaml")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    told = "! the table of behaviors names no bag of these in 1 of its 1 entries: 'pusch1'"
    assert "nothing to do" in said and told in said
    (tmp_path / "t.yaml").write_text("push1: clumsy\npush2: fine\npush3: fine\n")
    labels = read_labels(table=tmp_path / "t.yaml")
    report = convert([tmp_path / "bags"], tmp_path / "data", jobs=1, labels=labels)
    (warning,) = report.warnings
    assert warning == "the table of behaviors names no bag of these in 1 of its 3 entries: 'push3'"
    assert json.loads((tmp_path / "data" / "report.json").read_text())["warnings"] == [warning]
    assert Dataset.open(tmp_path / "data").behavior_names == ("clumsy", "fine")
