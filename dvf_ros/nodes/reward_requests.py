"""Rewards and goals that people send while the robot runs: `~/set_reward`, `~/goal` and `~/goal_point`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import Point, PointStamped, PoseStamped
from rclpy.node import Node

from dvf_ros.core.expression import Expression, ExpressionError
from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.core.goal import GoalError, goal_field, goal_reward, source_of
from dvf_ros.core.spec import RobotSpec, Workspace
from dvf_ros.nodes.controller_parameters import ControllerParameters
from dvf_ros.nodes.spec_topics import StateTopics
from dvf_ros.srv import SetReward

# Takes up a reward (None: the learned one) and returns what is to be known about it; raises ExpressionError.
Apply = Callable[[Expression | None], str]


class RewardRequests:
    """Reads what is asked for, has it applied, and says what was understood or why not.

    A goal is a place for the position field `goal_object` (empty: chosen by `goal_field`), in the frame in which that
    field is reported. Raises GoalError for a goal_object that is no position.
    """

    def __init__(
        self, node: Node, spec: RobotSpec, states: StateTopics, parameters: ControllerParameters, apply: Apply
    ) -> None:
        self.refused_goal = ""
        self._node = node
        self._spec = spec
        self._states = states
        self._wanted, self._reach = parameters.goal_object, parameters.goal_reach
        self._apply = apply
        if self._wanted:
            goal_field(spec, self._wanted)
        self._service = node.create_service(SetReward, "~/set_reward", self._on_set_reward)
        self._subscriptions = [
            node.create_subscription(PoseStamped, "~/goal", lambda goal: self._on_goal(goal, goal.pose.position), 1),
            node.create_subscription(PointStamped, "~/goal_point", lambda goal: self._on_goal(goal, goal.point), 1),
        ]

    def destroy(self) -> None:
        """Take service and subscriptions down."""
        self._node.destroy_service(self._service)
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _on_set_reward(self, request: SetReward.Request, response: SetReward.Response) -> SetReward.Response:
        try:
            response.message = self._take(request.expression)
            response.success = True
            self._node.get_logger().info(f"reward set: {response.message}")
        except ExpressionError as error:
            response.message = f"{error}; the reward stays what it was"
        return response

    def _on_goal(self, goal: Any, place: Point) -> None:
        try:
            field = goal_field(self._spec, self._wanted)
            self._check_frame(field, goal.header.frame_id)
            text = goal_reward(field, (place.x, place.y, place.z), self._reach, self._box(goal.header.frame_id))
            meaning = self._take(text)
        except (ExpressionError, GoalError) as error:
            self.refused_goal = str(error)
            self._node.get_logger().error(f"goal refused: {error}; the reward stays what it was")
            return
        self.refused_goal = ""
        self._node.get_logger().info(f"goal: bring {field} there; {meaning}")

    def _check_frame(self, field: str, frame: str) -> None:
        source = source_of(self._spec, field)
        own = self._states.frames.get(source)
        if own is None:
            raise GoalError(f"'{source}' has not said yet in which frame {field} is; send the goal when it has")
        if frame != own:
            raise GoalError(f"expected a goal in frame '{own}', in which {field} is reported, found '{frame}'")

    def _box(self, frame: str) -> Workspace | None:
        """The workspace, where it is one of this frame."""
        box = self._spec.workspace
        return box if box and self._states.frames.get(source_of(self._spec, box.position)) == frame else None

    def _take(self, text: str) -> str:
        if not text.strip():
            return self._apply(None)
        expression = parse_expression(text, self._spec)
        known = self._apply(expression)
        return f"{expression.meaning}; {known}"
