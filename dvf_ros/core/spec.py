"""The robot spec: which topics, message types and fields make up the state and the action of one robot and task."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from dvf_ros.core.fields import Field, Kind
from dvf_ros.core.parsing import ConfigError, nearest, parse

TOPIC = re.compile(r"/?[A-Za-z]\w*(/[A-Za-z_]\w*)*", re.ASCII)
PLACES = ("m", "rad")
"""Units of what is a place: 0 of it is somewhere."""

TF = "tf2_msgs/msg/TFMessage"
TRANSFORM = "geometry_msgs/msg/TransformStamped"


@dataclass(frozen=True)
class Source:
    """One topic: what is read from (or written to) it, and how old (s) a value may be before it no longer counts.

    `stamp` says whose time counts: the header's, that of publishing, or that of receiving. `resample: linear` joins
    the values before and after a tick (rotations by slerp) where `hold` takes the one before. Of a TFMessage,
    `parent` and `child` name the frames, with any number of others between them; paths begin at the TransformStamped.
    """

    topic: str
    type: str
    fields: tuple[Field, ...]
    max_age: float = 0.2
    stamp: Literal["header", "publish", "receive"] = "header"
    # No part of repr: a spec without these keys keeps the digest that older checkpoints carry.
    resample: Literal["hold", "linear"] = field(default="hold", repr=False)
    parent: str = field(default="", repr=False)
    child: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not TOPIC.fullmatch(self.topic) or "__" in self.topic:
            raise ConfigError(
                f"topic '{self.topic}': expected letters, digits and '_', beginning with a letter, joined by '/'"
            )
        if not self.fields:
            raise ConfigError(f"topic '{self.topic}' has no fields")
        if self.type.count("/") != 2 or "/msg/" not in self.type:
            raise ConfigError(
                f"topic '{self.topic}': expected a type such as 'sensor_msgs/msg/JointState', found '{self.type}'"
            )
        if not 0 < self.max_age < math.inf:
            raise ConfigError(f"topic '{self.topic}': expected max_age > 0 s and finite, found {self.max_age}")
        frames = bool(self.parent) + bool(self.child)
        if frames != (2 if self.type == TF else 0):
            raise ConfigError(f"topic '{self.topic}': parent and child belong to a {TF}, which needs both")

    @property
    def key(self) -> str:
        """What tells the source from all others: its topic and, of TF, its frames."""
        return f"{self.topic}[{self.parent}/{self.child}]" if self.child else self.topic

    @property
    def static_topic(self) -> str:
        """Where transforms that never change are published, once: beside those of `topic`; empty if it is no TF."""
        return f"{self.topic}_static" if self.child else ""

    @property
    def part_type(self) -> str:
        """The type at which the paths of its fields begin."""
        return TRANSFORM if self.type == TF else self.type

    @property
    def size(self) -> int:
        """How many numbers the topic's fields hold together."""
        return sum(item.size for item in self.fields)


@dataclass(frozen=True)
class Workspace:
    """A box (m) that the position field must not leave by the velocity field's doing."""

    position: str
    velocity: str
    lower: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True)
class FieldSlice:
    """Where a field's numbers lie in the state or action vector: `vector[start:stop]`."""

    name: str
    kind: Kind
    start: int
    stop: int
    unit: str = ""


