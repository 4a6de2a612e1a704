"""The part of the pip door that pyproject.toml cannot say: robot specs and checkpoints, and where to build."""

from glob import glob

from setuptools import setup

setup(
    data_files=[
        ("share/dvf_ros/config", glob("config/*.yaml")),
        ("share/dvf_ros/resource", glob("resource/*.*")),
    ],
    options={"build": {"build_base": "build/pip"}},  # build/ itself is colcon's
)
