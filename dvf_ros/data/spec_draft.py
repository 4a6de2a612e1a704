"""A robot spec proposed from what a bag holds: YAML with comments, ready to edit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import yaml

from dvf_ros.core.selection import FieldSelector, SelectionError
from dvf_ros.core.spec import PLACES, Field, RobotSpec, Source
from dvf_ros.data.bag_reader import BagReader
from dvf_ros.data.bag_storage import BagError
from dvf_ros.data.field_draft import FieldDraft, draft_fields
from dvf_ros.data.inspection import Inspection, Topic
from dvf_ros.data.topic_timing import Intervals

RATES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0)
SENSIBLE_HZ = 5.0  # slower state topics (a battery) do not hold back the control rate where there are faster ones
FEWEST = 10
OLDEST_STATE_S, OLDEST_ACTION_S = 5.0, 1.0
OUTCOME_FIELDS = ("reward", "success", "terminated", "truncated")
HOLDS = re.compile(r"position|pose|orientation|setpoint|joint_state|trajectory")

Stamp = Literal["header", "receive"]


@dataclass(frozen=True)
class _Draft:
    topic: Topic
    fields: FieldDraft
    stamp: Stamp

    @property
    def timing(self) -> Intervals:
        """Of the clock that the spec goes by."""
        return self.topic.header.intervals if self.topic.header and self.stamp == "header" else self.topic.log


def draft_spec(bag: Inspection, definitions: Mapping[str, str] | None = None) -> str:
    """Propose a spec that `RobotSpec.parse` accepts and the bag converts with.

    `definitions` as for BagReader: the bag is read a second time for the range of its actions. Raises BagError where
    no topic could be a state, with the reason of each.
    """
    left_out: dict[str, str] = {}
    states, actions = list(_usable(bag, "state", left_out)), list(_usable(bag, "action", left_out))
    if not states:
        left_out |= {topic.name: topic.why for topic in bag.heard if topic.role == "none"}
        left_out |= {topic.name: f"a command: {topic.why}" for topic in bag.of("action")}
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items()) or "it holds no message"
        raise BagError(f"'{bag.path}' has no topic that could be a state, so there is no spec to propose: {reasons}")
    stamp, reason = _common_stamp([*states, *actions])
    names = _short_names([topic.name for topic in (*states, *actions)])
    drafts = {}
    for topic in (*states, *actions):
        fields = draft_fields(names[topic.name], topic.type, topic.first, bag.definitions)
        if fields.fields:
            drafts[topic.name] = _Draft(topic, fields, stamp if topic.header else "receive")
        else:
            left_out[topic.name] = f"no number in it; {'; '.join(fields.left_out)}".rstrip("; ")
    state = [drafts[topic.name] for topic in states if topic.name in drafts]
    action = [drafts[topic.name] for topic in actions if topic.name in drafts]
    if not state:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise BagError(f"'{bag.path}' has no state topic with a number in it: {reasons}")
    ranges = _ranges(bag, action, definitions or {})
    text = "\n".join(_lines(bag, state, action, ranges, left_out, reason)) + "\n"
    RobotSpec.parse(text, f"spec proposed for '{bag.path}'")
    return text


def _usable(bag: Inspection, role: Literal["state", "action"], left_out: dict[str, str]) -> Iterator[Topic]:
    for topic in bag.of(role):
        if topic.definition == "unknown":
            left_out[topic.name] = f"nothing defines its type {topic.type}; name its .msg by --msg-path"
        elif topic.problem:
            left_out[topic.name] = topic.problem
        elif topic.count < FEWEST:
            left_out[topic.name] = f"{topic.count} messages are too few"
        else:
            yield topic


def _common_stamp(topics: list[Topic]) -> tuple[Stamp, str]:
    """The clock by which all topics can be aligned, and why; those without a header are stamped as received anyway."""
    clocks = [topic.header for topic in topics if topic.header]
    if any(clock.zero for clock in clocks):
        return "receive", "some header stamps are zero"
    if all(clock.agrees for clock in clocks):
        return "header", ""
    if len(clocks) == len(topics) and all(clock.simulated for clock in clocks):
        return "header", "all headers carry simulated time; rates and ages are in it, not in real seconds"
    return "receive", "the headers' clocks cannot be used with those of the other topics"


def _ranges(
    bag: Inspection, drafts: list[_Draft], definitions: Mapping[str, str]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Smallest and largest value (size,) of each action topic's numbers in the bag."""
    if not drafts:
        return {}
    selectors = {
        d.topic.name: FieldSelector(Source(d.topic.name, d.topic.type, tuple(d.fields.fields))) for d in drafts
    }
    low = {name: np.full(selector.source.size, np.nan) for name, selector in selectors.items()}
    high = {name: values.copy() for name, values in low.items()}
    with BagReader(bag.path, definitions) as reader:
        for connection, _, data in reader.raw(selectors):
            topic = connection.topic
            try:
                values = selectors[topic].select(reader.decode(connection, data))
            except (BagError, SelectionError):
                continue  # `dvf convert` counts and names these
            low[topic], high[topic] = np.fmin(low[topic], values), np.fmax(high[topic], values)
    return {name: (low[name], high[name]) for name in selectors}


def _short_names(topics: list[str]) -> dict[str, str]:
    """A name for each topic: its last part, and as many before it as tell it from the others."""
    names = {}
    for topic in topics:
        parts = [re.sub(r"\W", "_", part) for part in topic.strip("/").split("/")]
        others = [other.strip("/").split("/") for other in topics if other != topic]
        length = next((n for n in range(1, len(parts)) if not any(o[-n:] == parts[-n:] for o in others)), len(parts))
        names[topic] = "_".join(parts[-length:])
    return names