@dataclass(frozen=True)
class RobotSpec:
    """A robot and its task as the recorder, converter, simulator, learner and controller all see it."""

    robot: str
    task: str
    rate: float
    state: tuple[Source, ...]
    action: tuple[Source, ...]
    frame: str = "base_link"
    outcome: Source | None = None
    workspace: Workspace | None = None
    text: str = field(default="", init=False, compare=False)

    @classmethod
    def parse(cls, text: str, origin: str = "robot spec") -> RobotSpec:
        """Read a spec from YAML text.

        Raises ConfigError naming the line, what was expected and the nearest known name.
        """
        spec = parse(cls, text, origin)
        object.__setattr__(spec, "text", text)
        return spec

    @classmethod
    def load(cls, path: str | Path) -> RobotSpec:
        """Read a spec file; raises ConfigError, also when the file is not there or no text."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"robot spec '{path}' cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"robot spec '{path}': expected YAML in UTF-8, found another kind of file") from error
        return cls.parse(text, str(path))

    def __post_init__(self) -> None:
        if not 0.1 <= self.rate <= 1000:
            raise ConfigError(f"expected a rate between 0.1 and 1000 Hz, found {self.rate}")
        if not self.state:
            raise ConfigError("the state has no topics")
        for part, sources in (("state", self.state), ("action", self.action)):
            names = [item.name for source in sources for item in source.fields]
            topics = [source.key for source in sources]
            for what, words in (("field", names), ("topic", topics)):
                for word in words:
                    if words.count(word) > 1:
                        raise ConfigError(f"{part}: the {what} '{word}' stands twice; merge or rename one")
        for source in (*self.action, *([self.outcome] if self.outcome else [])):
            if source.type == TF or source.resample != "hold":
                raise ConfigError(f"topic '{source.topic}': TF and resample: linear are for the state only")
        if self.outcome:
            for item in self.outcome.fields:
                if item.name not in ("reward", "success", "terminated", "truncated"):
                    known = ("reward", "success", "terminated", "truncated")
                    raise ConfigError(f"outcome: unknown field '{item.name}'; {nearest(item.name, known)}")
        for source in self.action:
            _check_joints(source)
            for item in source.fields:
                self._check_link(item)
                _check_stop(item)
        if self.workspace:
            self._check_workspace(self.workspace)

    def _check_link(self, item: Field) -> None:
        sizes = {piece.name: piece.stop - piece.start for piece in self.state_layout}
        for key, name in (("follows", item.follows), ("moves", item.moves)):
            if name and name not in sizes:
                raise ConfigError(f"action '{item.name}', {key}: no state field '{name}'; {nearest(name, sizes)}")
            if name and sizes[name] != item.size:
                raise ConfigError(
                    f"action '{item.name}', {key}: '{name}' has {sizes[name]} numbers, the action has {item.size}"
                )

    def _check_workspace(self, box: Workspace) -> None:
        for key, layout in (("position", self.state_layout), ("velocity", self.action_layout)):
            names = {piece.name: piece for piece in layout}
            name = getattr(box, key)
            if name not in names:
                raise ConfigError(f"workspace.{key}: no field '{name}'; {nearest(name, names)}")
            if names[name].stop - names[name].start != 3:
                raise ConfigError(f"workspace.{key}: expected a field of 3 numbers, '{name}' is not")
        if len(box.lower) != 3 or len(box.upper) != 3:
            raise ConfigError("workspace: expected 3 numbers (x, y, z) in 'lower' and in 'upper'")
        if not all(low <= high for low, high in zip(box.lower, box.upper, strict=True)):
            raise ConfigError("workspace: expected every number of 'lower' to be at most that of 'upper'")

    @property
    def period_ns(self) -> int:
        """One control period in nanoseconds."""
        return round(1e9 / self.rate)

    @property
    def digest(self) -> str:
        """SHA-256 of what the spec says about state, action and rate: equal digests mean exchangeable data.

        Where two are unlike, spec_differences says why.
        """
        meaning = repr((self.robot, self.task, self.rate, self.state, self.action))
        meaning += "".join(repr((source.key, source.resample)) for source in self.state if source.child)
        meaning += "".join(repr((source.key, source.resample)) for source in self.state if source.resample != "hold")
        return hashlib.sha256(meaning.encode()).hexdigest()

    @cached_property
    def state_layout(self) -> tuple[FieldSlice, ...]:
        """Where each state field lies in the state vector (D,)."""
        return _layout(self.state)

    @cached_property
    def action_layout(self) -> tuple[FieldSlice, ...]:
        """Where each action field lies in the action vector (A,)."""
        return _layout(self.action)

    @property
    def state_size(self) -> int:
        """D, the length of a state vector."""
        return sum(source.size for source in self.state)

    @property
    def action_size(self) -> int:
        """A, the length of an action vector."""
        return sum(source.size for source in self.action)

    @property
    def state_names(self) -> tuple[str, ...]:
        """A name for each number of the state vector (D,)."""
        return tuple(name for source in self.state for item in source.fields for name in item.element_names)

    @property
    def neutral_state(self) -> np.ndarray:
        """(D,) float32: zeros, with the identity for quaternions; a valid state to warm a model up with."""
        state = np.zeros(self.state_size, np.float32)
        for piece in self.state_layout:
            if piece.kind == "quaternion":
                state[piece.stop - 1] = 1.0
        return state

    @property
    def action_names(self) -> tuple[str, ...]:
        """A name for each number of the action vector (A,)."""
        return tuple(name for source in self.action for item in source.fields for name in item.element_names)

    @cached_property
    def action_lower(self) -> np.ndarray:
        """(A,) smallest allowed action, units of the spec; -inf where unbounded."""
        return self._action_limit("lower")

    @cached_property
    def action_upper(self) -> np.ndarray:
        """(A,) largest allowed action, units of the spec; +inf where unbounded."""
        return self._action_limit("upper")

    def _action_limit(self, key: str) -> np.ndarray:
        return np.array([value for source in self.action for item in source.fields for value in getattr(item, key)])


def _check_stop(item: Field) -> None:
    """What is a place, and no rate, has no zero to stop by."""
    if (item.kind == "quaternion" or item.unit in PLACES) and item.stop_mode != "hold":
        found = f"{item.stop_mode}, which stop_mode is by default," if item.stop_mode == "zero" else item.stop_mode
        raise ConfigError(
            f"action '{item.name}' is a place ({'a quaternion' if item.kind == 'quaternion' else item.unit}), and a "
            f"stop by {found} would send the robot to 0; write stop_mode: hold (or the unit of a rate, such as m/s)"
        )


def _check_joints(source: Source) -> None:
    """What is commanded of joints on one topic has to fill the arrays beside name[], each number once."""
    arrays: dict[str, list[str]] = {}
    for item in source.fields:
        if item.kind == "joints":
            arrays.setdefault(item.path, []).extend(item.joints)
    named = {joint for joints in arrays.values() for joint in joints}
    for path, joints in arrays.items():
        for joint in sorted(named):
            if joints.count(joint) != 1:
                raise ConfigError(
                    f"action topic '{source.topic}': expected '{path}' of joint '{joint}' in one field, found it in "
                    f"{joints.count(joint)}; one message holds the same joints in each of its arrays"
                )


def _layout(sources: tuple[Source, ...]) -> tuple[FieldSlice, ...]:
    pieces = []
    start = 0
    for source in sources:
        for item in source.fields:
            pieces.append(FieldSlice(item.name, item.kind, start, start + item.size, item.unit))
            start += item.size
    return tuple(pieces)
