"""The occupancy model: which states come Δ ticks after a state, learned from state sequences alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dvf_ros.learning.config import TrainingConfig
from dvf_ros.learning.context import MotionEncoder
from dvf_ros.learning.flow import draw_times, flow_matching_loss, linear_velocity, sample_flow
from dvf_ros.learning.forecast import LinearForecast
from dvf_ros.learning.nets import OFFSET_FEATURES, TIME_FEATURES, BroadcastMLP, embed_offset, embed_time

POLICY_FEATURES = 16


class Occupancy(nn.Module):
    """rho(s_{t+Δ} | s_t, Δ, φ) as a conditional flow (arXiv 2306.07290, with flow matching for its diffusion).

    A future is (E + 1): the state in model space and a terminal bit, -1 alive, +1 after a true termination. φ is
    known by the index of a behavior or, with `representation: context`, read off a controller's motion; one more index,
    `dropped`, stands for not knowing it. The flow is of what the linear forecast leaves of the state.

    Wherever a behavior is asked for, it is an index (...) or, as numbers, φ itself (..., P).
    """

    def __init__(self, size: int, behaviors: int, config: TrainingConfig) -> None:
        super().__init__()
        self.size = size
        self.dropped = behaviors if config.representation == "index" else 0
        self.drop = config.behavior_drop
        self.perturbation = config.perturbation
        self.forecast = LinearForecast(size)
        self.behavior = nn.Embedding(self.dropped + 1, POLICY_FEATURES)
        self.motion = MotionEncoder(size, POLICY_FEATURES) if config.representation == "context" else None
        self.net = BroadcastMLP(
            moving=(size + 1, TIME_FEATURES),
            fixed=(size, OFFSET_FEATURES, POLICY_FEATURES),
            width=config.width,
            depth=config.depth,
            out=size + 1,
            context_depth=config.context_depth,
        )

    def loss(
        self,
        state: Tensor,
        offset: Tensor,
        future: Tensor,
        behavior: Tensor,
        generator: torch.Generator,
        hide: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Flow matching on pairs: state (B, E), offset (B,) ticks, future (B, E+1), behavior of B rows.

        The conditioning state is perturbed, because in control it comes from the dynamics model; the forecast is not,
        so that the future moves along with the state it starts from. The behavior is dropped at random, or where
        `hide` (B,) says so, so that one net holds every behavior and their mixture.
        """
        device = state.device
        retention, scale = self.forecast(offset)
        target = torch.cat([(future[:, :-1] - retention * state) / scale, future[:, -1:]], dim=1)
        noise = torch.randn(target.shape, generator=generator, device=device)
        time = draw_times(target.shape[:1], generator, device)
        blur = torch.randn(state.shape, generator=generator, device=device) * self.perturbation
        if hide is None:
            hide = torch.rand(state.shape[:1], generator=generator, device=device) < self.drop
        context = self._context(state + blur, offset, self.hidden(behavior, hide))
        return flow_matching_loss(lambda x, t: self._velocity(x, t, context), target, noise, time)

    def sample(self, state: Tensor, offset: Tensor, behavior: Tensor, noise: Tensor, steps: int) -> Tensor:
        """Futures (..., E+1) of states (..., E) at offsets (...) under behaviors (...) from noise (..., E+1).

        Leading shapes broadcast: noise and offsets (M,) against states (N, 1) share both across N candidates.
        One step gives the mean future given Δ, more steps the distribution.
        """
        context = self._context(state, offset, behavior)
        left = sample_flow(lambda x, t: self._velocity(x, t, context), noise, steps)
        retention, scale = self.forecast(offset)
        return torch.cat([retention * state + scale * left[..., :-1], left[..., -1:]], dim=-1)

    def hidden(self, behavior: Tensor, hide: Tensor) -> Tensor:
        """The behaviors of B rows, those forgotten that `hide` (B,) says."""
        if behavior.is_floating_point():
            return torch.where(hide.unsqueeze(-1), self.behavior.weight[self.dropped], behavior)
        return torch.where(hide, self.dropped, behavior)

    def _context(self, state: Tensor, offset: Tensor, behavior: Tensor) -> Tensor:
        policy = behavior if behavior.is_floating_point() else self.behavior(behavior)
        return self.net.context(state, embed_offset(offset.unsqueeze(-1)), policy)

    def _velocity(self, x: Tensor, time: Tensor | float, context: Tensor) -> Tensor:
        return linear_velocity(x, time) + self.net(context, x, embed_time(time, x.device))
