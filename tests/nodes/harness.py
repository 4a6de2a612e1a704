"""Real node processes on a DDS domain of their own, and an observer that waits for conditions, never for time."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import domain_coordinator
import rclpy
from ament_index_python.packages import get_package_prefix
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

# Each test takes the next: what a killed process leaves in shared memory (eProsima/Fast-DDS#5469) meets no other.
_DOMAINS = itertools.cycle(range(1, 101))


def own_domain() -> AbstractContextManager[int]:
    """A domain that is nobody else's on this machine, and that no earlier test of this session had."""
    return domain_coordinator.domain_id(lambda: next(_DOMAINS))


class Processes:
    """Starts the package's executables; whatever still runs at the end is killed."""

    def __init__(self, domain: int, logs: Path) -> None:
        self.domain = domain
        self._logs = logs
        self._started: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(
        self,
        executable: str,
        parameters: dict[str, Any],
        name: str = "",
        namespace: str = "",
        remappings: Mapping[str, str] | None = None,
        params_file: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        program = Path(get_package_prefix("dvf_ros")) / "lib" / "dvf_ros" / executable
        words = ["--ros-args", *(["--params-file", str(params_file)] if params_file else [])]
        for key, value in parameters.items():
            words += ["-p", f"{key}:={str(value).lower() if isinstance(value, bool) else value}"]
        if namespace:
            words += ["-r", f"__ns:={namespace}"]
        for topic, other in (remappings or {}).items():
            words += ["-r", f"{topic}:={other}"]
        return self._run([str(program), *words], name or executable)

    def start_module(self, module: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a process of the tests' own: a module with a `__main__`."""
        return self._run([sys.executable, "-m", module, *words], module)

    def _run(self, words: list[str], name: str) -> subprocess.Popen[bytes]:
        log = open(self.log_file(name), "ab")  # noqa: SIM115 (the child keeps it)
        environment = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"} | os.environ | {"ROS_DOMAIN_ID": str(self.domain)}
        process = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, env=environment)
        log.close()
        self._started.append((name, process))
        return process

    def named(self, name: str) -> subprocess.Popen[bytes]:
        """The newest process of this name."""
        return next(process for known, process in reversed(self._started) if known == name)

    def log_file(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def log(self, name: str) -> str:
        return self.log_file(name).read_text(errors="replace") if self.log_file(name).exists() else ""

    def end(
        self, process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGINT, timeout: float = 10.0
    ) -> int:
        """Signal a process and return its exit status."""
        process.send_signal(number)
        return process.wait(timeout)

    def report(self) -> str:
        """How each process fares and what it said."""
        return "\n".join(
            f"--- {name}: {'runs' if process.poll() is None else f'ended with {process.returncode}'}\n{self.log(name)}"
            for name, process in self._started
        )

    def close(self) -> None:
        for _, process in self._started:
            if process.poll() is None:
                process.kill()
                process.wait()


class Observer:
    """A node of the test's own, spun on a thread."""

    def __init__(self, domain: int) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node("observer", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while not self._ending.is_set():
            self._executor.spin_once(timeout_sec=0.1)

    def collect(self, message_type: Any, topic: str, qos: Any = 100) -> list[Any]:
        """Subscribe; the list grows as messages come."""
        messages: list[Any] = []
        self.node.create_subscription(message_type, topic, messages.append, qos)
        return messages

    def call(self, service_type: Any, name: str, request: Any, timeout: float = 30.0) -> Any:
        """Ask, and ask again (with a warning) where no answer comes.

        Middleware loses the answer to a client that the service has not discovered yet (ros2/rmw_fastrtps#842).
        """
        client = self.node.create_client(service_type, name)
        wait_for(client.service_is_ready, f"service {name}", timeout)
        asked = [client.call_async(request)]
        try:
            wait_for(asked[0].done, f"answer of {name}", timeout / 2)
        except AssertionError:
            warnings.warn(f"no answer of {name} within {timeout / 2:g} s; asked again", stacklevel=2)
            asked.append(client.call_async(request))
        answered = wait_for(lambda: next((future for future in asked if future.done()), None), f"answer of {name}")
        self.node.destroy_client(client)
        return answered.result()

    def close(self) -> None:
        # The thread ends first: an executor that is shut down under it, or a node that it still takes from, is torn.
        self._ending.set()
        self._thread.join()
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)


def wait_for(condition: Callable[[], Any], what: str, timeout: float = 30.0) -> Any:
    """Wait until `condition()` is true and return its value; fails naming `what` after `timeout` s."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {timeout:g} s for {what}")


@contextmanager
def ros_domain(logs: Path) -> Iterator[tuple[Processes, Observer]]:
    """Processes and an observer on a domain that no other test uses; a test that fails says what the processes said."""
    with own_domain() as domain:
        processes, observer = Processes(domain, logs), Observer(domain)
        try:
            yield processes, observer
        finally:
            observer.close()
            print(processes.report(), file=sys.stderr)  # pytest shows it where the test failed
            processes.close()
