"""Between two values of one source: linear for what adds up, slerp for rotations, neither for angles that wrapped."""

from __future__ import annotations

import numpy as np

from dvf_ros.core.spec import Source

PARALLEL = 1 - 1e-9


def interpolate(source: Source, before: np.ndarray, after: np.ndarray, share: float) -> np.ndarray:
    """(size,) float64: the source's value `share` of the way from `before` to `after`.

    A number in rad that jumps by more than π has wrapped: nothing lies between, and `before` holds.
    """
    mixed = before + share * (after - before)
    start = 0
    for item in source.fields:
        part = slice(start, start + item.size)
        start += item.size
        if item.kind == "quaternion":
            mixed[part] = slerp(before[part], after[part], share)
        elif item.unit == "rad":
            mixed[part] = np.where(np.abs(after[part] - before[part]) > np.pi, before[part], mixed[part])
    return mixed


def slerp(before: np.ndarray, after: np.ndarray, share: float) -> np.ndarray:
    """Unit quaternion (4,) on the shorter arc between two (Shoemake 1985); q and −q are one rotation."""
    before, after = before / np.linalg.norm(before), after / np.linalg.norm(after)
    cosine = float(before @ after)
    if cosine < 0:
        after, cosine = -after, -cosine
    if cosine > PARALLEL:
        mixed = before + share * (after - before)
        return mixed / np.linalg.norm(mixed)
    angle = np.arccos(cosine)
    return (np.sin((1 - share) * angle) * before + np.sin(share * angle) * after) / np.sin(angle)
