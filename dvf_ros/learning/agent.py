"""The agent: proposes chunks of actions, imagines what follows each, and takes the one of highest value."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from dvf_ros.core.decision import Decision
from dvf_ros.core.expression import Expression
from dvf_ros.core.spec import RobotSpec
from dvf_ros.learning.config import DecisionConfig, TrainingConfig, require_learned
from dvf_ros.learning.device import choose_device, clock
from dvf_ros.learning.dynamics import Dynamics
from dvf_ros.learning.encoding import StateEncoder, checked_state
from dvf_ros.learning.heads import Actor, ValueHeads
from dvf_ros.learning.judgement import Judgement
from dvf_ros.learning.nets import deviation
from dvf_ros.learning.occupancy import Occupancy
from dvf_ros.learning.prior import BehaviorPrior
from dvf_ros.learning.reward import RewardEnsemble
from dvf_ros.learning.support import Support
from dvf_ros.learning.value import (
    SAMPLED,
    Draws,
    SampleFuture,
    ValueEstimate,
    best_estimate,
    blend,
    draw_randomness,
    estimate_in_blocks,
    estimate_value,
)
from dvf_ros.learning.written_reward import ExpressionReward


class DvfAgent(nn.Module):
    """Encoder, behavior prior, dynamics, occupancy and reward of one robot spec, and the decision that they make.

    `horizon` is the longest offset (ticks) that the data covers well enough to ask the occupancy for.
    """

    distilled: Tensor
    samplers_distilled: Tensor
    action_mean: Tensor
    action_scale: Tensor
    action_lower: Tensor
    action_upper: Tensor

    def __init__(
        self,
        spec: RobotSpec,
        behavior_names: tuple[str, ...],
        horizon: int,
        training: TrainingConfig,
        decision: DecisionConfig,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.behavior_names = behavior_names
        self.horizon = horizon
        self.training_config = training
        self.encoder = StateEncoder(spec.state_layout, training.relative_positions)
        size, action_size = self.encoder.size, spec.action_size
        self.occupancy = Occupancy(size, len(behavior_names), training)
        self.dynamics = Dynamics(size, action_size, training)
        self.prior = BehaviorPrior(size, action_size, training)
        self.reward = RewardEnsemble(size, training)
        self.value_heads = ValueHeads(size, training)
        self.actor = Actor(size, action_size, training)
        narrow = replace(training, width=training.student_width)
        self.one_step_occupancy = Occupancy(size, len(behavior_names), narrow)
        self.one_step_prior = BehaviorPrior(size, action_size, training)
        self.support = Support()
        self.written: ExpressionReward | None = None
        self.register_buffer("distilled", torch.tensor(False))  # whether value_heads and actor have learned anything
        self.register_buffer("samplers_distilled", torch.tensor(False))  # whether the one-step samplers have
        self.register_buffer("action_mean", torch.zeros(action_size))
        self.register_buffer("action_scale", torch.ones(action_size))
        self.register_buffer("action_lower", torch.as_tensor(spec.action_lower, dtype=torch.float32))
        self.register_buffer("action_upper", torch.as_tensor(spec.action_upper, dtype=torch.float32))
        self.requires_grad_(False)
        self.configure(decision)

    def configure(self, decision: DecisionConfig) -> None:
        """Take other run-time settings: moves the weights to the device and sets torch's threads (of the process)."""
        require_learned(decision, self.training_config, bool(self.distilled))
        self.device = choose_device(decision.device)
        self.decision = decision
        self.to(self.device)
        torch.set_num_threads(decision.threads)

    def set_reward(self, expression: Expression | None) -> None:
        """Value states by a reward that somebody wrote, or by the learned one again (None); no weight changes.

        Raises ExpressionError, and keeps the reward there was, where the expression has no value.
        """
        self.written = None if expression is None else ExpressionReward(expression, self.encoder)

    @property
    def reward_name(self) -> str:
        """The expression in use, `learned`, or `none`."""
        return self.written.expression.text if self.written else "learned" if self.rewarded else "none"

    @property
    def rewarded(self) -> bool:
        """Whether anything tells what is to be done: a reward that was learned, or one that somebody wrote."""
        return self.written is not None or self.reward.learned

    @property
    def reward_summary(self) -> str:
        """For people: what the reward in use is like."""
        return (self.written or self.reward).summary

    @property
    def coverage(self) -> float:
        """The share of the value's weight, 1 - γ^H, that lies within the horizon of the data."""
        return float(1.0 - self.training_config.discount**self.horizon)

    @property
    def hop(self) -> int:
        """The longest offset (ticks) that a future is asked for in one go; longer ones are reached in hops."""
        return min(self.decision.hop or self.horizon, self.horizon)

    @torch.inference_mode()
    def decide(self, state: np.ndarray, rng: np.random.Generator, deadline: float = math.inf) -> Decision:
        """Choose a chunk of actions for a state (D,); the same state and generator give the same decision.

        Candidates come from the prior, their ends from the dynamics, their values from futures that share offsets and
        noise. A score is the value less `pessimism` times the ensemble's disagreement; the highest one wins among the
        candidates that resemble the data. If none does, and that is left to the actor, its chunk is the only candidate,
        but for a written reward, which it does not know. Where not all can be valued until `deadline` (steady s, as
        `time.monotonic`), it holds those that were: the first block at least. Raises ValueError for a state of
        another shape or with numbers that are not finite.
        """
        times = [clock(self.device)]
        start = self._encode(state)
        proposed = self._propose(start, rng)
        times.append(clock(self.device))
        judged = self._judge(start, proposed, rng, times[0], deadline)
        times.append(judged.predicted)
        unscored = len(proposed) - len(judged.chunks)
        if judged.is_for_actor(self.decision, self.written is not None):
            judged = self._judge(start, self.bounded(self.actor.act(start)), rng, times[0], deadline)
        times.append(clock(self.device))
        actions = self._actions(judged.chunks).cpu().numpy()
        return Decision(
            chunk=actions[judged.chosen],
            chosen=judged.chosen,
            candidates=actions,
            scores=judged.scores.cpu().numpy(),
            values=judged.value.cpu().numpy(),
            disagreement=judged.disagreement.cpu().numpy(),
            standard_error=judged.standard_error.cpu().numpy(),
            discount=self.training_config.discount,
            supported=judged.supported.cpu().numpy(),
            unscored=unscored,
            refusal=judged.refusal(self.decision, self.rewarded, self.written is not None),
            timings=dict(zip(("propose", "predict", "evaluate"), np.diff(times).tolist(), strict=True)),
        )

    @torch.inference_mode()
    def explain(self, state: np.ndarray, decision: Decision, rng: np.random.Generator) -> Decision:
        """The decision with the futures and the value of its choice, for who asks: no command waits for this.

        They come from futures that the choice did not see: the best of N noisy values is too high.
        """
        chunks = self.normalise_action(torch.from_numpy(decision.candidates).to(self.device))
        ends = self.dynamics.predict(self._encode(state).expand(len(chunks), -1), chunks)  # (K, N, E)
        fresh = self.evaluate(ends[:, decision.chosen : decision.chosen + 1], rng)
        return replace(
            decision,
            ends=self.encoder.decode(ends.mean(dim=0)).cpu().numpy(),
            futures=self.encoder.decode(fresh.futures[0, :, :-1]).cpu().numpy(),
            offsets=fresh.offsets.cpu().numpy() + self.training_config.chunk,
            rewards=fresh.rewards[0].cpu().numpy(),
            value=float(fresh.value[0]),
            value_error=float(fresh.standard_error[0]),
        )

    @torch.inference_mode()
    def value(self, state: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
        """The value of a state (D,) as a discounted return, and its standard error of sampling."""
        estimate = self.estimate(state, rng)
        return float(estimate.value[0]), float(estimate.standard_error[0])

    @torch.inference_mode()
    def estimate(self, state: np.ndarray, rng: np.random.Generator) -> ValueEstimate:
        """The value of a state (D,) with its errors and the futures behind it, N = 1."""
        return self.evaluate(self._encode(state).unsqueeze(0), rng)

    def normalise_action(self, action: Tensor) -> Tensor:
        """Actions (..., A) in the spec's units -> as the prior and the dynamics see them."""
        return (action - self.action_mean) / self.action_scale

    def _actions(self, chunks: Tensor) -> Tensor:
        """Actions in the spec's units, within its limits, of normalised chunks (..., h, A)."""
        return (chunks * self.action_scale + self.action_mean).clamp(self.action_lower, self.action_upper)

    def bounded(self, chunks: Tensor) -> Tensor:
        """Normalised chunks (..., h, A) within the action limits of the spec."""
        lower, upper = self.normalise_action(self.action_lower), self.normalise_action(self.action_upper)
        return chunks.clamp(lower, upper)

    def sample_values(self, states: Tensor, rng: np.random.Generator, futures: int, steps: int) -> Tensor:
        """Sampled values (K, N), one per reward head, of states (N, E): what the value heads are distilled from."""
        draws, discount = self._draw(rng, futures), self.training_config.discount
        sample = self._sampler(self.occupancy, self.occupancy.dropped, steps)
        return estimate_value(sample, self.reward.predict, states.unsqueeze(1), draws, discount, self.hop).heads

    @property
    def samples_in_one_step(self) -> bool:
        """Whether the distilled samplers propose and imagine."""
        return self.decision.sampler == "distilled" and bool(self.samplers_distilled)

    @property
    def occupancy_in_use(self) -> tuple[Occupancy, int]:
        """The occupancy that is asked for futures, and in how many steps."""
        if self.samples_in_one_step:
            return self.one_step_occupancy, 1
        return self.occupancy, self.decision.occupancy_steps

    def _sampler(self, occupancy: Occupancy, driver: Tensor | int, steps: int) -> SampleFuture:
        driver = driver if isinstance(driver, Tensor) else torch.tensor([driver], device=self.device)
        return lambda state, offset, noise: occupancy.sample(state, offset, driver, noise, steps)

    def _encode(self, state: np.ndarray) -> Tensor:
        """Model space (1, E) of a state (D,)."""
        return self.encoder.encode(torch.from_numpy(checked_state(self.spec, state)).to(self.device).unsqueeze(0))

    def _propose(self, start: Tensor, rng: np.random.Generator) -> Tensor:
        """Normalised candidate chunks (N, h, A) for a state (1, E), within the action limits."""
        if self.decision.policy == "actor":
            return self.bounded(self.actor.act(start))
        count = self.decision.candidates if self.decision.policy == "best" else 1
        shape = (count, self.training_config.chunk, self.spec.action_size)
        noise = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)).to(self.device)
        model, steps = (self.one_step_prior, 1) if self.samples_in_one_step else (self.prior, self.decision.prior_steps)
        chunks = model.sample(start, noise * self.decision.prior_temperature, steps)
        if count > 1 and self.distilled and self.decision.actor_proposes:
            chunks[0] = self.actor.act(start)[0]  # what was chosen on average competes with the samples
        return self.bounded(chunks)

    @property
    def uses_heads(self) -> bool:
        """Whether the value heads have a say in scores: they know the recorded mixture's mean of the learned reward."""
        known = self.distilled and self.written is None and self.decision.best_share == 1.0
        return self.decision.scoring != "futures" and self.decision.behavior == "dropped" and bool(known)

    def _judge(
        self, start: Tensor, chunks: Tensor, rng: np.random.Generator, begin: float, deadline: float
    ) -> Judgement:
        """What normalised chunks (N, h, A) are worth in a state (1, E): as many of them as time from `begin` allows."""
        ends = self.dynamics.predict(start.expand(len(chunks), -1), chunks)  # (K, N, E)
        predicted = clock(self.device)
        known = self.value_heads.predict(ends).mean(dim=1) if self.uses_heads else None  # (K, N)
        if known is not None and self.decision.scoring == "heads":
            values, error = known, torch.zeros_like(known[0])  # nothing is sampled
        else:
            draws, share = self._draw(rng, self.decision.futures), self.decision.best_share
            done = estimate_in_blocks(lambda block: self.evaluate_with(block, draws, share), ends, begin, deadline)
            values = torch.cat([item.heads for item in done], dim=1)  # (K, n)
            error = torch.cat([item.standard_error for item in done])
            if known is not None:
                values, error = blend(known[:, : len(error)], values), SAMPLED * error
        value, disagreement, count = values.mean(dim=0), deviation(values), len(error)
        scores = value - self.decision.pessimism * disagreement
        supported = self.support.holds(self.dynamics.spread(ends[:, :count]), self.decision.false_alarm)
        return Judgement(chunks[:count], value, disagreement, error, scores, supported, predicted)

    def evaluate(
        self, states: Tensor, rng: np.random.Generator, driver: Tensor | None = None, share: float = 1.0
    ) -> ValueEstimate:
        """Values of N states that are given by K models each, (K, N, E): the futures take the models in turn.

        `driver` is who drives on from there (see dvf_ros.learning.driver); None leaves it to the decision's settings.
        The best `share` of the futures counts: 1 for values, the decision's `best_share` for scores.
        """
        return self.evaluate_with(states, self._draw(rng, self.decision.futures), share, driver)

    def evaluate_with(
        self, states: Tensor, draws: Draws, share: float = 1.0, driver: Tensor | None = None
    ) -> ValueEstimate:
        """The same with given randomness, of the best `share` of the futures."""
        member = torch.arange(len(draws.offsets), device=self.device) % len(states)
        starts = (states[member] if len(states) > 1 else states).transpose(0, 1)  # (N, M, E) or (N, 1, E)
        model, steps = self.occupancy_in_use
        everybody = range(self.occupancy.dropped) if self.decision.behavior == "max" else [self.occupancy.dropped]
        reward, discount, hop = self.written or self.reward, self.training_config.discount, self.hop
        estimates = [
            estimate_value(self._sampler(model, one, steps), reward.predict, starts, draws, discount, hop, share)
            for one in (everybody if driver is None else [driver])
        ]
        return best_estimate(estimates, self.decision.pessimism)

    def _draw(self, rng: np.random.Generator, futures: int) -> Draws:
        return draw_randomness(rng, futures, self.encoder.size, self.training_config.discount, self.hop).to(self.device)
