"""Between messages and vectors: pick a source's fields out of a message, and write an action into one.

Works on any object that carries a ROS message's attributes: rclpy's messages live, a bag library's messages offline.
"""

from __future__ import annotations

import operator
import re
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dvf_ros.core.fields import AXES, Field
from dvf_ros.core.parsing import ConfigError, nearest
from dvf_ros.core.spec import Source
from dvf_ros.core.transforms import NORM_LEAST, NORM_MOST, FrameTree

STEP = re.compile(r"([A-Za-z_]\w*)|\[(\d+)\]")


class SelectionError(ValueError):
    """A message does not hold what the spec says; it names topic, field, what was expected and what was found."""


def steps_of(path: str) -> tuple[str | int, ...]:
    """Split `pose.position` or `data[2]` into attribute names and indices; raises ConfigError if malformed."""
    steps = tuple(name if name else int(index) for name, index in STEP.findall(path))
    canonical = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).lstrip(".")
    if not steps or canonical != path:
        raise ConfigError(f"path '{path}' is malformed; expected names joined by '.', with [i] for an element")
    return steps


class FieldSelector:
    """Picks the fields of one source out of its messages; `order_changes` counts how often name[] changed."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.order_changes = 0
        self._steps = [steps_of(item.path) for item in source.fields]
        self._quick = _getter(source)
        self._shape = (source.size,)
        starts = np.cumsum([0, *(item.size for item in source.fields)])
        places = [(item, slice(int(start), int(start) + 4)) for item, start in zip(source.fields, starts, strict=False)]
        self._rotations = [(item, place) for item, place in places if item.kind == "quaternion"]
        self._tree = FrameTree(source.parent, source.child, source.max_age) if source.child else None
        self._joint_order: list[str] = []
        self._joint_index: dict[str, int] = {}

    def parts(self, message: Any, topic: str = "") -> Sequence[Any]:
        """What of the message is about the source: all of it or, of a TFMessage, the transforms between its frames.

        Where other frames lie between them, the transforms of several messages are joined, see FrameTree; `topic`
        tells the source's own from its static one. Raises SelectionError where the child hangs below frames that lead
        nowhere, or one of them is turned by no rotation.
        """
        source = self.source
        if self._tree is None:
            return (message,)
        parent, child = self._tree.parent, self._tree.child
        own = [part for part in message.transforms if part.child_frame_id.lstrip("/") == child]
        static = topic == source.static_topic
        if not static and (direct := [part for part in own if part.header.frame_id.lstrip("/") == parent]):
            return direct
        try:
            joined = self._tree.add(message.transforms, static)
        except ValueError as error:
            raise SelectionError(f"topic '{source.topic}': {error}") from error
        if joined is not None:
            return (joined,)
        if own and not static and not self._tree.connects():  # what is static may come before what leads to it
            raise SelectionError(
                f"topic '{source.topic}': expected transforms that lead from '{parent}' to '{child}', found"
                f" '{child}' only below '{own[0].header.frame_id}'"
            )
        return ()

    def select(self, part: Any) -> np.ndarray:
        """(size,) float64: the source's fields in the spec's order, exactly as `part` of a message holds them.

        Raises SelectionError where a field, joint or element is missing, or a quaternion is no rotation.
        """
        numbers = self._select_by_name(part)
        if numbers is not None:
            return numbers
        parts = [
            self._select_field(item, steps, part) for item, steps in zip(self.source.fields, self._steps, strict=True)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _select_by_name(self, part: Any) -> np.ndarray | None:
        """What `_select_field` gives, in one call; None where it has to be asked, also for what is wrong."""
        if self._quick is None:
            return None
        try:
            numbers = np.array(self._quick(part), np.float64)
        except (AttributeError, TypeError, ValueError):
            return None
        if numbers.shape != self._shape:
            return None
        self.check(numbers)
        return numbers

    def check(self, numbers: np.ndarray) -> None:
        """Raise SelectionError where a quaternion among the source's numbers (size,) is no rotation."""
        for item, place in self._rotations:
            self._check_rotation(item, numbers[place])

    def stamp(self, part: Any, receive_ns: int, publish_ns: int = 0) -> int:
        """Nanoseconds, as the spec's `stamp` says: the header's, `publish_ns` (0: not known) or `receive_ns`.

        Raises SelectionError where there is none: no header, no time of publishing.
        """
        if self.source.stamp != "header":
            return self.time(None, receive_ns, publish_ns)
        try:
            stamp = part.header.stamp
        except AttributeError:
            return self.time(None, receive_ns, publish_ns)
        return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)

    def time(self, header_ns: int | None, receive_ns: int, publish_ns: int = 0) -> int:
        """The same, where the header's stamp is known already (None: there is no header)."""
        source = self.source
        if source.stamp == "receive":
            return receive_ns
        if source.stamp == "publish":
            if publish_ns <= 0:
                raise SelectionError(f"topic '{source.topic}': no time of publishing was kept; write stamp: receive")
            return publish_ns
        if header_ns is None:
            raise SelectionError(f"topic '{source.topic}': {source.type} has no header; write stamp: receive")
        return header_ns

    def _select_field(self, item: Field, steps: tuple[str | int, ...], message: Any) -> np.ndarray:
        value = message
        try:
            for step in steps:
                value = value[step] if isinstance(step, int) else getattr(value, step)
            if item.kind in AXES:
                numbers = np.array([getattr(value, axis) for axis in AXES[item.kind]], dtype=np.float64)
                if item.kind == "quaternion":
                    self._check_rotation(item, numbers)
                return numbers
        except AttributeError as error:
            raise self._error(item, f"path '{item.path}': {_lack(error)}") from error
        except (IndexError, TypeError) as error:
            raise self._error(item, f"the message has no '{item.path}' ({error})") from error
        if item.kind == "joints":
            return self._select_joints(item, value, message)
        try:
            numbers = np.asarray(value, dtype=np.float64).reshape(-1)
        except (TypeError, ValueError) as error:
            kind = getattr(value, "__msgtype__", type(value).__name__)
            raise self._error(item, f"path '{item.path}': expected numbers, found {kind}") from error
        if numbers.size != item.size:
            raise self._error(item, f"expected {item.size} numbers, found {numbers.size}")
        return numbers

    def _check_rotation(self, item: Field, numbers: np.ndarray) -> None:
        norm = float(numbers @ numbers)
        if norm < NORM_LEAST or norm > NORM_MOST:  # not finite is no frame either, but for the caller to say
            raise self._error(item, f"expected a rotation, a quaternion of norm 1; found norm {norm**0.5:.3g}")

    def _select_joints(self, item: Field, values: Sequence[float], message: Any) -> np.ndarray:
        names = message.name
        if names != self._joint_order:
            if not len(names):
                raise self._error(item, "name[] is empty: which number is which joint's cannot be known")
            if len(set(names)) != len(names):
                raise self._error(item, f"a joint name stands twice in name[]: {list(names)}")
            self.order_changes += bool(self._joint_order)
            self._joint_order, self._joint_index = list(names), {name: i for i, name in enumerate(names)}
        if len(values) != len(names):
            raise self._error(item, f"expected {len(names)} numbers, one a name, found {len(values)}")
        try:
            places = [self._joint_index[joint] for joint in item.joints]
        except KeyError as error:
            joint = str(error.args[0])
            raise self._error(item, f"joint '{joint}' is not in the message; {nearest(joint, names)}") from error
        return np.asarray(values, np.float64)[places]

    def _error(self, item: Field, message: str) -> SelectionError:
        return SelectionError(f"topic '{self.source.topic}', field '{item.name}': {message}")


