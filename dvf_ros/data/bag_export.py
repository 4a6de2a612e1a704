"""A dataset as bags for Foxglove and `ros2 bag`: one an episode, with the spec's topics rebuilt from the numbers.

`dvf convert` makes the same frames of them again, bit for bit. What the dataset does not hold is not in the bags:
fields that the spec does not name stay at their defaults, and frame names of states, but for transforms, are empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dvf_ros.core.spec import RobotSpec, Source
from dvf_ros.data.bag_writer import BagWriter
from dvf_ros.data.dataset import Dataset, Episode
from dvf_ros.data.exchange import ExchangeError, new_folder
from dvf_ros.data.message_building import MessageBuilder, export_definitions

WORDS = {True: "success", False: "failure", None: ""}
ROUNDING_NS = 1000


def export_bags(
    dataset: Dataset,
    folder: str | Path,
    definitions: Mapping[str, str] = {},
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[str, ...]:
    """Write an MCAP bag for each episode into a new folder; returns what the spec has no place for, in words.

    `definitions`: text of .msg files by type, for types that are none of ROS 2 Jazzy's common ones. Raises
    ExchangeError for frames that are not a period apart, or numbers that their message type cannot hold.
    """
    spec = dataset.spec
    both = {source.topic for source in spec.state} & {source.topic for source in spec.action}
    if both:
        raise ExchangeError(f"the topic '{min(both)}' is state and action at once, which separate messages cannot say")
    known = export_definitions(definitions)
    by_topic: dict[str, list[Source]] = {}
    for source in (*spec.state, *spec.action, *([spec.outcome] if spec.outcome else [])):
        by_topic.setdefault(source.topic, []).append(source)
    builders = {topic: MessageBuilder(sources, known) for topic, sources in by_topic.items()}
    lost = {"rewards": 0, "terminations": 0, "unknown success": 0}
    says = {item.name for item in spec.outcome.fields} if spec.outcome else set()
    with new_folder(folder) as place:
        for index in range(dataset.episodes):
            episode = dataset.episode(index)
            if (np.diff(episode.stamps) != spec.period_ns).any():
                raise ExchangeError(
                    f"episode {index} ('{episode.source}'): its frames are not {spec.period_ns} ns apart"
                )
            _write(place / f"episode_{index:06d}", episode, spec, builders)
            lost["rewards"] += int(episode.reward_mask.sum()) if "reward" not in says else 0
            lost["terminations"] += episode.terminated and "terminated" not in says
            lost["unknown success"] += "success" in says and episode.success is None and _has_outcome(episode)
            progress(index + 1, dataset.episodes)
    return tuple(f"{count} {what}" for what, count in lost.items() if count)


def _has_outcome(episode: Episode) -> bool:
    return bool(episode.reward_mask.any()) or episode.terminated


def _write(folder: Path, episode: Episode, spec: RobotSpec, builders: Mapping[str, MessageBuilder]) -> None:
    custom = {"spec": spec.text, "spec_digest": spec.digest, "behavior": episode.behavior, "namespace": ""}
    bag = BagWriter(folder, custom | {"outcome": WORDS[episode.success]})
    try:
        for topic, builder in builders.items():
            bag.add_topic(_absolute(topic), builder.type, builder.definition, type_hash=builder.type_hash)

        def put(topic: str, values: Sequence[np.ndarray], stamp: int, frame: str = "") -> None:
            bag.write(_absolute(topic), stamp, stamp, builders[topic].build(values, stamp, frame))

        last = len(episode.states) - 1
        commanded = False
        for k, stamp in enumerate(episode.stamps.tolist()):
            state: dict[str, list[np.ndarray]] = {}
            for source, part in _parts(spec.state, episode.states[k]):
                state.setdefault(source.topic, []).append(part)
            for topic, parts in state.items():
                put(topic, parts, stamp)
            if spec.outcome and _has_outcome(episode) and (k or not last):
                put(spec.outcome.topic, [_outcome(spec.outcome, episode, k)], stamp)
            known = bool(episode.action_mask[k])
            # After a known action an unknown one has to be said: by silence the last would seem to go on.
            if known or (commanded and k < last):
                values = episode.actions[k] if known else np.full(spec.action_size, np.nan, np.float32)
                for source, part in _parts(spec.action, values):
                    put(source.topic, [part], _command_stamp(source, stamp, stamp + spec.period_ns), spec.frame)
                commanded = True
    except BaseException:
        bag.abandon()
        raise
    bag.close()


def _parts(sources: tuple[Source, ...], values: np.ndarray) -> list[tuple[Source, np.ndarray]]:
    cuts = np.cumsum([source.size for source in sources])[:-1]
    return list(zip(sources, np.split(values, cuts), strict=True)) if sources else []


def _command_stamp(source: Source, stamp: int, after: int) -> int:
    """With the state that it answers, or as much later as keeps it from being too old just before the next one."""
    return max(stamp, after - 1 - int(source.max_age * 1e9) + ROUNDING_NS)


def _outcome(source: Source, episode: Episode, k: int) -> np.ndarray:
    """What is said on arrival in frame k; a reward that is not known is NaN."""
    last = k == len(episode.states) - 1
    known = k > 0 and episode.reward_mask[k - 1]
    values = {
        "reward": float(episode.rewards[k - 1]) if known else np.nan,
        "success": float(last and episode.success is True),
        "terminated": float(last and episode.terminated),
        "truncated": 0.0,
    }
    return np.array([values[item.name] for item in source.fields])


def _absolute(topic: str) -> str:
    return topic if topic.startswith("/") else f"/{topic}"