def _lines(
    bag: Inspection,
    state: list[_Draft],
    action: list[_Draft],
    ranges: Mapping[str, tuple[np.ndarray, np.ndarray]],
    left_out: Mapping[str, str],
    reason: str,
) -> Iterator[str]:
    name = re.sub(r"\W+", "_", bag.path.resolve().name.partition(".")[0]).strip("_") or "robot"
    rate, why = _rate(state)
    yield f"# Proposed from '{bag.path.name}' ({bag.duration:.1f} s). Check every line marked 'check'; delete what the"
    yield "# task does not need: a smaller state learns from less data."
    if "spec" in bag.custom:
        yield "# The bag carries the spec that it was recorded with; `dvf convert` uses that one unless told otherwise."
    yield f"robot: {_flow(name)} # check: any name"
    yield "task: task # check: any name"
    yield f"rate: {rate} # Hz, check: {why}"
    # What is commanded says itself in which frame; where it does not, the state's is the likeliest.
    framed = [d.topic for d in (*action, *state) if d.topic.header and d.topic.first.header.frame_id]
    if framed:
        yield f"frame: {_flow(framed[0].first.header.frame_id)} # of commands, check: {framed[0].name} has it"
    if reason:
        yield f"# Stamps: {reason}."
    yield ""
    yield f"state: # {sum(d.fields.size for d in state)} numbers"
    for draft in state:
        yield from _source_lines(draft, OLDEST_STATE_S)
    yield ""
    if action:
        yield f"action: # {sum(d.fields.size for d in action)} numbers; check: only what this controller is to send"
        yield "# lower and upper are the range that the bag holds; the robot's own limits may be narrower or wider."
        for draft in action:
            yield from _source_lines(draft, OLDEST_ACTION_S, ranges[draft.topic.name])
    else:
        yield "action: [] # no topic looks like a command; without one the values are learned, but nothing is commanded"
    for topic in bag.of("outcome")[:1]:
        yield from ("", "outcome:", f"  topic: {topic.name}", f"  type: {topic.type}", "  fields:")
        yield from (f"    - {{name: {field}, path: {field}}}" for field in OUTCOME_FIELDS)
    if left_out:
        yield ""
        yield "# Left out:"
        yield from (f"#   {topic}: {why}".replace("\n", " ") for topic, why in left_out.items())


def _rate(state: list[_Draft]) -> tuple[float, str]:
    rates = {draft.topic.name: draft.timing.rate for draft in state}
    sensible = {name: rate for name, rate in rates.items() if rate >= SENSIBLE_HZ} or rates
    slowest = min(sensible, key=sensible.__getitem__)
    fitting = [rate for rate in RATES if rate <= 1.1 * sensible[slowest]]
    return fitting[-1] if fitting else RATES[0], f"{slowest} has {sensible[slowest]:.1f}"


def _source_lines(draft: _Draft, oldest: float, limits: tuple[np.ndarray, np.ndarray] | None = None) -> Iterator[str]:
    timing = draft.timing
    usual, late = timing.quantile(0.5), timing.quantile(0.99)
    # Three usual intervals, or half as much again as all but one in a hundred: what is later is a gap.
    age = min(max(3 * usual, 1.5 * late), oldest)
    yield f"  - topic: {draft.topic.name} # {timing.rate:.1f} Hz, longest silence {timing.longest_s:.3g} s"
    yield f"    type: {draft.topic.type}"
    yield f"    max_age: {_rounded(age, up=True)} # s; 99 % of the intervals are below {late:.2g} s"
    if draft.stamp == "receive":
        yield f"    stamp: receive # {'headers are not used' if draft.topic.header else 'it has no header'}"
    yield "    fields:"
    start = 0
    for item in draft.fields.fields:
        span = slice(start, start + item.size)
        yield f"      - {_flow(_keys(item, draft, limits and (limits[0][span], limits[1][span])))}"
        start += item.size
    yield from (f"      # left out: {text}" for text in draft.fields.left_out)


def _keys(item: Field, draft: _Draft, limits: tuple[np.ndarray, np.ndarray] | None) -> dict[str, Any]:
    keys: dict[str, Any] = {"name": item.name}
    if item.kind != "scalar":
        keys["kind"] = item.kind
    keys["path"] = item.path
    if item.kind == "array":
        keys["size"] = item.size
    if item.joints:
        keys["joints"] = list(item.joints)
    if item.unit != "1":
        keys["unit"] = item.unit
    if limits is None:
        return keys
    if item.kind != "quaternion" and np.isfinite(limits).all():
        keys["lower"] = [_rounded(value, up=False) for value in limits[0]]
        keys["upper"] = [_rounded(value, up=True) for value in limits[1]]
    named = HOLDS.search(f"{draft.topic.type} {item.path}".lower())
    if item.kind == "quaternion" or item.unit in PLACES or named:
        keys["stop_mode"] = "hold"  # a position of zero is no stop
    return keys


def _rounded(value: float, up: bool) -> float:
    """Three significant digits, away from the inside of the range."""
    if value == 0 or not math.isfinite(value):
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    return float(f"{(math.ceil if up else math.floor)(round(value / unit, 6)) * unit:.3g}")


def _flow(value: Any) -> str:
    """One line of YAML."""
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6).removesuffix("...\n").strip()
