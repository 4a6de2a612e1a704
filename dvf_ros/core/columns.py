"""Which numbers of the state a picture shows."""

from __future__ import annotations

from dvf_ros.core.parsing import ConfigError, nearest
from dvf_ros.core.spec import RobotSpec


def columns_of(spec: RobotSpec, names: tuple[str, ...]) -> list[int]:
    """Indices into the state of `names`; where none are given, of the last vector, or of the last numbers.

    Raises ConfigError for a name that the state does not have.
    """
    for name in names:
        if name not in spec.state_names:
            raise ConfigError(f"the state has no '{name}'; {nearest(name, spec.state_names)}")
    if names:
        return [spec.state_names.index(name) for name in names]
    vectors = [piece for piece in spec.state_layout if piece.kind == "vector"]
    if vectors:
        return list(range(vectors[-1].start, vectors[-1].stop))
    return list(range(max(spec.state_size - 3, 0), spec.state_size))
