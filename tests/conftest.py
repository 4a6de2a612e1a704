"""Order of the tests: fast ones first, so that a plain mistake shows within seconds."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: [item.get_closest_marker(name) is not None for name in ("slow", "ros")])
