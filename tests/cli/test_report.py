"""`dvf report`: the page is whole, asks nobody for anything, and says what it cannot show and why."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt

from dvf_ros.cli.main import main as dvf
from dvf_ros.cli.report_pictures import draw_success, draw_trajectories
from dvf_ros.cli.report_sections import READING
from dvf_ros.core.results import write_results
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.checkpoint import save_checkpoint
from dvf_ros.learning.report.success import Success
from dvf_ros.learning.report.trajectories import Group, Trajectories, Trajectory
from dvf_ros.learning.training import train
from tests.data.datasets import write_dataset
from tests.learning.small import CONFIG, SPEC, dataset, episode

SECTIONS = ("trajectories", "futures", "calibration", "ranking", "success", "sensitivity", "coverage")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-headless-shell", "google-chrome"))), None)
# The first test draws seven pictures and trains: seconds, but minutes where the machine is busy with other work.
pytestmark = pytest.mark.timeout(600)
VOID = {"meta", "br", "hr", "img", "input", "link"}


@dataclass
class Parsed(HTMLParser):
    """What a page consists of; `unbalanced` are tags that were closed in another order than opened."""

    ids: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    stack: list[str] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)
    pictures: dict[str, int] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    section: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name, value) for name, value in found.items()]
        self.ids += [found["id"]] if "id" in found else []
        if tag == "section":
            self.section = found["id"]
        if tag == "svg" and found.get("aria-label"):
            self.pictures[self.section] = self.pictures.get(self.section, 0) + 1
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and (not self.stack or self.stack.pop() != tag):
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.words[self.section] = self.words.get(self.section, "") + data


def parse(page: Path) -> Parsed:
    parsed = Parsed()
    parsed.feed(page.read_text(encoding="utf-8"))
    parsed.close()
    return parsed


def report(folder: Path, *words: str) -> int:
    where = [str(folder / "agent.yaml"), str(folder / "data"), "--output", str(folder / "report.html")]
    return dvf(["report", *where, "--frames", "16", *words])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an agent, its dataset, an evaluation and the page of all three."""
    folder = tmp_path_factory.mktemp("report")
    data = replace(dataset(), success=np.array([1, 0] * 4, np.float32))
    save_checkpoint(train(data, CONFIG)[0], folder / "agent.yaml", data.digest, "0" * 40)
    write_dataset(folder / "data", data)
    row = {"success_ever": 0.9, "success_low": 0.8, "success_high": 0.95, "success_last": 0.7}
    figures = {"episodes": 50, "a <b> & c": row, "gain over prior alone": {"mean": 0.1, "low": 0.0, "high": 0.2}}
    write_results(folder / "evaluate.json", figures, [], [1])
    assert report(folder, "--evaluation", str(folder / "evaluate.json")) == 0
    return folder


@pytest.fixture
def with_data(made: Path, tmp_path: Path) -> Callable[[Dataset], Path]:
    """A folder with the same agent and another dataset."""

    def copy(data: Dataset) -> Path:
        for name in ("agent.yaml", "agent.safetensors"):
            shutil.copy(made / name, tmp_path / name)
        write_dataset(tmp_path / "data", data)
        return tmp_path

    return copy


def test_every_section_has_a_picture_numbers_and_how_to_read_it(made: Path) -> None:
    page = parse(made / "report.html")
    assert page.pictures == dict.fromkeys(SECTIONS, 1)
    for key, reading in READING.items():
        assert reading in page.words[key] and re.search(r"\d", page.words[key].replace(reading, ""))
    assert "a <b> & c" in page.words["success"] and "+0.10" in page.words["success"]
    assert "the very episodes that the agent was trained on" in page.words[""]
    assert "by futures and value heads" in page.words["sensitivity"]


