"""Neural processes whose targets share the weights of a few experts."""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Dirichlet, kl_divergence

from seqmdn.data import Batch, Standardise, Transform
from seqmdn.heads import FlooredMixtureHead
from seqmdn.models.exact import weighted_mean
from seqmdn.models.importance import own_generators
from seqmdn.models.neural_process.attention import AttentionEncoder
from seqmdn.models.neural_process.dirichlet import log_density, log_draws
from seqmdn.models.neural_process.encoder import TaskEncoder
from seqmdn.models.neural_process.experts import Experts
from seqmdn.models.neural_process.gate import DirichletGate, Gated
from seqmdn.models.neural_process.objectives import (
    conjugate_posterior,
    draw_particles,
    importance_bound,
    task_log_likelihood,
    weighted_objective,
)
from seqmdn.models.neural_process.process import NeuralProcess
from seqmdn.models.neural_process.targets import in_pieces

__all__ = ["MixtureProcess", "Proposal", "Weights"]

Weights = Literal["uniform", "deterministic", "evidence", "importance"]
Proposal = Literal["prior", "mixture"]


class MixtureProcess(NeuralProcess):
    r"""Experts that all targets of a task share, and weights that the task's context says.

    .. math:: p(y_{n+1:T} | \ldots) = E_{z \sim \mathrm{Dir}(\alpha)} \prod_{i>n} \sum_l z_l \,
        N_l(y_i | x_i, \ldots), \qquad \alpha = \text{gate}(x_{1:n}, y_{1:n})

    The experts are the components of a mixture head behind the encoder of
    :class:`NeuralProcess`; one set of weights z holds for a whole task. How it is found, and
    trained, is what ``weights`` says (of the targets' log-likelihood given z, l(z)):

    - ``"uniform"``: all are 1/L. There is no gate.
    - ``"deterministic"``: z is what the gate says, and has no distribution.
    - ``"evidence"``: :math:`E_q \, l(z) - KL(q \| \mathrm{Dir}(\alpha))` is maximised, with q what
      the same gate says with the targets given as well. The gradient goes through the draws, which
      are a function of the concentrations and of numbers that do not depend on them.
    - ``"importance"``: neural mixture density processes; draws of z are weighted by their
      likelihood (:func:`seqmdn.models.neural_process.objectives.weighted_objective`). No gradient
      goes through draws or weights.

    Two likelihoods are reported. :meth:`log_prob` takes each target by itself, with z integrated
    out in closed form: :math:`\sum_i \log \sum_l E z_l \, N_l(y_i)`. The joint one of all targets,
    whose z is the same, is an integral that nobody can compute: :meth:`joint` is in expectation a
    lower bound of it, and what ``bounds()`` gives. A joint density and the product of its
    marginals are two densities; neither bounds the other.

    With one component this is a neural process of single Gaussians, whatever the weights.

    Args:
        features: Number of outputs D of a point.
        context: Number of inputs X, at least 1.
        encoder: Makes the encoder from (X, D).
        head: Makes the head of L components from (features, context); any mixture of Gaussians of
            whole frames. Its own weights are not looked at.
        weights: See above.
        particles: Draws P of z, of each task.
        proposal: Where training with ``"importance"`` draws z from: the ``"prior"``, or a
            ``"mixture"``, half prior and half the conjugate posterior of the responsibilities.
        marginal: How often the closed-form likelihood counts in the loss, beside the objective.
        control_variate: Take from the gate's gradient, with ``"importance"``, the noise that it has
            without any target.
        informed: Whether the experts see the given points. Otherwise only the gate does, and the
            experts are functions of x alone.
        concentrations: Bounds of the sum of :math:`\alpha`.
        transform: See :class:`NeuralProcess`.
        inputs: See :class:`NeuralProcess`.
        chunk: See :class:`NeuralProcess`.

    Attributes:
        effective: Of each task of the last loss, the number of draws that its weights rest on
            ``(B,)``; None where nothing was weighed.
        concentration: The sum of :math:`\alpha` of each task of the last loss ``(B,)``; None where
            weights have no distribution.

    Raises:
        ValueError: If a word is unknown, a number out of range, or the head no mixture.

    References:
        Neural Mixture Density Processes (Ding et al., 2026).
        Conditional Neural Processes (Garnelo et al., 2018).

    Example:
        >>> model = MixtureProcess(features=1, context=2, particles=8)
        >>> y, x = torch.randn(3, 9, 1), torch.randn(3, 9, 2)
        >>> tasks = Batch(y, torch.tensor([9, 9, 8]), x, start=torch.tensor([0, 3, 7]))
        >>> model.loss(tasks).shape, model.effective.shape, model.concentration.shape
        (torch.Size([]), torch.Size([3]), torch.Size([3]))
        >>> {name: bound(tasks).shape for name, bound in model.bounds().items()}
        {'joint, 8 draws': torch.Size([3])}
    """

    head: Experts

    def __init__(
        self,
        features: int,
        context: int,
        encoder: Callable[[int, int], TaskEncoder] = AttentionEncoder,
        head: Callable[[int, int], nn.Module] = FlooredMixtureHead,
        weights: Weights = "importance",
        particles: int = 32,
        proposal: Proposal = "prior",
        marginal: float = 0.0,
        control_variate: bool = False,
        informed: bool = True,
        concentrations: tuple[float, float] = (0.1, 100.0),
        transform: Callable[[int], Transform] = Standardise,
        inputs: Callable[[int], Transform] = Standardise,
        chunk: int | None = None,
    ) -> None:
        if weights not in ("uniform", "deterministic", "evidence", "importance"):
            raise ValueError(
                "weights must be 'uniform', 'deterministic', 'evidence' or 'importance', found "
                f"{weights!r}"
            )
        if proposal not in ("prior", "mixture"):
            raise ValueError(f"proposal must be 'prior' or 'mixture', found {proposal!r}")
        if particles < 1:
            raise ValueError(f"particles must be at least 1, found {particles}")
        if not 0 <= marginal < math.inf:
            raise ValueError(f"marginal must be 0 or more, found {marginal}")
        super().__init__(features, context, encoder, head, transform, inputs, chunk)
        self.weights = weights
        self.particles = particles
        self.proposal = proposal
        self.marginal = marginal
        self.control_variate = control_variate
        self.informed = informed
        self.effective: Tensor | None = None
        self.concentration: Tensor | None = None
        self.gate: DirichletGate | None = None
        if weights != "uniform":
            bounds = None if weights == "deterministic" else concentrations
            self.gate = DirichletGate(self.encoder.task_features, self.head.components, bounds)
            self.encoder.read_task(True)

    def loss(self, batch: Batch) -> Tensor:
        """Return what training minimises, in nats a target, a mean over all that count.

        Where the batch has weights, each target counts as often as its task's weight says.
        """
        seen = self.see(batch)
        points = self._points(batch, seen)
        h, gated = self._known(*points)
        mask = batch.mask()
        log_experts = self._log_experts(h, seen.z, seen.ladj)
        marginal = task_log_likelihood(gated.log_mean.unsqueeze(1), log_experts, mask).squeeze(1)
        self.effective = self.concentration = None
        objective = marginal
        if gated.concentration is not None:
            self.concentration = gated.concentration.detach().sum(-1)
            if self.weights == "evidence":
                objective = self._evidence(points, gated.concentration, log_experts, mask)
            else:
                objective = self._importance(gated.concentration, log_experts, mask)
        return -weighted_mean((objective + self.marginal * marginal).unsqueeze(1), batch)

    def joint(
        self, batch: Batch, particles: int | None = None, proposal: Proposal = "mixture"
    ) -> Tensor:
        """Return what in expectation is a lower bound of each task's joint log-likelihood ``(B,)``.

        Of all its targets, in nats of the data's own units. The draws follow from the task
        (:func:`seqmdn.models.importance.own_generators`). Where weights have no distribution, it is
        the joint log-likelihood itself, and that is :meth:`log_prob`.

        Args:
            batch: B tasks of at most T points.
            particles: Draws P of z of each task, None for the model's own number.
            proposal: Where they come from, as in training.
        """
        if self.gate is None or self.gate.concentrations is None:
            return self.log_prob(batch)
        priors: list[Tensor | None] = []

        def score(part: Batch) -> Tensor:
            seen = self.see(part)
            h, gated = self._known(*self._points(part, seen))
            priors.append(gated.concentration)
            return self._log_experts(h, seen.z, seen.ladj)

        log_experts, mask = in_pieces(batch, score, self.chunk), batch.mask()
        prior, posterior = priors[0], None  # every piece has all that is given
        assert prior is not None
        if proposal == "mixture":
            posterior = conjugate_posterior(prior, log_experts, mask)
        draws = self.particles if particles is None else particles
        found = draw_particles(prior, draws, posterior, own_generators(batch))
        log_likelihood = task_log_likelihood(found.log_z, log_experts, mask)
        return importance_bound(log_likelihood, found.log_ratio)

    def logged(self) -> dict[str, Tensor]:
        found = {"effective draws": self.effective, "concentration": self.concentration}
        return {name: each.mean() for name, each in found.items() if each is not None}

    def bounds(self) -> dict[str, Callable[[Batch], Tensor]]:
        if self.weights in ("uniform", "deterministic"):
            return {}
        return {f"joint, {self.particles} draws": self.joint}

    def _make_head(self, head: Callable[[int, int], nn.Module]) -> nn.Module:
        return Experts(head(self.features, self.encoder.features))

    def _look(self, x: Tensor, y: Tensor, given: Tensor, present: Tensor) -> Tensor:
        """Return what the experts see of every point, and the weights' mean behind it."""
        h, gated = self._known(x, y, given, present)
        log_mean = gated.log_mean.unsqueeze(1).expand(-1, h.shape[1], -1)
        return torch.cat((h.to(log_mean), log_mean), dim=-1)

    def _known(self, x: Tensor, y: Tensor, given: Tensor, present: Tensor) -> tuple[Tensor, Gated]:
        """Return what the experts see of every point, and what is known of the weights."""
        h, task = self.encoder(x, y, given, present)
        if not self.informed:
            h, _ = self.encoder(x, y, torch.zeros_like(given), present)
        return h, self._gate(task)

    def _gate(self, task: Tensor) -> Gated:
        if self.gate is not None:
            gated: Gated = self.gate(task)
            return gated
        L = self.head.components
        return Gated(task.new_full((len(task), L), -math.log(L)), None)

    def _log_experts(self, h: Tensor, z: Tensor, ladj: Tensor) -> Tensor:  # (B, T, L)
        """Return the density of every point under every expert, in the data's units."""
        return self.head.densities(h).log_prob(z.unsqueeze(-2)) + ladj.unsqueeze(-1)

    def _importance(
        self, concentration: Tensor, log_experts: Tensor, mask: Tensor
    ) -> Tensor:  # (B,)
        prior, posterior = concentration.detach(), None
        if self.proposal == "mixture":
            posterior = conjugate_posterior(prior, log_experts, mask)
        log_z, log_ratio = draw_particles(prior, self.particles, posterior)
        objective, self.effective = weighted_objective(
            task_log_likelihood(log_z, log_experts, mask),
            log_ratio,
            log_density(log_z, concentration),
            self.control_variate,
        )
        return objective

    def _evidence(
        self,
        points: tuple[Tensor, ...],
        concentration: Tensor,
        log_experts: Tensor,
        mask: Tensor,
    ) -> Tensor:  # (B,)
        x, y, _, present = points
        posterior = self._gate(self.encoder(x, y, present, present)[1]).concentration
        assert posterior is not None
        log_z = log_draws(posterior, self.particles)
        likelihood = task_log_likelihood(log_z, log_experts, mask).mean(1)
        return likelihood - kl_divergence(Dirichlet(posterior), Dirichlet(concentration))
