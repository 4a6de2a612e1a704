"""A lifecycle node whose transitions say why they failed."""

from __future__ import annotations

import traceback
from abc import abstractmethod
from collections.abc import Callable

from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn


class LoggedLifecycleNode(LifecycleNode):
    """Does the work of each transition in a method of its own; what that raises is logged.

    FAILURE is for what a user can mend (ValueError, OSError), ERROR for anything else. rclpy swallows what a transition
    raises; without this nobody would learn why it failed. One that the node's state does not have is answered with no.
    """

    # rclpy's own name for it.
    def _LifecycleNodeMixin__on_change_state(
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        """As rclpy does, which however ends the process where there is no such transition: a second configure, say."""
        wanted = request.transition
        possible = {number: label for number, label, *_ in self._state_machine.available_transitions}
        if not wanted.label and wanted.id not in possible:
            state, known = self._state_machine.current_state[1], ", ".join(f"{n} {possible[n]}" for n in possible)
            self.get_logger().warning(f"found no transition {wanted.id} from state {state}; there are: {known}")
            response.success = False
            return response
        return super()._LifecycleNodeMixin__on_change_state(request, response)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Make what the node needs."""
        return self._logged(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start."""
        return self._logged(self._activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and fall silent."""
        return self._logged(self._deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give back what `on_configure` made."""
        return self._logged(self._cleanup)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop, then give back everything."""
        return self._logged(self.close)

    @abstractmethod
    def _configure(self) -> None: ...

    @abstractmethod
    def _activate(self) -> None: ...

    @abstractmethod
    def _deactivate(self) -> None: ...

    @abstractmethod
    def _cleanup(self) -> None: ...

    @abstractmethod
    def close(self) -> None:
        """Stop if active, and give back what was configured."""

    def _logged(self, work: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            work()
        except (ValueError, OSError) as error:
            self.get_logger().error(f"{error}")
            return TransitionCallbackReturn.FAILURE
        except Exception:
            self.get_logger().fatal(f"transition failed:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS
