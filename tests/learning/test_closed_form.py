"""Trained on two worlds whose answer is known: occupancy and value agree with it within a stated tolerance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.batches import Batches
from dvf_ros.learning.config import TrainingConfig
from dvf_ros.learning.encoding import StateEncoder
from dvf_ros.learning.occupancy import Occupancy
from dvf_ros.learning.value import coverage_horizon, draw_randomness, estimate_value
from tests.learning.systems import Chain, LinearGaussian

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
STEPS = 16
CONFIG = TrainingConfig(discount=0.9, chunk=1, width=128, updates=5000, distillation=0, perturbation=0.02, ema=0.998)


@dataclass
class Trained:
    """An occupancy model alone, trained as the agent's is; the reward is exact."""

    encoder: StateEncoder
    occupancy: Occupancy
    horizon: int

    @classmethod
    def on(cls, dataset: Dataset) -> Trained:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        encoder = StateEncoder(dataset.spec.state_layout)
        encoder.fit(dataset.states)
        batches = Batches(dataset, encoder, CONFIG, torch.device("cpu"))
        model = Occupancy(encoder.size, len(dataset.behavior_names), CONFIG)
        state, offset, future, _ = batches.pairs(np.random.default_rng(0), 100_000)
        model.forecast.fit(state, offset, future[:, :-1])
        average = torch.optim.swa_utils.AveragedModel(
            model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(CONFIG.ema)
        )
        optimizer = torch.optim.AdamW(model.parameters(), CONFIG.learning_rate, fused=True)
        generator = torch.Generator().manual_seed(0)
        for update in range(CONFIG.updates):
            optimizer.param_groups[0]["lr"] = (
                CONFIG.learning_rate * 0.5 * (1 + math.cos(math.pi * update / CONFIG.updates))
            )
            loss, _ = model.loss(*batches.pairs(np.random.default_rng(update), CONFIG.batch), generator)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average.update_parameters(model)
        horizon = coverage_horizon(dataset.episode_length, dataset.terminated, 0.5)
        return cls(encoder, average.module.requires_grad_(False), horizon)

    def sample(self, state: np.ndarray, offset: int, behavior: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Raw states (n, D) and whether they have ended (n,), `offset` ticks after a state (D,)."""
        start = self.encoder.encode(torch.as_tensor(state, dtype=torch.float32))
        noise = torch.randn(count, self.encoder.size + 1, generator=torch.Generator().manual_seed(0))
        futures = self.occupancy.sample(start, torch.tensor(offset), torch.tensor(behavior), noise, STEPS)
        return self.encoder.decode(futures[:, :-1]).numpy(), (futures[:, -1] > 0).numpy()

    def value(self, states: np.ndarray, behavior: int, system: Chain | LinearGaussian) -> np.ndarray:
        """Values (n,) of states (n, D) under a behavior and the system's own reward."""

        def future(state: Tensor, offset: Tensor, noise: Tensor) -> Tensor:
            return self.occupancy.sample(state, offset, torch.tensor(behavior), noise, STEPS)

        def reward(state: Tensor) -> Tensor:
            raw = self.encoder.decode(state)
            return torch.from_numpy(system.reward_at(raw.numpy())).float().unsqueeze(0)

        draws = draw_randomness(np.random.default_rng(0), 4096, self.encoder.size, system.discount, self.horizon)
        start = self.encoder.encode(torch.as_tensor(states, dtype=torch.float32)).unsqueeze(1)
        return estimate_value(future, reward, start, draws, system.discount, self.horizon).value.numpy()


BEHAVIORS = ["backward", "forward"]


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain()


@pytest.fixture(scope="module")
def on_chain(chain: Chain) -> tuple[Trained, Dataset]:
    dataset = chain.dataset(6000, seed=0)
    assert 0.3 < dataset.terminated.mean() < 0.7  # truncated and terminated episodes side by side
    return Trained.on(dataset), dataset


def total_variations(chain: Chain, trained: Trained, behavior: str, index: int) -> np.ndarray:
    """Distance (7, 4) to the exact occupancy, for every state and some offsets."""
    return np.array(
        [
            [
                0.5 * np.abs(found - chain.occupancy(behavior, state, offset)).sum()
                for offset in (1, 2, 4, 8)
                for found in [chain.classify(*trained.sample(chain.embedding[state], offset, index, 4000))]
            ]
            for state in range(chain.count)
        ]
    )


@pytest.mark.xdist_group("chain")
@pytest.mark.parametrize("behavior", BEHAVIORS)
def test_occupancy_of_a_chain(chain: Chain, on_chain: tuple[Trained, Dataset], behavior: str) -> None:
    trained, dataset = on_chain
    distance = total_variations(chain, trained, behavior, dataset.behavior_names.index(behavior))
    assert distance.mean() < 0.06
    assert distance.max() < 0.18


@pytest.mark.xdist_group("chain")
@pytest.mark.parametrize("behavior", BEHAVIORS)
def test_value_on_a_chain(chain: Chain, on_chain: tuple[Trained, Dataset], behavior: str) -> None:
    trained, dataset = on_chain
    exact = chain.value(behavior)
    error = trained.value(chain.embedding, dataset.behavior_names.index(behavior), chain) - exact
    assert np.abs(error).mean() < 0.03 * np.ptp(exact)
    assert np.abs(error).max() < 0.08 * np.ptp(exact)  # state 0 is rare when walking forward


@pytest.fixture(scope="module")
def on_gaussian() -> Trained:
    return Trained.on(LinearGaussian().dataset(1500, seed=0))


@pytest.mark.xdist_group("gaussian")
def test_occupancy_of_a_linear_gaussian_system(on_gaussian: Trained) -> None:
    system = LinearGaussian()
    means, spreads = [], []
    for start in np.array([[1.0, -1.0], [-1.5, 1.0], [0.0, 0.5]]):
        for offset in (1, 3, 10, 20):
            states, ended = on_gaussian.sample(start, offset, on_gaussian.occupancy.dropped, 8000)
            mean, variance = system.moments(start, offset)
            means.append(states.mean(axis=0) - mean)
            spreads.append(states.std(axis=0) / np.sqrt(variance) - 1)
            assert not ended.any()
    assert np.abs(means).max() < 0.07  # of a standard deviation
    assert np.abs(spreads).max() < 0.07


@pytest.mark.xdist_group("gaussian")
def test_value_on_a_linear_gaussian_system(on_gaussian: Trained) -> None:
    system = LinearGaussian()
    grid = np.stack(np.meshgrid([-1.5, 0, 1.5], [-1.5, 0, 1.5]), axis=-1).reshape(-1, 2)
    exact = np.array([system.value(state) for state in grid])
    error = on_gaussian.value(grid, on_gaussian.occupancy.dropped, system) - exact
    assert np.abs(error).mean() < 0.02 * np.ptp(exact)
    assert np.abs(error).max() < 0.05 * np.ptp(exact)
