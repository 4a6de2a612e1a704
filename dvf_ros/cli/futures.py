"""`dvf futures`: a picture of the futures that were sampled, against what then happened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import matplotlib
import numpy as np
import tyro

from dvf_ros.cli.picture_path import require_picture
from dvf_ros.core.columns import columns_of
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.bag_reader import BagError, BagReader, find_namespace, recorded_topics
from dvf_ros.data.bag_search import find_bags
from dvf_ros.data.dataset import Episode
from dvf_ros.data.episodes import EpisodeCutter

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

MOMENTS = 4
TRUTH, NOW = "#202020", "#b03030"


@dataclass(frozen=True)
class Futures:
    """Draw sampled futures (dots, coloured by predicted reward) against what then happened (line)."""

    bag: Annotated[Path, tyro.conf.Positional]
    """A bag of a run with the controller's ~/futures topic, or a folder of bags: then the newest one."""
    output: Path = Path("results/futures.png")
    """Where the picture goes."""
    episode: int | None = None
    """Which episode of the bag, from 0; by default the longest."""
    names: tuple[str, ...] = ()
    """State numbers to draw, e.g. cube_position.z; by default the last vector of the state."""


@dataclass(frozen=True)
class SampledFutures:
    """One `~/futures` message: M states `offsets` (s) after `stamp` (ns)."""

    stamp: int
    offsets: np.ndarray  # (M,)
    states: np.ndarray  # (M, D)
    rewards: np.ndarray  # (M,)

    @classmethod
    def of(cls, message: Any) -> SampledFutures:
        """Read the message."""
        stamp = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
        states = np.asarray(message.states).reshape(-1, message.state_size)
        return cls(stamp, np.asarray(message.offsets_s), states, np.asarray(message.rewards))


def main(args: Futures) -> int:
    """Draw the picture."""
    require_picture(args.output)
    bag = max(find_bags([args.bag]), key=lambda path: path.stat().st_mtime)
    spec, episodes, futures = read_run(bag)
    if not episodes:
        raise BagError(f"'{bag}' holds no episode: the state topics were never all heard")
    number = args.episode if args.episode is not None else int(np.argmax([len(item.states) for item in episodes]))
    if not 0 <= number < len(episodes):
        raise BagError(f"'{bag}' holds {len(episodes)} episodes; there is no number {number}")
    episode = episodes[number]
    decided = [item for item in futures if episode.stamps[0] <= item.stamp < episode.stamps[-1]]
    if not decided:
        raise BagError(f"'{bag}': no message of a topic ending in controller/futures lies within the episode")
    picked = [decided[i] for i in np.unique(np.linspace(0, len(decided) - 1, MOMENTS + 1).astype(int)[:-1])]
    draw(spec, episode, picked, columns_of(spec, args.names), args.output)
    print(f"picture: {args.output}")
    return 0


def read_run(bag: Path) -> tuple[RobotSpec, list[Episode], list[SampledFutures]]:
    """The spec, the episodes and the sampled futures of a recorded run; raises BagError where one is not there."""
    with BagReader(bag) as reader:
        if "spec" not in reader.custom:
            raise BagError(f"'{bag}': the bag's metadata holds no spec; record with the recorder node")
        spec = RobotSpec.parse(reader.custom["spec"], f"spec of {bag}")
        topics = recorded_topics(spec, reader.types, find_namespace(spec, reader.types))
        futures_topics = {topic for topic in reader.types if topic.endswith("controller/futures")}
        cutter = EpisodeCutter(spec)
        episodes: list[Episode] = []
        futures: list[SampledFutures] = []
        for topic, receive_ns, message in reader.messages([*topics, *futures_topics]):
            if topic in futures_topics:
                futures.append(SampledFutures.of(message))
            else:
                episodes.extend(cutter.push(topics[topic], receive_ns, message))
        episodes.extend(cutter.finish())
    return spec, episodes, futures


@matplotlib.rc_context({"text.parse_math": False})  # names are no formulas
def draw(spec: RobotSpec, episode: Episode, futures: list[SampledFutures], columns: list[int], output: Path) -> None:
    """One row per state number, one column per moment."""
    figure, axes = plt.subplots(
        len(columns), len(futures), figsize=(3.6 * len(futures), 2.3 * len(columns)), sharex="col", sharey="row",
        squeeze=False, layout="constrained",
    )  # fmt: skip
    scale = reward_scale(futures)
    for i, column in enumerate(columns):
        for j, item in enumerate(futures):
            _draw_moment(axes[i, j], episode, item, column, scale)
        axes[i, 0].set_ylabel(spec.state_names[column])
    for j, item in enumerate(futures):
        seconds = (item.stamp - episode.stamps[0]) * 1e-9
        axes[0, j].set_title(f"at {seconds:.1f} s, mean predicted reward {item.rewards.mean():.2f}", fontsize=9)
        axes[-1, j].set_xlabel("seconds from the decision")
    figure.colorbar(ScalarMappable(scale, "viridis"), ax=axes, label="predicted reward", shrink=0.6)
    figure.suptitle(f"{spec.robot} {spec.task}: sampled futures (dots) and what then happened (line)")
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=110)
    plt.close(figure)


def reward_scale(futures: list[SampledFutures]) -> Normalize:
    """The scale of the colours: all rewards of the futures, and 0."""
    rewards = np.concatenate([[0.0], *(item.rewards for item in futures)])
    low, high = float(rewards.min()), float(rewards.max())
    return Normalize(low, max(high, low + 1e-6))


def _draw_moment(axis: Axes, episode: Episode, item: SampledFutures, column: int, scale: Normalize) -> None:
    seconds = (episode.stamps - item.stamp) * 1e-9
    axis.plot(seconds, episode.states[:, column], color=TRUTH, linewidth=1.5)
    axis.axvline(0.0, color=NOW, linewidth=0.8)
    axis.set_xlim(-1.0, max(2.0, float(seconds[-1]) + 1.0))
    axis.scatter(item.offsets, item.states[:, column], c=item.rewards, cmap="viridis", norm=scale, s=14, alpha=0.85)
