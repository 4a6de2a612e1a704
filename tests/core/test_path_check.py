"""A spec whose paths do not fit its messages is refused before a message comes."""

from __future__ import annotations

import pytest

from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.path_check import check_paths
from dvf_ros.core.spec import RobotSpec


def fields_of(type_name: str) -> dict[str, str]:
    known = {
        "p/msg/T": {
            "header": "std_msgs/Header",
            "pose": "p/Pose",
            "data": "sequence<double>",
            "name": "sequence<string>",
        },
        "p/msg/Pose": {"position": "p/msg/Point"},
        "p/msg/Point": {"x": "double", "y": "double", "z": "double"},
    }
    if type_name not in known:
        raise KeyError(f"the package of {type_name} is not installed")
    return known[type_name]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            "- {name: f, path: pose.positon, kind: vector}",
            "path 'pose.positon': p/msg/Pose has no 'positon'; did you mean 'position'?",
        ),
        ("- {name: f, path: pose, kind: vector}", "p/msg/Pose is no vector"),
        ("- {name: f, path: pose.position, kind: quaternion}", "p/msg/Point is no quaternion"),
        ("- {name: f, path: pose.position.x, kind: scalar}", ""),
        ("- {name: f, path: 'data[3]'}", ""),
        (
            "- {name: f, path: pose.position}",
            "topic 's', field 'f', path 'pose.position': expected numbers, found p/msg/Point; write kind: vector",
        ),
        ("- {name: f, path: pose}", "expected numbers, found p/msg/Pose; name a number of it; it has: position"),
        ("- {name: f, path: 'name[0]'}", "expected numbers, found string; name a number of it; it has: none"),
    ],
)
def test_paths_are_checked_against_definitions(fields: str, said: str) -> None:
    text = f"robot: r\ntask: t\nrate: 10\nstate:\n- topic: s\n  type: p/msg/T\n  fields:\n  {fields}\naction: []"
    spec = RobotSpec.parse(text)
    if not said:
        return check_paths(spec, fields_of)
    with pytest.raises(ConfigError) as error:
        check_paths(spec, fields_of)
    assert said in str(error.value)


def test_types_without_header_or_definition_are_told() -> None:
    state = "- topic: s\n  type: p/msg/Point\n  fields:\n  - {name: f, path: x}"
    text = f"robot: r\ntask: t\nrate: 10\nstate:\n{state}\naction: []"
    with pytest.raises(ConfigError, match=r"topic 's': p/msg/Point has no header; write stamp: receive"):
        check_paths(RobotSpec.parse(text), fields_of)
    with pytest.raises(ConfigError, match=r"topic 's': the message type 'q/msg/Z' is not known here; the package of q"):
        check_paths(RobotSpec.parse(text.replace("p/msg/Point", "q/msg/Z")), fields_of)