def test_the_page_is_well_formed_and_every_reference_in_it_is_its_own(made: Path) -> None:
    page, text = parse(made / "report.html"), (made / "report.html").read_text(encoding="utf-8")
    assert page.unbalanced == [] and page.stack == []
    assert len(page.ids) == len(set(page.ids))
    targets = [value for _, name, value in page.attributes if name in ("href", "xlink:href")]
    assert targets and all(value.startswith("#") for value in targets)
    assert {value[1:] for value in targets} | set(re.findall(r"url\(#([^)]*)\)", text)) <= set(page.ids)
    assert "mathdefault" not in text, "a number that matplotlib writes as a formula"
    assert "://" not in text and "@import" not in text
    assert not {tag for tag, _, _ in page.attributes} & {"script", "link", "iframe", "object", "embed"}
    assert not [value for _, name, value in page.attributes if name in ("src", "srcset", "data", "action")]


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine: the page is checked as a text only")
def test_chromium_lays_the_page_out_offline(made: Path, tmp_path: Path) -> None:
    probe = """<script>addEventListener('load', () => {
      const boxes = [...document.querySelectorAll('svg')].map(svg => svg.getBoundingClientRect());
      document.body.dataset.pictures = boxes.map(box => [box.width, box.height].map(Math.round).join('x')).join(' ');
      document.body.dataset.wide = document.documentElement.scrollWidth - innerWidth;
      document.body.dataset.fetched = performance.getEntriesByType('resource').length;
    });</script></body>"""
    page = tmp_path / "probe.html"
    page.write_text((made / "report.html").read_text(encoding="utf-8").replace("</body>", probe), encoding="utf-8")
    options = ["--no-sandbox", "--disable-gpu", "--window-size=1200,900", f"--user-data-dir={tmp_path / 'browser'}"]
    offline = "--host-resolver-rules=MAP * ~NOTFOUND"
    command = [str(BROWSER), "--headless", *options, offline, "--virtual-time-budget=5000", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    found = dict(re.findall(r'data-(pictures|wide|fetched)="([^"]*)"', done.stdout))
    sizes = [tuple(map(int, size.split("x"))) for size in found["pictures"].split()]
    assert len(sizes) == len(SECTIONS)
    assert all(width > 800 and 100 < height < 1000 for width, height in sizes), sizes
    assert int(found["wide"]) <= 0 and found["fetched"] == "0"


def test_without_rewards_the_page_says_what_is_missing_and_a_written_one_fills_it(
    with_data: Callable[[Dataset], Path],
) -> None:
    data = dataset()
    folder = with_data(replace(data, reward_mask=np.zeros(data.frames, bool)))
    assert report(folder) == 0
    page = parse(folder / "report.html")
    assert set(SECTIONS) - set(page.pictures) == {"calibration", "ranking", "success"}
    assert "--reward 'EXPRESSION'" in page.words["calibration"] and "--reward" in page.words["ranking"]
    assert "No reward is known" in page.words["coverage"] and "--evaluation FILE" in page.words["success"]
    assert report(folder, "--reward", "position.x > 0") == 0
    page = parse(folder / "report.html")
    assert set(SECTIONS) - set(page.pictures) == {"success"}
    assert "position.x > 0" in page.words[""]


def test_an_agent_without_a_reward_shows_its_futures_and_asks_for_one(tmp_path: Path) -> None:
    data = dataset()
    data = replace(data, reward_mask=np.zeros(data.frames, bool))
    save_checkpoint(train(data, CONFIG)[0], tmp_path / "agent.yaml", data.digest, "0" * 40)
    write_dataset(tmp_path / "data", data)
    assert report(tmp_path) == 0
    page = parse(tmp_path / "report.html")
    assert set(page.pictures) == {"futures", "coverage"}
    assert all("has learned no reward" in page.words[key] for key in ("trajectories", "calibration", "sensitivity"))


def test_without_actions_all_but_the_chunks_support_is_there(with_data: Callable[[Dataset], Path]) -> None:
    data = dataset()
    folder = with_data(replace(data, action_mask=np.zeros(data.frames, bool)))
    assert report(folder) == 0
    page = parse(folder / "report.html")
    assert set(SECTIONS) - set(page.pictures) == {"success"}
    assert "No action is known" in page.words["coverage"]


@pytest.mark.parametrize("length", [1, 2, 20])
def test_a_single_episode_of_an_unknown_behavior_is_shown_as_far_as_it_goes(
    with_data: Callable[[Dataset], Path], length: int
) -> None:
    folder = with_data(Dataset.from_episodes(SPEC, [episode(3, "stranger", length)]))
    assert report(folder) == 0
    page = parse(folder / "report.html")
    assert {"trajectories", "sensitivity", "coverage"} <= set(page.pictures)
    assert ("futures" in page.pictures) == (length > 1)
    if length == 20:
        assert "slope (no interval: one episode)" in page.words["calibration"]
        assert "no interval where there is one episode" in page.words["ranking"]
        assert "does not know this behavior by name" in page.words["ranking"]
        assert "nothing to rank" in page.words["ranking"]


def test_scores_without_noise_are_said_to_have_none(with_data: Callable[[Dataset], Path]) -> None:
    folder = with_data(dataset())
    agent = folder / "agent.yaml"
    agent.write_text(re.sub("scoring: .*", "scoring: heads", agent.read_text()))
    assert report(folder) == 0
    page = parse(folder / "report.html")
    assert "no noise moves a score" in page.words["sensitivity"] and "sensitivity" not in page.pictures


def test_heads_that_have_no_say_leave_the_scores_to_futures(with_data: Callable[[Dataset], Path]) -> None:
    folder = with_data(dataset())
    agent = folder / "agent.yaml"
    agent.write_text(
        re.sub("scoring: .*", "scoring: heads", re.sub("behavior: .*", "behavior: max", agent.read_text()))
    )
    assert report(folder) == 0
    page = parse(folder / "report.html")
    assert "sensitivity" in page.pictures and "by futures alone" in page.words["sensitivity"]


def test_numbers_that_never_move_are_named(with_data: Callable[[Dataset], Path]) -> None:
    data = dataset()
    states = np.array(data.states)
    states[:, 2] = 0.7
    folder = with_data(replace(data, states=states))
    assert report(folder) == 0
    assert "These numbers never move: position.z, orientation.x" in parse(folder / "report.html").words["coverage"]


def test_numbers_that_are_not_finite_are_refused_by_name(
    with_data: Callable[[Dataset], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = dataset()
    states = np.array(data.states)
    states[[45, 46], 1] = np.nan
    folder = with_data(replace(data, states=states))
    assert report(folder) == 1
    said = capsys.readouterr().err
    assert "found nan in the state's 'position.y', frame 5 of episode 2" in said and "2 frames in all" in said
    assert not (folder / "report.html").exists()


def test_data_of_another_spec_and_an_altered_checkpoint_are_refused(
    with_data: Callable[[Dataset], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = dataset()
    folder = with_data(replace(data, spec=RobotSpec.parse(SPEC.text.replace("rate: 20", "rate: 10"))))
    assert report(folder) == 1
    assert "was trained for the spec" in capsys.readouterr().err
    numbers = folder / "agent.safetensors"
    numbers.write_bytes(numbers.read_bytes()[:-4] + b"\0\0\0\1")
    write_dataset(folder / "data", data)
    assert report(folder) == 1
    assert "was altered: expected SHA-256" in capsys.readouterr().err


@pytest.mark.parametrize("value", [-8.0, 0.0, 8.0])
def test_the_legends_get_room_above_the_values_of_any_sign(value: float) -> None:
    tick = np.arange(9)
    one = Trajectory(0, tick, value + tick / 9, np.zeros(9), np.zeros(9), np.full(9, value))
    figure = draw_trajectories.__wrapped__(Trajectories((Group("all", (one,)),), ""), 10.0)
    low, high = figure.axes[0].get_ylim()
    plt.close(figure)
    assert low < value and value + 8 / 9 < low + 0.85 * (high - low)


def test_a_name_is_drawn_as_it_is_written_and_not_as_a_formula() -> None:
    name = r"a_$\frac$"
    assert name in draw_success("success", [Success(name, 0.5, 0.4, 0.6, 0.5)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--names", "position.w"), "the state has no 'position.w'; did you mean 'position."),
        (("--reward", "positon.x"), "position"),
        (("--evaluation", "nowhere.json"), "evaluation 'nowhere.json' cannot be read"),
    ],
)
def test_words_that_mean_nothing_are_refused(
    made: Path, words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(made, *words) == 1
    assert message in capsys.readouterr().err
