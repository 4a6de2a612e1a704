"""`dvf value` speaks of controllers by name, by motion, or says that it knows neither."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dvf_ros.cli.main import main as dvf
from dvf_ros.cli.value import Value, main
from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset, DatasetError, DatasetWriter
from dvf_ros.learning.checkpoint import save_checkpoint
from dvf_ros.learning.training import train
from tests.data.datasets import write_dataset
from tests.learning.small import CONFIG, SPEC, dataset, driven, episode


@pytest.fixture(autouse=True)
def results_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written() -> dict[str, object]:
    return json.loads(Path("results/worth.json").read_text())["figures"]


@pytest.mark.parametrize(("representation", "known"), [("index", "name"), ("context", "1 episode")])
def test_every_controller_is_valued(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], representation: str, known: str
) -> None:
    training = replace(CONFIG.training, representation=representation)
    agent, _ = train(dataset(), replace(CONFIG, training=training))
    save_checkpoint(agent, tmp_path / "agent.yaml", "", "")
    writer = DatasetWriter(tmp_path / "data", SPEC)
    for seed, name in enumerate(("a", "stranger", "stranger")):
        writer.append(episode(100 + seed, name))
    writer.close()
    assert main(Value(tmp_path / "agent.yaml", tmp_path / "data", futures=8)) == 0
    out = capsys.readouterr().out
    rows = {line.split()[1]: line for line in out.splitlines() if line.startswith("│")}
    by_motion = representation == "context"
    assert f" {known}" in rows["a"]
    assert ("2 episodes" if by_motion else "nothing") in rows["stranger"]
    assert ("known by nothing: valued as whoever was recorded" in out) == (not by_motion)
    controllers = written()["controllers"]
    for name, one in controllers.items():
        assert one["known_by"] in rows[name]
        said = [cell.strip() for cell in rows[name].split("│")[3:-1]]
        assert said[0] == f"{one['value']:.3g} ± {one['deviation']:.2g}"
        assert said[1].split(" ± ")[0] == f"{one['shown']:.3g}" and one["shown_episodes"] == 1 + (name == "stranger")
        assert said[2] == f"{one['combined']:.3g} ± {one['combined_deviation']:.2g}"
    assert written() == {
        "agents": [str(tmp_path / "agent")],
        "reward": "learned",
        "starts": 3,
        "controllers": controllers,
    }


def test_an_agent_that_was_never_told_who_drives_knows_no_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent, _ = train(dataset(), replace(CONFIG, training=replace(CONFIG.training, behavior_drop=1.0)))
    save_checkpoint(agent, tmp_path / "agent.yaml", "", "")
    write_dataset(tmp_path / "data", dataset())
    assert main(Value(tmp_path / "agent.yaml", tmp_path / "data", futures=8)) == 0
    rows = [[cell.strip() for cell in line.split("│")] for line in capsys.readouterr().out.splitlines()]
    (one, value, *_), (other, same, *_) = ([row[1], row[3]] for row in rows if len(row) > 3)
    assert {one, other} == {"a", "b"} and value == same


def test_the_occupancy_can_be_asked_in_hops(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agent, _ = train(dataset(), CONFIG)
    save_checkpoint(agent, tmp_path / "agent.yaml", "", "")
    writer = DatasetWriter(tmp_path / "data", SPEC)
    writer.append(episode(100, "a"))
    writer.close()

    def printed(hop: int | None) -> str:
        assert main(Value(tmp_path / "agent.yaml", tmp_path / "data", futures=8, hop=hop)) == 0
        return capsys.readouterr().out

    assert printed(None) == printed(0) == printed(agent.horizon) != printed(2)
    with pytest.raises(ConfigError, match="'hop': expected at least 0, found -1"):
        printed(-1)


def test_several_agents_are_asked_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    paths = [tmp_path / f"agent{seed}.yaml" for seed in range(3)]
    for seed, path in enumerate(paths):
        agent, _ = train(dataset(), replace(CONFIG, training=replace(CONFIG.training, seed=seed)))
        save_checkpoint(agent, path, "the data", "")
    writer = DatasetWriter(tmp_path / "data", SPEC)
    writer.append(episode(100, "a"))
    writer.close()

    def printed(*paths: Path) -> tuple[float, float, str]:
        args = Value(paths[0], tmp_path / "data", also=paths[1:], reward="position.x", futures=64)
        assert main(args) == 0
        out = capsys.readouterr().out
        row = next(line for line in out.splitlines() if line.startswith("│ a "))
        value, deviation = (float(number) for number in row.split("│")[3].split(" ± "))
        return value, deviation, out

    alone = [printed(path) for path in paths]
    values = [value for value, _, _ in alone]
    value, deviation, out = printed(*paths)
    assert value == pytest.approx(statistics.mean(values), rel=0.02)
    own = statistics.mean(deviation for _, deviation, _ in alone)
    assert deviation == pytest.approx(math.hypot(own, statistics.stdev(values)), rel=0.05)
    assert "by agents that disagree" in out and "by agents that disagree" not in alone[0][2]


def test_what_others_earned_corrects_the_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    many = Dataset.from_episodes(SPEC, [driven(seed, seed // 2) for seed in range(40)])
    agent, _ = train(many, replace(CONFIG, training=replace(CONFIG.training, representation="context")))
    save_checkpoint(agent, tmp_path / "agent.yaml", "", "")
    for folder, drivers in (("data", 2), ("reference", 20)):
        writer = DatasetWriter(tmp_path / folder, SPEC)
        for seed in range(2 * drivers):
            writer.append(driven(seed, seed // 2))
        writer.close()
    args = Value(tmp_path / "agent.yaml", tmp_path / "data", reward="position.x > 0", futures=8)
    assert main(args) == 0
    assert "corrected" not in capsys.readouterr().out
    assert main(replace(args, reference=tmp_path / "reference")) == 0
    out = capsys.readouterr().out
    assert "corrected" in out
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]
    rows = [row for row in rows if row[0].startswith("driver")]
    corrected, combined = (np.array([row[column].split(" ± ") for row in rows], float) for column in (3, 5))
    assert len(rows) == 2 and combined[0, 0] >= combined[1, 0], "the best one first"
    assert np.all(corrected[:, 1] > 0.0)
    noted = [[one["corrected"], one["corrected_deviation"]] for one in written()["controllers"].values()]
    assert corrected == pytest.approx(np.array(noted), rel=0.1)
    assert written()["reward"] == "position.x > 0"
    other = replace(CONFIG.training, representation="context", seed=1)
    save_checkpoint(train(many, replace(CONFIG, training=other))[0], tmp_path / "other.yaml", "", "")
    both = replace(args, reference=tmp_path / "reference", also=(tmp_path / "other.yaml",))
    assert main(both) == 0
    out = capsys.readouterr().out
    assert "corrected" in out and "by agents that disagree" in out.replace("\n", " ")
    few = replace(args, reference=tmp_path / "data")
    with pytest.raises(DatasetError, match="expected at least 20 drivers"):
        main(few)
    other_spec = RobotSpec.parse(SPEC.text.replace("rate: 20", "rate: 10"))
    writer = DatasetWriter(tmp_path / "other", other_spec)
    writer.append(episode(0, "a"))
    writer.close()
    with pytest.raises(
        DatasetError, match=r"agent's spec, .*rate: the agent has 20.0, the data 10.0 .*convert its bags"
    ):
        main(replace(args, reference=tmp_path / "other"))


@pytest.mark.parametrize(
    ("columns", "number", "message"),
    [
        (slice(1, 2), np.nan, "found nan in the state's 'position.y', frame 5 of episode 1"),
        (
            slice(3, 7),
            0.0,
            "'orientation': expected quaternions xyzw, found one of length zero in frame 5 of episode 1",
        ),
    ],
)
def test_states_that_cannot_be_are_refused_by_place(
    tmp_path: Path, columns: slice, number: float, message: str
) -> None:
    agent, _ = train(dataset(), replace(CONFIG, training=replace(CONFIG.training, representation="context")))
    save_checkpoint(agent, tmp_path / "agent.yaml", "", "")
    states = np.array(dataset().states)
    states[25, columns] = number
    sound = write_dataset(tmp_path / "sound", dataset())
    broken = write_dataset(tmp_path / "broken", replace(dataset(), states=states))
    with pytest.raises(DatasetError, match=message):
        main(Value(tmp_path / "agent.yaml", broken))
    with pytest.raises(DatasetError, match=message):
        main(Value(tmp_path / "agent.yaml", sound, reference=broken))


def test_states_alone_will_do(tmp_path: Path) -> None:
    save_checkpoint(train(dataset(), CONFIG)[0], tmp_path / "agent.yaml", "", "")
    nothing = np.zeros(dataset().frames, bool)
    write_dataset(tmp_path / "data", replace(dataset(), action_mask=nothing, reward_mask=nothing))
    assert main(Value(tmp_path / "agent.yaml", tmp_path / "data", futures=8)) == 0


def test_without_a_reward_nothing_is_valued(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Play has none, and labels of 0 alone are none: all would be worth 0 ± 0."""
    agent, _ = train(replace(dataset(), reward_mask=np.zeros(dataset().frames, bool)), CONFIG)
    save_checkpoint(agent, tmp_path / "agent.yaml", "", "")
    write_dataset(tmp_path / "data", dataset())
    words = ["value", "agent.yaml", "data", "--futures", "8"]
    assert dvf(words) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith("dvf value: 'agent.yaml': expected an agent with a learned reward, found none")
    assert "--reward 'EXPRESSION'" in said.err and not Path("results/worth.json").exists()
    assert dvf([*words, "--reward", "position.x > 0"]) == 0
    assert written()["reward"] == "position.x > 0"


def test_the_table_is_written_nowhere_or_where_it_can_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_checkpoint(train(dataset(), CONFIG)[0], tmp_path / "agent.yaml", "", "")
    write_dataset(tmp_path / "data", dataset())
    words = ["value", "agent.yaml", "data", "--futures", "8", "--result"]
    assert dvf([*words, "None"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"agent.yaml", "agent.safetensors", "data"}
    capsys.readouterr()
    assert dvf([*words, "data"]) == 1
    assert capsys.readouterr() == ("", "dvf value: 'data': expected a file's name, found a folder\n")
