"""Real node processes on a DDS domain of their own, and an observer that waits for conditions, never for time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import domain_coordinator
import rclpy
from ament_index_python.packages import get_package_prefix
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node


class Processes:
    """Starts the package's executables; whatever still runs at the end is killed, and that fails the test."""

    def __init__(self, domain: int, logs: Path) -> None:
        self.domain = domain
        self._logs = logs
        self._running: list[subprocess.Popen[bytes]] = []

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
        environment = os.environ | {"ROS_DOMAIN_ID": str(self.domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
        process = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, env=environment)
        log.close()
        self._running.append(process)
        return process

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

    def close(self) -> None:
        for process in self._running:
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
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()

    def collect(self, message_type: Any, topic: str, qos: Any = 100) -> list[Any]:
        """Subscribe; the list grows as messages come."""
        messages: list[Any] = []
        self.node.create_subscription(message_type, topic, messages.append, qos)
        return messages

    def call(self, service_type: Any, name: str, request: Any, timeout: float = 30.0) -> Any:
        client = self.node.create_client(service_type, name)
        wait_for(client.service_is_ready, f"service {name}", timeout)
        future = client.call_async(request)
        wait_for(future.done, f"answer of {name}", timeout)
        self.node.destroy_client(client)
        return future.result()

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join(5)
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
    """Processes and an observer on a domain that no other test uses at this time."""
    with domain_coordinator.domain_id() as domain:
        processes, observer = Processes(domain, logs), Observer(domain)
        try:
            yield processes, observer
        finally:
            observer.close()
            processes.close()
