"""Flow matching along straight paths from noise (time 0) to data (time 1), and samplers that integrate its velocity.

Lipman et al. 2023 (arXiv 2210.02747); the skip is the linear part of the optimal velocity, as EDM's preconditioning
(Karras et al. 2022) is for diffusion.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dvf_ros.learning.nets import mean_square

# (x (..., E), time (..., 1) or one for all) -> dx/dtime (..., E)
Velocity = Callable[[Tensor, Tensor | float], Tensor]

DATA_SCALE = 0.5
START_SHARE = 0.25


def draw_times(shape: tuple[int, ...], generator: torch.Generator, device: torch.device) -> Tensor:
    """Training times (*shape, 1) in [0, 1): uniform, but a quarter exactly 0, all that one step asks for."""
    uniform = torch.rand((*shape, 1), generator=generator, device=device)
    return torch.clamp(uniform - START_SHARE, min=0.0) / (1.0 - START_SHARE)


def flow_matching_loss(
    velocity: Velocity, target: Tensor, noise: Tensor, time: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Squared error of the velocity at points on the straight paths noise -> target.

    target, noise (B, E); time (B, 1). Metrics: the mean loss, and the same at time 0 (what one Euler step makes).
    """
    point = torch.lerp(noise, target, time)
    error = mean_square(velocity(point, time) - (target - noise), dim=-1)
    loss = error.mean()
    start = (time[:, 0] == 0).to(error.dtype)
    at_start = (error.detach() * start).sum() / start.sum().clamp(min=1.0)
    return loss, {"loss": loss.detach(), "one_step": at_start}


def linear_velocity(x: Tensor, time: Tensor | float) -> Tensor:
    """The velocity that carries unit noise to centred Gaussian data of DATA_SCALE.

    Networks learn what is left of it. At time 0 it is -x exactly: one Euler step then returns the network's output,
    the mean of the data, without the noise having to cancel inside the network.
    """
    variance = DATA_SCALE**2
    return x * ((variance * time - (1.0 - time)) / (variance * time**2 + (1.0 - time) ** 2))


def sample_flow(velocity: Velocity, noise: Tensor, steps: int) -> Tensor:
    """Carry noise (..., E) to data in `steps` evaluations of the velocity: Euler once, second order from two on.

    A two-step method on the point where each straight path would end, x + (1 - t) v, extrapolated half a step ahead:
    DPM-Solver++(2M) (Lu et al. 2022) in flow time. Euler alone leaves the spread of unit Gaussian data at 72 % after
    four steps and 85 % after eight; this one hits it within 2 % from four on.
    """
    x = noise
    previous = None
    for step in range(steps):
        time = step / steps
        end = x + (1.0 - time) * velocity(x, time)
        aim = end if previous is None else 1.5 * end - 0.5 * previous
        x = x + (aim - x) / (steps - step)
        previous = end
    return x
