"""What mixtures whose weights a task shares are trained by, from their experts' densities."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from seqmdn.models.neural_process.dirichlet import log_density, log_draws

__all__ = [
    "Particles",
    "conjugate_posterior",
    "draw_particles",
    "importance_bound",
    "task_log_likelihood",
    "weighted_objective",
]


class Particles(NamedTuple):
    """Draws of the weights of B tasks, which no gradient goes through.

    Attributes:
        log_z: ``(B, P, L)``.
        log_ratio: Log-density of the prior minus that of what they were drawn from ``(B, P)``.
    """

    log_z: Tensor
    log_ratio: Tensor


def task_log_likelihood(log_weights: Tensor, log_experts: Tensor, mask: Tensor) -> Tensor:
    r"""Return the log-density of each task's targets together, under each of P sets of weights.

    .. math:: \sum_i \log \sum_l \exp(\log z_{pl} + \log N_l(y_i))

    Args:
        log_weights: ``(B, P, L)``.
        log_experts: Log-densities of every point under every expert ``(B, T, L)``.
        mask: Which points are targets ``(B, T)``.

    Returns:
        ``(B, P)``.

    Example:
        >>> experts = torch.tensor([[[0.0, -1.0], [-1.0, 0.0]]])
        >>> weights = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]]).log()
        >>> task_log_likelihood(weights, experts, torch.tensor([[True, True]]))
        tensor([[-1.0000, -0.7598]])
    """
    points = torch.logsumexp(log_weights.unsqueeze(2) + log_experts.unsqueeze(1), dim=-1)
    return points.where(mask.unsqueeze(1), 0).sum(-1)


@torch.no_grad()
def conjugate_posterior(
    concentration: Tensor, log_experts: Tensor, mask: Tensor, rounds: int = 3
) -> Tensor:
    r"""Return the Dirichlet distribution that comes closest to what targets say of the weights.

    .. math:: \beta = \alpha + \sum_i r_i, \qquad
        r_{il} \propto \exp\left(\psi(\beta_l) + \log N_l(y_i)\right)

    the fixed point of variational Bayes for a mixture of known components; the first
    responsibilities r are those under the prior's mean.

    Args:
        concentration: :math:`\alpha` of the prior ``(B, L)``.
        log_experts: Log-densities of every point under every expert ``(B, T, L)``.
        mask: Which points are targets ``(B, T)``.
        rounds: Times that responsibilities are found.

    Returns:
        :math:`\beta` ``(B, L)``.

    References:
        Inferring Parameters and Structure of Latent Variable Models by Variational Bayes (Attias,
        1999).

    Example:
        >>> experts = torch.tensor([[[0.0, -99.0], [0.0, -99.0], [-99.0, 0.0]]])
        >>> conjugate_posterior(torch.ones(1, 2), experts, torch.ones(1, 3, dtype=torch.bool))
        tensor([[3., 2.]])
    """
    log_weights = concentration.log()
    for _ in range(rounds):
        shares = torch.softmax(log_weights.unsqueeze(1) + log_experts, dim=-1)
        posterior = concentration + shares.where(mask.unsqueeze(-1), 0).sum(1)
        log_weights = posterior.digamma()
    return posterior


@torch.no_grad()
def draw_particles(
    concentration: Tensor,
    draws: int,
    posterior: Tensor | None = None,
    generators: Sequence[Generator] | None = None,
) -> Particles:
    r"""Draw weights from their prior, or half of them from a guess of their posterior.

    .. math:: z_p \sim \mathrm{Dir}(\alpha) \;\; (p \le A), \qquad
        z_p \sim \mathrm{Dir}(\beta) \;\; (p > A), \qquad
        q(z) = \tfrac{A}{P} \mathrm{Dir}(z; \alpha) + \tfrac{P - A}{P} \mathrm{Dir}(z; \beta)

    Weighted by :math:`p / q`, q the mixture that all of them are draws of, the mean of any function
    has the expectation that it has under the prior. The ratio never exceeds P / A.

    Args:
        concentration: :math:`\alpha` of the prior ``(B, L)``.
        draws: P.
        posterior: :math:`\beta` ``(B, L)``, None for draws from the prior alone.
        generators: One for each task, on the CPU; None takes torch's global one.

    Example:
        >>> particles = draw_particles(torch.ones(4, 3), 10, posterior=torch.full((4, 3), 5.0))
        >>> particles.log_z.shape, bool((particles.log_ratio <= 0.6932).all())
        (torch.Size([4, 10, 3]), True)
    """
    of_posterior = 0 if posterior is None else draws // 2
    of_prior = draws - of_posterior
    log_z = log_draws(concentration, of_prior, generators)
    if posterior is None or not of_posterior:
        return Particles(log_z, log_z.new_zeros(log_z.shape[:2]))
    log_z = torch.cat((log_z, log_draws(posterior, of_posterior, generators)), dim=1)
    # log q / p, in which the prior's density has cancelled.
    excess = log_density(log_z, posterior) - log_density(log_z, concentration)
    shares = log_z.new_tensor([of_prior / draws, of_posterior / draws]).log()
    return Particles(log_z, -torch.logaddexp(shares[0], shares[1] + excess))


def importance_bound(log_likelihood: Tensor, log_ratio: Tensor) -> Tensor:
    r"""Return what in expectation is a lower bound of each task's log-likelihood ``(B,)``.

    .. math:: \log \tfrac1P \sum_p \frac{p(z_p)}{q(z_p)} \, p(y | z_p)

    Args:
        log_likelihood: Of each task under each draw ``(B, P)``.
        log_ratio: Of :class:`Particles` ``(B, P)``.

    References:
        Importance Weighted Autoencoders (Burda, Grosse, Salakhutdinov, 2016).

    Example:
        >>> importance_bound(torch.tensor([[0.2, 0.4]]).log(), torch.zeros(1, 2)).exp()
        tensor([0.3000])
    """
    P = log_likelihood.shape[1]
    return torch.logsumexp(log_likelihood + log_ratio - log_ratio.new_tensor(P).log(), dim=1)


def weighted_objective(
    log_likelihood: Tensor, log_ratio: Tensor, log_prior: Tensor, control_variate: bool = False
) -> tuple[Tensor, Tensor]:
    r"""Return what importance-weighted training maximises, and how many draws it rests on.

    .. math:: \sum_p w_p \left(\log p(y | z_p) + \log \mathrm{Dir}(z_p; \alpha)\right), \qquad
        w = \mathrm{softmax}_p \left(\log p(y | z_p) + \log \tfrac{p(z_p)}{q(z_p)}\right)

    with w and z held fixed: a step of expectation maximisation. Its gradient for the experts is
    that of :func:`importance_bound`.

    Args:
        log_likelihood: Of each task under each draw ``(B, P)``.
        log_ratio: Of :class:`Particles` ``(B, P)``.
        log_prior: Density of each draw under the prior ``(B, P)``.
        control_variate: Take from w, where it multiplies the prior, the weights of draws that no
            target has weighed. The mean of the prior's slope under the prior is 0, so that this
            takes away noise: of targets that say nothing, all of it.

    Returns:
        The objective and the effective number of draws :math:`1 / \sum_p w_p^2`, ``(B,)`` each.

    References:
        Reweighted Wake-Sleep (Bornschein, Bengio, 2015).
        Neural Mixture Density Processes (Ding et al., 2026).

    Example:
        >>> even = torch.zeros(1, 4)
        >>> objective, effective = weighted_objective(even, even, even)
        >>> objective, effective
        (tensor([0.]), tensor([4.]))
    """
    weights = torch.softmax((log_likelihood + log_ratio).detach(), dim=1)
    of_prior = weights
    if control_variate:
        of_prior = weights - torch.softmax(log_ratio.detach(), dim=1)
    objective = (weights * log_likelihood).sum(1) + (of_prior * log_prior).sum(1)
    return objective, 1 / weights.square().sum(1)
