"""Prepare `.venv` and build the package; do nothing where both are up to date. Run by scripts/setup.

Two ways to the same place:
  sourced    ROS 2 Jazzy is sourced: `.venv` sees it and adds the learner, the simulation and the tools.
  fallback   no ROS: everything comes from wheels, see requirements/ros.in and requirements/launch.in.

Each half ends by writing a stamp: a digest of what it was made from. No stamp, or another digest, means that the half
is done again (`.venv` from nothing), so an interrupted run never leaves something that looks ready.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
INSTALLED = VENV / ".installed"  # stamp of the environment
BUILT = ROOT / "install" / ".built"  # stamp of the colcon build
LOCKS = {
    "sourced": ("uv", "stack", "dev"),
    "fallback": ("uv", "stack", "dev", "ros", "launch"),
}
# Where the wheel that carries launch and ros2cli keeps them, relative to site-packages.
LAUNCH_PATH = "isaacsim/exts/isaacsim.ros2.core/jazzy/rclpy"
# The places that the ROS wheels were built in, as their CMake exports still say.
BUILDER_INCLUDE = "/opt/python/cp312-cp312/include/python3.12"
BUILDER_NUMPY = "/opt/python/cp312-cp312/lib/python3.12/site-packages/numpy/_core/include"


def stop(message: str) -> None:
    """End with status 1 and a message that says what to do."""
    sys.exit(f"setup: {message}")


def run(*command: object, env: dict[str, str] | None = None) -> None:
    """Run a command in the project's root; end with its status if it fails."""
    words = [str(word) for word in command]
    status = subprocess.run(words, cwd=ROOT, env=env, stdin=subprocess.DEVNULL).returncode
    if status:
        stop(f"`{' '.join(words[:6])} …` ended with status {status}; run `make setup` again when it is mended")


def ros_mode() -> str:
    """'sourced' where ROS 2 Jazzy is sourced and works with this Python, 'fallback' where no ROS is."""
    distro = os.environ.get("ROS_DISTRO")
    ours = str(VENV) in os.environ.get("AMENT_PREFIX_PATH", "").split(":")  # a shell that ran `. ./env.sh`
    if not distro or ours:
        if not distro and Path("/opt/ros/jazzy").exists():
            print("setup: /opt/ros/jazzy is not sourced and is not used; `. /opt/ros/jazzy/setup.sh` before to use it")
        return "fallback"
    if distro != "jazzy":
        stop(
            f"expected ROS 2 jazzy or no ROS at all, found ROS_DISTRO={distro} sourced.\n"
            "  Run `make setup` in a shell where it is not sourced (Jazzy then comes from wheels), or source jazzy."
        )
    if subprocess.run([sys.executable, "-c", "import rclpy"], capture_output=True).returncode:
        stop(
            f"ROS_DISTRO=jazzy is set, but `import rclpy` fails with {sys.executable}.\n"
            "  Source the whole of ROS (`. /opt/ros/jazzy/setup.sh`), or open a shell without it, or name the Python\n"
            "  that ROS uses: make setup PYTHON=/usr/bin/python3.12"
        )
    return "sourced"


def check_tools(mode: str) -> None:
    """Name everything that is missing, and the command that brings it, at once."""
    missing = []
    if any(shutil.which(tool) is None for tool in ("gcc", "g++", "make")):
        missing.append("gcc, g++ and make: sudo apt install build-essential")
    if subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True).returncode:
        missing.append("Python's venv module: sudo apt install python3.12-venv")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing.append("Python's headers: sudo apt install python3.12-dev")
    if mode == "sourced" and shutil.which("colcon") is None:
        missing.append("colcon: sudo apt install python3-colcon-common-extensions")
    if missing:
        stop("missing here:\n  " + "\n  ".join(missing))
    if mode == "fallback" and (sys.platform, platform.machine()) != ("linux", "x86_64"):
        stop(
            f"ROS 2 Jazzy comes as wheels for Linux x86_64 only, this is {sys.platform} {platform.machine()}.\n"
            "  Install ROS 2 Jazzy (docs.ros.org/en/jazzy/Installation), source it and run `make setup` again."
        )


