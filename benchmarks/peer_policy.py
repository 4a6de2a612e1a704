"""One of d3rlpy's offline algorithms on arrays in a file: `python peer_policy.py LOG.npz POLICY.pt --algorithm iql …`.

Runs in .venv-d3rlpy, which `make peers` makes, and knows nothing of this package. Observations come normalised, actions
as shares of their limits; but for the discount everything is as the library comes. It stops after so many seconds of
one core.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import d3rlpy
import numpy as np
import torch
from d3rlpy.algos import BCConfig, CQLConfig, IQLConfig, TD3PlusBCConfig
from d3rlpy.dataset import MDPDataset
from d3rlpy.logging import NoopAdapterFactory

CONFIGS = {"bc": BCConfig, "td3_bc": TD3PlusBCConfig, "iql": IQLConfig, "cql": CQLConfig}
EPOCH = 50
"""Updates between two looks at the clock."""

FOREVER = 10_000_000
"""Updates; the clock stops before."""


def main() -> None:
    """Read, train, and write the greedy policy as TorchScript, and beside it what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path, help="npz: observations, actions, rewards, timeouts")
    parser.add_argument("policy", type=Path)
    parser.add_argument("--algorithm", choices=CONFIGS, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="of one core")
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
    discount = {} if args.algorithm == "bc" else {"gamma": args.discount}
    learner = CONFIGS[args.algorithm](**discount).create(device=False, enable_ddp=False)
    begin, updates = time.process_time(), 0
    for _ in learner.fitter(
        data,
        n_steps=FOREVER,
        n_steps_per_epoch=EPOCH,
        save_interval=FOREVER,
        show_progress=False,
        logger_adapter=NoopAdapterFactory(),
    ):
        updates += EPOCH
        if time.process_time() - begin >= args.seconds:
            break
    seconds = time.process_time() - begin
    learner.save_policy(str(args.policy))
    args.policy.with_suffix(".json").write_text(json.dumps({"seconds": seconds, "updates": updates}))


if __name__ == "__main__":
    main()
