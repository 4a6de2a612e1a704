"""Which numbers a picture shows: those that were named, else the last vector, else the last numbers."""

from __future__ import annotations

import pytest

from dvf_ros.core.columns import columns_of
from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.spec import RobotSpec

TEXT = """
robot: toy
task: small
rate: 20
state:
  - topic: pose
    type: geometry_msgs/msg/PoseStamped
    fields:
      - {name: position, kind: vector, path: pose.position}
      - {name: orientation, kind: quaternion, path: pose.orientation}
action: []
"""


def test_names_come_first_then_the_last_vector_then_the_last_numbers() -> None:
    spec = RobotSpec.parse(TEXT)
    assert columns_of(spec, ()) == [0, 1, 2]
    assert columns_of(spec, ("orientation.w", "position.y")) == [6, 1]
    without = RobotSpec.parse(TEXT.replace("      - {name: position, kind: vector, path: pose.position}\n", ""))
    assert columns_of(without, ()) == [1, 2, 3]


def test_a_name_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"has no 'position.w'; did you mean 'position"):
        columns_of(RobotSpec.parse(TEXT), ("position.w",))
