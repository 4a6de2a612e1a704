"""`dvf value` speaks of controllers by name, by motion, or says that it knows neither."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dvf_ros.cli.value import Value, main
from dvf_ros.core.parsing import ConfigError
from dvf_ros.data.dataset import DatasetWriter
from dvf_ros.learning.checkpoint import save_checkpoint
from dvf_ros.learning.training import train
from tests.learning.small import CONFIG, SPEC, dataset, episode


@pytest.mark.parametrize(("representation", "known"), [("index", "name"), ("context", "motion")])
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
    rows = {line.split()[1]: line for line in capsys.readouterr().out.splitlines() if line.startswith("│")}
    assert f" {known} " in rows["a"]
    assert (" motion " if representation == "context" else "nothing") in rows["stranger"]


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
