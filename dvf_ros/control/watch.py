"""What stamps do not tell about an input: whether it still arrives, and whether it still says anything new."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvf_ros.core.fields import Field
from dvf_ros.core.spec import Source


@dataclass
class _Part:
    """Numbers of a source that change together if at all, and since which stamp (ns) they have kept their bits."""

    name: str
    place: slice
    frozen_after_ns: int
    bits: bytes = b""
    since: int = 0
    frozen: bool = False


class InputWatch:
    """Watches the messages of all state topics beside the aligner.

    Arrivals are judged by a steady clock, which nobody sets; repetition by stamps, so that a recording played twice
    is judged alike. A sensor found frozen stays so until it says something new: standing still proves nothing.
    """

    def __init__(self, sources: tuple[Source, ...]) -> None:
        self._sources = {source.key: source for source in sources}
        self._parts = {source.key: _parts(source) for source in sources}
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._heard: dict[str, int] = {}
        self._stamps: dict[str, int] = {}
        self._refused: dict[str, str] = {}
        for topic, source in self._sources.items():
            self._parts[topic] = _parts(source)

    def note(self, topic: str, stamp: int, values: np.ndarray, now: int | None) -> None:
        """`values` (size of the source,) of the source with this key, under `stamp` ns, came at `now` (steady ns)."""
        if now is not None and stamp != self._stamps.get(topic):
            self._heard[topic] = now  # a stamp that stands still is no news, however often it comes
        self._stamps[topic] = stamp
        self._refused.pop(topic, None)
        for part in self._parts[topic]:
            bits = np.asarray(values[part.place], np.float64).tobytes()
            if bits != part.bits or stamp < part.since:
                part.bits, part.since, part.frozen = bits, stamp, False

    def refuse(self, topic: str, reason: str) -> None:
        """A message came that does not hold what the spec says."""
        self._refused[topic] = reason

    def problem(self, tick: int, now: int | None, moving_since: int | None, clock: int | None = None) -> str:
        """Why the robot has to stop at `tick` (ns); empty if nothing is wrong.

        `now` (steady ns, None: arrivals are not judged); `moving_since` is the tick since which commands have moved;
        `clock` (ns, None: the tick itself) is the time that stamps may not lie too far behind.
        """
        found = []
        for topic, source in self._sources.items():
            if topic not in self._stamps:
                continue
            newest, most = self._stamps[topic], round(source.max_age * 1e9)
            silent = 0 if now is None else now - self._heard.get(topic, now)
            if silent > most:
                found.append(f"nothing new on '{topic}' for {silent * 1e-9:.2f} s")
            if newest - tick > most:
                found.append(f"stamps on '{topic}' lie {(newest - tick) * 1e-9:.2f} s ahead of the clock")
            if clock is not None and clock - newest > most:
                found.append(f"stamps on '{topic}' lie {(clock - newest) * 1e-9:.2f} s behind the clock")
            found += [
                f"'{topic}' repeats itself: {part.name} unchanged for {part.frozen_after_ns * 1e-9:g} s of motion"
                for part in self._parts[topic]
                if self._is_frozen(part, newest, moving_since)
            ]
        return "; ".join(found)

    def silence(self, now: int) -> str:
        """Which topic was heard longest ago at `now` (steady ns), for people; empty if none is missing."""
        unheard = [topic for topic in self._sources if topic not in self._heard]
        if unheard:
            return f"nothing new on {', '.join(unheard)}{self.refusals}"
        topic = min(self._heard, key=self._heard.__getitem__)
        if now - self._heard[topic] <= self._sources[topic].max_age * 1e9:
            return ""
        return f"nothing new on '{topic}' for {(now - self._heard[topic]) * 1e-9:.2f} s{self.refusals}"

    @property
    def refusals(self) -> str:
        """Why the newest messages of topics were refused, for people; empty if they were not.

        No reason to stop by itself: other publishers may report other joints on the same topic.
        """
        return "".join(f"; message refused: {reason}" for reason in self._refused.values())

    @staticmethod
    def _is_frozen(part: _Part, newest: int, moving_since: int | None) -> bool:
        if moving_since is not None and newest - max(part.since, moving_since) > part.frozen_after_ns:
            part.frozen = True
        return part.frozen


def _parts(source: Source) -> list[_Part]:
    """Each joint by itself, any other field as a whole: a robot on a floor has no height to change."""
    parts, start = [], 0
    for item in source.fields:
        if item.frozen_after:
            parts += _parts_of_field(item, start)
        start += item.size
    return parts


def _parts_of_field(item: Field, start: int) -> list[_Part]:
    after = round(item.frozen_after * 1e9)
    if item.kind == "joints":
        names = item.element_names
        return [_Part(name, slice(start + i, start + i + 1), after) for i, name in enumerate(names)]
    return [_Part(item.name, slice(start, start + item.size), after)]
