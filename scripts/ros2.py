"""`ros2` where ROS 2 comes from wheels: ros2cli as it is, and the verb `launch`, which those wheels lack.

`ros2 launch PACKAGE FILE [name:=value …]` or `ros2 launch PATH [name:=value …]`, as ros2launch has it.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch import LaunchDescription, LaunchService

SUFFIXES = ("launch.py", "launch.xml", "launch.yaml", "launch.yml")


def launch_files(package: str) -> dict[str, Path]:
    """Name and path of every launch file that a package installs."""
    from ament_index_python.packages import PackageNotFoundError, get_package_share_path

    try:
        share = get_package_share_path(package)
    except PackageNotFoundError:
        sys.exit(f"ros2 launch: expected a launch file or a package, found neither under the name '{package}'")
    return {path.name: path for path in sorted(share.rglob("*")) if path.name.endswith(SUFFIXES)}


def find_launch_file(words: list[str]) -> tuple[Path, list[str]]:
    """Split the command line into the launch file's path and its arguments."""
    if not words:
        sys.exit("ros2 launch: expected PACKAGE FILE or PATH, found nothing")
    if Path(words[0]).is_file():
        return Path(words[0]), words[1:]
    files = launch_files(words[0])
    name = words[1] if len(words) > 1 else "nothing"
    if name not in files:
        sys.exit(f"ros2 launch: expected one of {', '.join(files) or 'no files'} in '{words[0]}', found {name}")
    return files[name], words[2:]


def parse_arguments(words: list[str]) -> list[tuple[str, str]]:
    """Turn `name:=value` into pairs; a later one wins."""
    pairs: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition(":=")
        if not sign or not name:
            sys.exit(f"ros2 launch: expected launch arguments as name:=value, found '{word}'")
        pairs[name] = value
    return list(pairs.items())


def show_arguments(description: LaunchDescription) -> None:
    """Print name, meaning, choices and default of every launch argument."""
    arguments = description.get_launch_arguments()
    print("Arguments (pass arguments as '<name>:=<value>'):" if arguments else "No arguments.")
    for argument in arguments:
        print(f"\n    '{argument.name}':\n        {argument.description}")
        if argument.choices is not None:
            print(f"        one of: {', '.join(argument.choices)}")
        if argument.default_value is not None:
            parts = [getattr(part, "text", None) or part.describe() for part in argument.default_value]
            print(f"        (default: '{''.join(parts)}')")


def end_on_sigterm(service: LaunchService) -> None:
    """Let SIGTERM end a launch and all that it started; launch itself would die and leave those running."""
    from launch import launch_service

    class Signals(launch_service.AsyncSafeSignalManager):
        def handle(self, signum: int, handler: Callable[[int], None] | None) -> object:
            if signum == signal.SIGTERM and handler is not None:
                return super().handle(signum, lambda _: service.shutdown(force_sync=True))
            return super().handle(signum, handler)

    launch_service.AsyncSafeSignalManager = Signals
    # Signals hears of a signal only where the process survives it.
    signal.signal(signal.SIGTERM, lambda *_: None)


def launch(argv: list[str]) -> int:
    """Run a launch file until everything in it has ended; Ctrl-C and SIGTERM end all of it."""
    parser = argparse.ArgumentParser(
        prog="ros2 launch", usage="ros2 launch [options] (PACKAGE FILE | PATH) [name:=value ...]"
    )
    parser.add_argument("-n", "--noninteractive", action="store_true", help="without a terminal")
    parser.add_argument("-d", "--debug", action="store_true", help="log more")
    parser.add_argument("-p", "--print", "--print-description", action="store_true", help="print it, do not run it")
    parser.add_argument("-s", "--show-args", "--show-arguments", action="store_true", help="print its arguments")
    # No option takes a value, so that they may stand before or behind the file, as with ros2launch.
    options = parser.parse_args([word for word in argv if word.startswith("-")])
    path, rest = find_launch_file([word for word in argv if not word.startswith("-")])

    import launch as ros_launch
    from launch.launch_description_sources import get_launch_description_from_any_launch_file

    if options.show_args:
        show_arguments(get_launch_description_from_any_launch_file(str(path)))
        return 0
    source = ros_launch.launch_description_sources.AnyLaunchDescriptionSource(str(path))
    include = ros_launch.actions.IncludeLaunchDescription(source, launch_arguments=parse_arguments(rest))
    description = ros_launch.LaunchDescription([include])
    if options.print:
        print(ros_launch.LaunchIntrospector().format_launch_description(description))
        return 0
    service = ros_launch.LaunchService(argv=rest, noninteractive=options.noninteractive, debug=options.debug)
    end_on_sigterm(service)
    service.include_launch_description(description)
    return int(service.run())


def main() -> int | str | None:
    """Run `ros2`; returns an exit status, or an error message as some verbs do."""
    if sys.argv[1:2] == ["launch"]:
        return launch(sys.argv[2:])
    from ros2cli.cli import main as ros2

    sys.argv[0] = "ros2"  # the name in usage and error messages
    return ros2()


if __name__ == "__main__":
    sys.exit(main())