def digest(*parts: str | Path) -> str:
    """Digest of strings and of files' names and contents."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            total.update(str(part.relative_to(ROOT)).encode() + b"\0" + part.read_bytes())
        else:
            total.update(part.encode())
        total.update(b"\0")
    return total.hexdigest()


def is_current(stamp: Path, wanted: str) -> bool:
    """Whether what the stamp stands for was made from what is there now."""
    return stamp.exists() and stamp.read_text() == wanted


def environment_digest(mode: str) -> str:
    """What `.venv` is made from: the locks, this script, the interpreter, and ROS where it is sourced."""
    locks = [ROOT / "requirements" / f"{name}.txt" for name in LOCKS[mode]]
    prefix = shutil.which("ros2") or "" if mode == "sourced" else ""
    return digest(mode, prefix, sys.executable, sys.version, str(ROOT), Path(__file__).resolve(), *locks)


def build_digest(environment: str) -> str:
    """What `install/` is made from.

    It links to the Python modules, launch files and the like instead of copying them, so that their names count and
    their contents do not.
    """
    contents = [ROOT / "package.xml", ROOT / "CMakeLists.txt", *sorted(ROOT.glob("scripts/*.in"))]
    for folder in ("msg", "srv"):
        contents += sorted((ROOT / folder).iterdir())
    names = []
    for folder in ("dvf_ros", "launch", "config", "resource"):
        names += sorted(str(path) for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts)
    return digest(environment, *names, *contents)


def install(mode: str) -> None:
    """Make `.venv` from nothing."""
    print(f"setup: installing into .venv ({'beside the sourced ROS 2' if mode == 'sourced' else 'ROS 2 from wheels'})")
    shutil.rmtree(VENV, ignore_errors=True)
    flags = ["--system-site-packages"] if mode == "sourced" else []
    run(sys.executable, "-m", "venv", *flags, VENV)
    locks = [("-r", f"requirements/{name}.txt") for name in LOCKS[mode]]
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", *locks[0])
    run(
        *(VENV / "bin" / "uv", "pip", "install", "--python", PYTHON, "--no-deps", "--require-hashes"),
        *("--only-binary", ":all:", "--no-binary", "empy", "--build-constraints", "requirements/stack.txt"),
        *(word for lock in locks[1:] for word in lock),
    )
    if mode == "fallback":
        adopt_wheels()
    (VENV / ".mode").write_text(mode)


def adopt_wheels() -> None:
    """Make the ROS wheels usable from here: CMake exports, launch's path, the `ros2` command."""
    site_packages = next(VENV.glob("lib/python3.12/site-packages"))
    # Behind site-packages: launch and ros2cli come from there, rclpy and the messages from their own wheels.
    (site_packages / "zz_ros2_launch.pth").write_text(LAUNCH_PATH + "\n")
    here = {
        BUILDER_NUMPY: str(site_packages / "numpy" / "core" / "include"),
        BUILDER_INCLUDE: sysconfig.get_path("include"),
    }
    for path in (VENV / "share").rglob("*.cmake"):
        text = path.read_text()
        if any(there in text for there in here):
            for there, ours in here.items():
                text = text.replace(there, ours)
            # A new file: the old one may be a hard link into uv's cache, which other environments share.
            path.unlink()
            path.write_text(text)
    (VENV / "local_setup.sh").touch()  # colcon asks for one in every prefix
    command = VENV / "bin" / "ros2"
    command.write_text(f'#!/bin/sh\nexec "{PYTHON}" "{ROOT}/scripts/ros2.py" "$@"\n')
    command.chmod(0o755)


def build(mode: str) -> None:
    """Run colcon in the environment."""
    print("setup: building the package")
    env = dict(os.environ, VIRTUAL_ENV=str(VENV), PATH=f"{VENV}/bin:{os.environ['PATH']}")
    if mode == "fallback":
        env.update(AMENT_PREFIX_PATH=str(VENV), CMAKE_PREFIX_PATH=str(VENV))
        env.pop("PYTHONPATH", None)
    colcon = [VENV / "bin" / "colcon"] if mode == "fallback" else [PYTHON, shutil.which("colcon")]
    run(
        *(*colcon, "--log-base", "log", "build", "--base-paths", ".", "--symlink-install"),
        *("--cmake-args", "-DCMAKE_BUILD_TYPE=Release", f"-DPython3_EXECUTABLE={PYTHON}"),
        env=env,
    )


def main() -> None:
    """Bring `.venv` and `install/` up to date."""
    # One at a time: two `make` in one checkout would take each other's environment away. Ends with the process.
    lock = os.open(ROOT / "scripts", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    mode = ros_mode()
    environment = environment_digest(mode)
    started = time.monotonic()
    fresh = not is_current(INSTALLED, environment)
    if fresh:
        check_tools(mode)
        install(mode)
        INSTALLED.write_text(environment)
    package = build_digest(environment)
    if not is_current(BUILT, package):
        if fresh:  # CMake remembers the old environment's paths
            shutil.rmtree(ROOT / "build" / "dvf_ros", ignore_errors=True)
            shutil.rmtree(ROOT / "install", ignore_errors=True)
        BUILT.unlink(missing_ok=True)
        build(mode)
        BUILT.write_text(package)
        print(f"setup: ready after {time.monotonic() - started:.0f} s; `. ./env.sh` puts ros2 and dvf on the PATH")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        stop("interrupted; `make setup` takes it up again")
