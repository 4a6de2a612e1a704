"""d3rlpy's fitted Q evaluation (Le et al. 2019) on arrays in a file: `python fqe.py LOG.npz VALUES.npy --policy …`.

Runs in .venv-d3rlpy, which `make peers` makes, and knows nothing of this package.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import d3rlpy
import numpy as np
import torch
from d3rlpy.algos import BC, BCConfig
from d3rlpy.dataset import MDPDataset
from d3rlpy.logging import NoopAdapterFactory
from d3rlpy.ope import FQE, FQEConfig

BATCH = 512
CLONING_RATE = 1e-3


class LoggedFQE(FQE):
    """FQE that takes the action that was logged in the next state for the policy's, as SARSA does.

    A policy that was cloned is another one than the noisy behavior; this one is the behavior itself.
    """

    def inner_create_impl(self, observation_shape: Any, action_size: int) -> None:
        """As the library's, with another target."""
        super().inner_create_impl(observation_shape, action_size)
        target: Callable[..., torch.Tensor] = self._impl.compute_target
        self._impl.compute_target = lambda batch, _: target(batch, batch.next_actions)


def main() -> None:
    """Read, clone the behavior, evaluate, and write the values (U, N) of the queried states after each of `updates`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path, help="npz: observations, actions, rewards, timeouts, query, query_actions")
    parser.add_argument("values", type=Path)
    parser.add_argument("--policy", choices=("cloned", "logged"), required=True)
    parser.add_argument("--cloning", type=int, required=True, help="updates of the cloned policy")
    parser.add_argument("--updates", type=int, nargs="+", required=True, help="ascending")
    parser.add_argument("--discount", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    args = parser.parse_args()
    d3rlpy.seed(args.seed)
    torch.set_num_threads(1)
    log = np.load(args.log)
    data = MDPDataset(
        observations=log["observations"],
        actions=log["actions"],
        rewards=log["rewards"],
        terminals=np.zeros(len(log["rewards"])),
        timeouts=log["timeouts"],
    )
    policy = BC(BCConfig(batch_size=BATCH, learning_rate=CLONING_RATE), device=False, enable_ddp=False)
    policy.build_with_dataset(data)
    kind = LoggedFQE
    actions = log["query_actions"]
    if args.policy == "cloned":
        _fit(policy, data, args.cloning)
        kind, actions = FQE, policy.predict(log["query"])
    config = FQEConfig(batch_size=BATCH, gamma=args.discount)
    evaluation, done, values = kind(policy, config), 0, []
    for updates in args.updates:
        _fit(evaluation, data, updates - done)
        done = updates
        values.append(evaluation.predict_value(log["query"], actions).reshape(-1))
    np.save(args.values, values)


def _fit(learner: Any, data: MDPDataset, updates: int) -> None:
    learner.fit(
        data,
        n_steps=updates,
        n_steps_per_epoch=updates,
        save_interval=updates + 1,
        show_progress=False,
        logger_adapter=NoopAdapterFactory(),
    )


if __name__ == "__main__":
    main()