def _lack(error: AttributeError) -> str:
    """What part of a message has no field of a name, and which it has that is nearest."""
    part, name = error.obj, error.name or ""
    if hasattr(part, "get_fields_and_field_types"):  # one of rclpy's
        known = list(part.get_fields_and_field_types())
    else:
        known = [word for word in getattr(part, "__dict__", ()) if not word.startswith("_")]
    kind = getattr(part, "__msgtype__", type(part).__name__)
    return f"{kind} has no '{name}'; {nearest(name, known)}"


def _getter(source: Source) -> Callable[[Any], Any] | None:
    """All numbers of a source in one call, where none of them needs more than to be reached by name."""
    paths = []
    for item in source.fields:
        if item.kind not in ("scalar", *AXES) or "[" in item.path:
            return None
        paths += [f"{item.path}.{axis}" for axis in AXES[item.kind]] if item.kind in AXES else [item.path]
    get = operator.attrgetter(*paths)
    return get if len(paths) > 1 else lambda part: (get(part),)


def write_fields(source: Source, values: np.ndarray, message: Any) -> None:
    """Write `values` (size,) into `message` by the source's fields: the inverse of FieldSelector.select.

    name[] holds the joints of all fields; an array beside it is NaN for joints of which no field gives its number.
    A sequence of numbers grows as far as it has to. Raises IndexError for an element of a sequence of messages.
    """
    joints = list(dict.fromkeys(joint for item in source.fields for joint in item.joints))
    arrays: dict[str, dict[str, float]] = {}
    start = 0
    for item in source.fields:
        part = [float(value) for value in values[start : start + item.size]]
        start += item.size
        if item.kind == "joints":
            known = arrays.setdefault(item.path, {})
            known.update(zip(item.joints, part, strict=True))
            message.name, part = joints, [known.get(joint, np.nan) for joint in joints]
        *parents, last = steps_of(item.path)
        target = message
        for step in parents:
            target = target[step] if isinstance(step, int) else getattr(target, step)
        if item.kind in AXES:
            for axis, number in zip(AXES[item.kind], part, strict=True):
                setattr(getattr(target, str(last)), axis, number)
        elif isinstance(last, int):
            if isinstance(target, array):
                target.extend([0] * (last + 1 - len(target)))
            target[last] = _like(target[last], part[0])
        else:
            setattr(target, last, _like(getattr(target, last), part[0] if item.kind == "scalar" else part))


def _like(present: Any, wanted: Any) -> Any:
    """A number, or numbers, as a message takes them in the place of `present`: true from a half on, whole for whole."""
    kind = np.asarray(present).dtype.kind
    if isinstance(wanted, list):
        return [round(number) for number in wanted] if kind in "iu" else wanted
    return wanted >= 0.5 if kind == "b" else round(wanted) if kind in "iu" else wanted
