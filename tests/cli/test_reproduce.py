"""`dvf reproduce` asks before the collection whether there is something to compare with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dvf_ros.cli import reproduce, shipped
from dvf_ros.cli.evaluate import Evaluate
from dvf_ros.cli.main import main as dvf

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "resource" / "panda_lift.yaml"


@pytest.fixture
def compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, ...]]:
    """What the evaluation is given; nothing is collected, converted or trained."""
    given: list[tuple[Path, ...]] = []

    def evaluate(args: Evaluate) -> int:
        given.append(args.checkpoints)
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shipped, "CHECKOUT", ROOT)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(reproduce, "_collect", lambda bags, args: 0)
    monkeypatch.setattr(reproduce, "convert", lambda args: 0)
    monkeypatch.setattr(reproduce, "train", lambda args: 0)
    monkeypatch.setattr(reproduce, "evaluate", evaluate)
    return given


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (Path("nowhere.yaml"), "checkpoint 'nowhere.yaml' cannot be read: No such file or directory"),
        (ROOT / "resource" / "panda_play.yaml", "cannot be judged in simulation"),
    ],
)
def test_what_cannot_be_compared_with_is_refused_first(
    path: Path,
    message: str,
    compared: list[tuple[Path, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(reproduce, "_collect", lambda *_: pytest.fail("collected before it looked"))
    assert dvf(["reproduce", "--shipped", str(path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("dvf reproduce: --shipped: ") and message in said and said.count("\n") == 1
    assert "or compare with none: --shipped None" in said


@pytest.mark.parametrize(("words", "others"), [([], (SHIPPED,)), (["--shipped", "None"], ())])
def test_the_new_checkpoint_stands_beside_the_shipped_one_or_alone(
    words: list[str], others: tuple[Path, ...], compared: list[tuple[Path, ...]]
) -> None:
    assert dvf(["reproduce", "--folder", "there", *words]) == 0
    assert compared == [(Path("there/panda_lift.yaml"), *others)]
