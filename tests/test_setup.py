"""The set-up: what is locked, which ROS it chooses, what it says when something is missing, and that it rests."""

import importlib.util
import os
import re
import subprocess
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted(path for path in (ROOT / "requirements").glob("*.txt") if "--hash" in path.read_text())
PEERS = sorted((ROOT / "requirements" / "peers").glob("*.txt"))


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """scripts/environment.py, outside any ROS, with its results in an empty folder."""
    spec = importlib.util.spec_from_file_location("environment", ROOT / "scripts" / "environment.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("ROS_DISTRO", "AMENT_PREFIX_PATH", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "INSTALLED", tmp_path / ".venv" / ".installed")
    monkeypatch.setattr(module, "BUILT", tmp_path / "install" / ".built")
    return module


def test_the_locks_are_there() -> None:
    assert [path.stem for path in LOCKS] == ["dev", "launch", "ros", "stack", "uv"]
    assert [path.stem for path in PEERS] == ["d3rlpy", "lerobot"]


@pytest.mark.parametrize("lock", LOCKS + PEERS, ids=lambda path: path.stem)
def test_every_locked_package_has_one_version_and_a_hash(lock: Path) -> None:
    text = lock.read_text()
    for entry in re.split(r"\n(?=[a-z])", text.strip()):
        assert re.match(r"[a-z0-9.-]+(\[[a-z0-9,-]+\])?==\S+( ;.*)? \\\n", entry), entry[:80]
        assert "--hash=sha256:" in entry, entry[:80]


@pytest.mark.parametrize("lock", LOCKS + PEERS, ids=lambda path: path.stem)
def test_locks_name_no_host(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text and "--index" not in text and "--find-links" not in text


def test_locks_agree_with_each_other() -> None:
    versions: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, version in re.findall(r"^([a-z0-9.-]+)==(\S+)", lock.read_text(), re.M):
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_no_ros_means_wheels(environment: ModuleType) -> None:
    assert environment.ros_mode() == "fallback"


def test_a_sourced_jazzy_is_used(environment: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "rclpy.py").touch()
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert environment.ros_mode() == "sourced"


def test_our_own_shell_is_not_taken_for_a_sourced_ros(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/somewhere/else:{environment.VENV}")
    assert environment.ros_mode() == "fallback"


@pytest.mark.parametrize(
    ("distro", "message"),
    [
        ("humble", r"expected ROS 2 jazzy or no ROS at all, found ROS_DISTRO=humble"),
        ("jazzy", r"`import rclpy` fails with"),
    ],
)
def test_another_ros_is_refused_with_the_reason(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, distro: str, message: str
) -> None:
    monkeypatch.setattr(environment.sys, "executable", environment.sys._base_executable)
    monkeypatch.setenv("ROS_DISTRO", distro)
    with pytest.raises(SystemExit, match=message):
        environment.ros_mode()


def test_everything_missing_is_named_at_once(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(environment.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(SystemExit) as stopped:
        environment.check_tools("sourced")
    message = str(stopped.value)
    for part in ("build-essential", "python3.12-dev", "python3-colcon-common-extensions"):
        assert f"sudo apt install {part}" in message


def test_the_wheels_are_for_one_platform(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.platform, "machine", lambda: "riscv64")
    with pytest.raises(SystemExit, match="Linux x86_64 only, this is linux riscv64"):
        environment.check_tools("fallback")


def test_an_interrupted_setup_is_done_again(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def install(mode: str) -> None:
        done.append("install")
        environment.VENV.mkdir(exist_ok=True)

    def build(mode: str) -> None:
        done.append("build")
        if done.count("build") == 1:
            raise KeyboardInterrupt
        environment.BUILT.parent.mkdir(exist_ok=True)

    monkeypatch.setattr(environment, "check_tools", lambda mode: None)
    monkeypatch.setattr(environment, "install", install)
    monkeypatch.setattr(environment, "build", build)
    monkeypatch.setattr(environment.shutil, "rmtree", lambda *_, **__: None)
    monkeypatch.setattr(environment.fcntl, "flock", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        environment.main()
    environment.main()
    environment.main()
    assert done == ["install", "build", "build"]


def test_interfaces_and_file_names_count_and_code_does_not(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("package.xml", "CMakeLists.txt", "msg/A.msg", "srv/B.srv", "dvf_ros/code.py", "launch/a.launch.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    before = environment.build_digest("")
    (tmp_path / "dvf_ros" / "code.py").write_text("changed = True")
    assert environment.build_digest("") == before, "the build links to the code"
    (tmp_path / "msg" / "A.msg").write_text("float64 changed")
    with_message = environment.build_digest("")
    assert with_message != before
    (tmp_path / "launch" / "b.launch.py").touch()
    assert environment.build_digest("") != with_message


@pytest.mark.skipif(not (ROOT / ".venv" / ".installed").exists(), reason="not made by `make setup`")
def test_a_second_setup_does_nothing() -> None:
    subprocess.run([ROOT / "scripts" / "setup"], check=True)  # a file may have come since
    start = time.monotonic()
    second = subprocess.run([ROOT / "scripts" / "setup"], capture_output=True, text=True)
    took = time.monotonic() - start
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert took < 5, "an idle machine needs a fraction of a second"


def test_python_that_is_not_3_12_is_refused() -> None:
    result = subprocess.run(
        [ROOT / "scripts" / "setup"], env=dict(os.environ, PYTHON="/bin/false"), capture_output=True, text=True
    )
    assert result.returncode == 1
    assert "expected Python 3.12 at PYTHON=/bin/false, found none" in result.stderr


def test_env_sh_without_setup_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "env.sh").write_text((ROOT / "env.sh").read_text())
    result = subprocess.run(["bash", "-c", ". ./env.sh"], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 1
    assert "run `make setup` there" in result.stderr


@pytest.mark.skipif(not (ROOT / "install" / ".built").exists(), reason="not made by `make setup`")
def test_env_sh_says_when_the_package_has_files_that_are_not_installed(tmp_path: Path) -> None:
    """As after a `git pull`: the new modules would be missing, at some later import."""
    installed = tmp_path / "install" / "dvf_ros" / "lib" / "python3.12" / "site-packages" / "dvf_ros"
    for folder in (installed, tmp_path / "dvf_ros", tmp_path / ".venv"):
        folder.mkdir(parents=True)
    for file, text in {".venv/.installed": "", ".venv/.mode": "fallback", "install/.built": ""}.items():
        (tmp_path / file).write_text(text)
    (tmp_path / "install" / "local_setup.bash").touch()
    (tmp_path / "env.sh").write_text((ROOT / "env.sh").read_text())

    def said() -> str:
        clean = {"PATH": os.environ["PATH"]}
        return subprocess.run(
            ["bash", "-c", ". ./env.sh"], cwd=tmp_path, env=clean, capture_output=True, text=True, check=True
        ).stderr

    for folder in (installed, tmp_path / "dvf_ros"):
        (folder / "old.py").touch()
    assert said() == ""
    (installed / "generated.py").touch()
    assert said() == ""
    (tmp_path / "dvf_ros" / "new.py").touch()
    assert said() == "env.sh: dvf_ros has files that are not installed yet: run `make setup`\n"


@pytest.mark.parametrize(("before", "after"), [("", "LOCALHOST"), ("SUBNET", "SUBNET")])
def test_env_sh_keeps_discovery_on_the_machine_unless_told(before: str, after: str) -> None:
    env = {name: value for name, value in os.environ.items() if name != "ROS_AUTOMATIC_DISCOVERY_RANGE"}
    env |= {"ROS_AUTOMATIC_DISCOVERY_RANGE": before} if before else {}
    script = '. ./env.sh && . ./env.sh && echo "$ROS_AUTOMATIC_DISCOVERY_RANGE" && command -v ros2 dvf'
    result = subprocess.run(["bash", "-ec", script], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    words = result.stdout.split()
    assert words[0] == after
    assert [Path(word).name for word in words[1:]] == ["ros2", "dvf"]
