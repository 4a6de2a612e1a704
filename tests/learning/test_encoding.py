"""States into model space and back: rotations stay rotations, and q and -q are the same one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.spec import FieldSlice
from dvf_ros.learning.encoding import SMALLEST_ROTATION_SCALE, StateEncoder

LAYOUT = (
    FieldSlice("position", "vector", 0, 3),
    FieldSlice("orientation", "quaternion", 3, 7),
    FieldSlice("speed", "scalar", 7, 8),
)

quaternions = st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4).filter(lambda q: np.linalg.norm(q) > 0.1)


def encoder(frames: int = 200) -> StateEncoder:
    rng = np.random.default_rng(0)
    made = StateEncoder(LAYOUT)
    made.fit(rng.normal([1, 2, 3, 0, 0, 0, 0, 5], [1, 2, 3, 1, 1, 1, 1, 4], size=(frames, 8)))
    return made


def state(quaternion: list[float] | np.ndarray) -> torch.Tensor:
    return torch.tensor([0.1, -0.2, 0.3, *quaternion, 2.0], dtype=torch.float32)


@settings(deadline=None, max_examples=50)  # the first example pays for lazy imports
@given(quaternions)
def test_a_quaternion_and_its_negative_are_one_point(quaternion: list[float]) -> None:
    made = encoder()
    positive, negative = made.encode(state(quaternion)), made.encode(state(-np.array(quaternion)))
    torch.testing.assert_close(positive, negative, atol=1e-5, rtol=0)


@settings(deadline=None, max_examples=50)  # the first example pays for lazy imports
@given(quaternions)
def test_decoding_gives_back_position_and_rotation(quaternion: list[float]) -> None:
    made = encoder()
    decoded = made.decode(made.encode(state(quaternion)))
    unit = np.array(quaternion) / np.linalg.norm(quaternion)
    np.testing.assert_allclose(decoded[[0, 1, 2, 7]], [0.1, -0.2, 0.3, 2.0], atol=1e-5)
    assert abs(float(np.dot(decoded[3:7], unit))) == pytest.approx(1.0, abs=1e-4)


@settings(deadline=None, max_examples=50)  # the first example pays for lazy imports
@given(st.lists(st.floats(-3, 3, width=32), min_size=10, max_size=10))
def test_any_generated_point_decodes_to_a_unit_quaternion(numbers: list[float]) -> None:
    # Noise apart, so that the two rows are not parallel: no sampler draws exactly zero.
    point = torch.tensor(numbers) + 0.01 * torch.arange(10.0).square()
    decoded = encoder().decode(point)
    assert float(decoded[3:7].norm()) == pytest.approx(1.0, abs=1e-4)
    assert float(decoded[6]) >= 0


def test_a_turn_is_encoded_in_the_order_xyzw() -> None:
    made = StateEncoder(LAYOUT)
    half = np.pi / 4
    turn = made.encode(state([0, 0, np.sin(half), np.cos(half)]))  # a quarter turn about z
    torch.testing.assert_close(turn[3:9], torch.tensor([0.0, -1, 0, 1, 0, 0]), atol=1e-6, rtol=0)


def fitted() -> tuple[StateEncoder, torch.Tensor]:
    """An encoder, and the states (500, E) that it was fitted to, encoded."""
    rng = np.random.default_rng(1)
    states = rng.normal([1, 2, 3, 0, 0, 0, 1, 5], 2.0, size=(500, 8)).astype(np.float32)
    made = StateEncoder(LAYOUT)
    made.fit(states)
    return made, made.encode(torch.from_numpy(states))


def test_encoded_data_is_normalised() -> None:
    _, encoded = fitted()
    torch.testing.assert_close(encoded.mean(0), torch.zeros(10), atol=1e-4, rtol=0)
    torch.testing.assert_close(encoded.std(0, correction=0), torch.ones(10), atol=1e-3, rtol=0)


def test_the_range_of_encoded_data_is_known() -> None:
    made, encoded = fitted()
    torch.testing.assert_close(made.lowest, encoded.amin(0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(made.highest, encoded.amax(0), atol=1e-5, rtol=1e-5)


def test_weights_of_a_version_that_kept_no_range_are_taken() -> None:
    earlier, made = encoder(), StateEncoder(LAYOUT)
    kept = {name: tensor for name, tensor in earlier.state_dict().items() if name in ("mean", "scale")}
    made.load_state_dict(kept)
    assert torch.equal(made.scale, earlier.scale)
    assert not made.lowest.any() and not made.highest.any()


def test_a_dimension_that_never_moved_and_a_wrist_that_hardly_did_do_not_blow_up() -> None:
    rng = np.random.default_rng(2)
    states = np.tile(np.array([1, 2, 3, 0, 0, 0, 1, 5], np.float32), (100, 1))
    states[:, 3] += rng.normal(0, 1e-3, 100)
    made = StateEncoder(LAYOUT)
    made.fit(states)
    assert float(made.scale[0]) == 1.0
    assert float(made.scale[3:9].min()) == pytest.approx(SMALLEST_ROTATION_SCALE)


def test_a_quaternion_of_length_zero_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'orientation'.*length zero"):
        encoder().encode(state([0, 0, 0, 0]))


def test_a_number_that_is_not_finite_is_refused() -> None:
    states = np.tile(np.array([1, 2, 3, 0, 0, 0, 1, 5], np.float32), (10, 1))
    states[4, 1] = np.nan
    with pytest.raises(ValueError, match="NaN or Inf"):
        StateEncoder(LAYOUT).fit(states)


def test_relative_positions_are_the_differences_of_positions_in_metres() -> None:
    layout = (
        FieldSlice("hand", "vector", 0, 3, "m"),
        FieldSlice("velocity", "vector", 3, 6, "m/s"),
        FieldSlice("cube", "vector", 6, 9, "m"),
        FieldSlice("place", "vector", 9, 12, "m"),
    )
    made = StateEncoder(layout, relative=True)
    states = torch.arange(24.0).reshape(2, 12).square()
    encoded = made.encode(states)  # not fitted: mean 0, scale 1
    assert made.size == 12 + 9
    hand, cube, place = states[:, 0:3], states[:, 6:9], states[:, 9:12]
    torch.testing.assert_close(encoded[:, 12:], torch.cat([cube - hand, place - hand, place - cube], dim=1))
    torch.testing.assert_close(made.decode(encoded), states)
    assert StateEncoder(layout).size == 12


def test_relative_positions_need_two_positions() -> None:
    layout = (FieldSlice("hand", "vector", 0, 3, "m"), FieldSlice("speed", "vector", 3, 6, "m/s"))
    with pytest.raises(ConfigError, match=r"expected two positions in the state at least .* found 1; write the units"):
        StateEncoder(layout, relative=True)
