"""The `dvf` command. A subcommand's module is imported only when it is the one that was asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

INTERRUPTED = 130
"""The exit status of a shell's command that was ended by Ctrl-C."""

# Name -> what it does. The module dvf_ros.cli.NAME has a dataclass Name (its arguments) and main(args) -> int.
COMMANDS = {
    "inspect": "what is in a bag, and what about it is odd",
    "spec": "bag -> robot spec, a first draft",
    "salvage": "cut-off bag -> whole bag",
    "convert": "bags -> dataset",
    "merge": "shards of a conversion -> dataset",
    "play": "reward-free play in simulation -> dataset",
    "import": "LeRobot or robomimic data -> dataset",
    "export": "dataset -> LeRobot, robomimic or bags for Foxglove",
    "train": "dataset -> checkpoint",
    "value": "checkpoint and dataset -> what every controller in it is worth, known by name or by motion alone",
    "report": "checkpoint and dataset -> HTML page on how far to trust values, futures and scores",
    "evaluate": "checkpoints in simulation, beside each other",
    "reproduce": "all that led to the shipped checkpoint",
    "futures": "picture of sampled futures against what then happened",
}


# Modules that are in no plain installation -> the extra that brings them.
EXTRAS = {"robosuite": "sim", "mujoco": "sim", "ray": "fleet"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns its exit status: 2 for a command line that cannot be meant."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    name, *rest = words or [""]
    try:
        status = _run(name, rest)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read has left, as `head` does
        from dvf_ros.cli.console import silence_stdout

        silence_stdout()
        return 1
    except ModuleNotFoundError as error:
        # One of the package's own is a bug; any other one belongs to an installation that is not whole.
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "dvf_ros"):
            raise
        extra = f"[{EXTRAS[missing]}]" if missing in EXTRAS else ""
        print(
            f"dvf {name}: the Python module '{missing}' is missing here; in a checkout: make setup, then . ./env.sh;"
            f" elsewhere: pip install '.{extra}' in the folder of the sources",
            file=sys.stderr,
        )
        return 1
    except ValueError as error:
        # The package's own errors speak to whoever typed the command; any other one is a bug and shows where it is.
        if not type(error).__module__.startswith("dvf_ros."):
            raise
        print(f"dvf {name}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        # A file that is not there, a folder that is no folder, a full disk: the system says which and why.
        where = f"'{error.filename}': " if error.filename else ""
        print(f"dvf {name}: {where}{error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"dvf {name}: interrupted", file=sys.stderr)
        return INTERRUPTED


def _run(name: str, rest: Sequence[str]) -> int:
    if name in ("", "-h", "--help"):
        print(_help())
        return 0 if name else 2
    from dvf_ros.core.parsing import nearest

    if name not in COMMANDS:
        print(f"dvf: unknown command '{name}'; {nearest(name, COMMANDS)}", file=sys.stderr)
        return 2
    import tyro

    module = importlib.import_module(f"dvf_ros.cli.{name}")
    args = tyro.cli(getattr(module, name.capitalize()), prog=f"dvf {name}", args=rest)
    return int(module.main(args))


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(["usage: dvf COMMAND ...", "", *lines, "", "dvf COMMAND --help says more."])


if __name__ == "__main__":
    sys.exit(main())
