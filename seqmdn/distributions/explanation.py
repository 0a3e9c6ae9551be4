"""The most probable explanation: the likeliest values of what is missing, given the rest."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from seqmdn import linalg
from seqmdn.distributions.circuit import Circuit
from seqmdn.distributions.nodes import paths, upward

__all__ = ["Explanation", "most_probable"]

_FEW = 4096  # combinations of categories that are all looked at


class Explanation(NamedTuple):
    """Holds the likeliest values found.

    Attributes:
        values: (*batch, D), of the features of the circuit that was asked.
        log_prob: their log-density in nats, (*batch,).
        exact: whether no other values are likelier, for certain.
    """

    values: Tensor
    log_prob: Tensor
    exact: bool


@torch.no_grad()
def most_probable(
    circuit: Circuit, starts: int = 16, iterations: int = 200, tolerance: float = 1e-9
) -> Explanation:
    r"""Returns the likeliest values of a circuit's features, such as of a conditional.

    .. math:: \arg\max_{y_A} p(y_A \mid y_B)

    Where only variables with categories are left, and not too many combinations of them, every one
    is looked at: exact. Otherwise the problem is NP-hard, also for circuits whose marginals are
    easy, because sums hide which of their parts a value came from; then each of several draws
    climbs, and the highest is returned with its log-density:

    - All continuous variables at once, by the leaves' responsibilities q, as an EM step does:
      :math:`y \leftarrow (\sum q \Lambda)^{-1} \sum q \Lambda \mu`, which never goes down.
    - Then one variable with categories after the other, by trying all of its categories.

    Only a proper density can be asked for this. The output of a network of uGMM layers as published
    is none: its root does not integrate to 1, and has no marginals or conditionals.

    Args:
        circuit: what is asked; evidence is given to it by `Circuit.condition`.
        starts: draws that climb, for each of the batch.
        iterations: at most so many rounds.
        tolerance: of the log-density, at which climbing ends.

    Raises:
        ValueError: If there is no start or no iteration.

    References:
        On the Latent Variable Interpretation in Sum-Product Networks (Peharz, Gens, Pernkopf,
        Domingos, 2016), for the problem.
        Approximation Complexity of Maximum A Posteriori Inference in Sum-Product Networks (Conaty,
        Mauá, de Campos, 2017), for how hard it is.
        Gaussian Mean-Shift Is an EM Algorithm (Carreira-Perpiñán, 2007), for the steps.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> from seqmdn.distributions.regions import Regions
        >>> leaves = LowRankPrecisionNormal(torch.tensor([[[[-1.0], [1.0]]]]), torch.tensor([4.0]))
        >>> circuit = Circuit(
        ...     Regions((((0,),),), (0,)), leaves, [], torch.tensor([[0.2, 0.8]]).log()
        ... )
        >>> most_probable(circuit).values  # near the mean of the heavier leaf
        tensor([0.9998])
    """
    if starts < 1 or iterations < 1:
        raise ValueError(
            f"expected 1 start and 1 iteration or more, found {starts} and {iterations}"
        )
    counts = [circuit.regions.categories[column] for column in circuit.kept]
    combinations = math.prod(counts)  # 0 where one is continuous
    if 0 < combinations <= _FEW:
        values = torch.cartesian_prod(*[torch.arange(count) for count in counts])
        values = values.reshape(combinations, *[1] * len(circuit.batch_shape), len(counts))
        values = values.to(circuit.nodes.root).expand(-1, *circuit.batch_shape, -1)
        return Explanation(*_highest(values, circuit.log_prob(values)), exact=True)
    values = circuit.sample((starts,))
    # Means of leaves lie nearer to modes than draws do; one of the starts is the mean of all.
    values[0] = _whole_numbers(circuit, circuit.mean, counts)
    best = circuit.log_prob(values)
    for _ in range(iterations):
        if not all(counts):
            values = _step(circuit, values)
        for place, count in enumerate(counts):
            if count:
                values = _try_all(circuit, values, place, count)
        found = circuit.log_prob(values)
        gained = (found - best).max()
        best = found
        if gained <= tolerance:
            break

    return Explanation(*_highest(values, best), exact=False)


@linalg.full_precision
def _step(circuit: Circuit, values: Tensor) -> Tensor:
    """Moves all continuous features to where the leaves that explain them want them."""
    regions, nodes = circuit.regions, circuit.nodes
    whole = circuit._whole(values.shape[:-1], values)
    seen = circuit.given.to(values.device).clone()
    seen[circuit.kept] = True
    mask = seen.expand(whole.shape)
    gaussians = nodes.gaussians
    assert gaussians is not None
    shares = paths(nodes, upward(regions, nodes, whole, mask)).leaves.exp()  # (*, R, M, K)
    order = regions.slots(continuous=True).to(values.device)  # (R, M, S)
    hidden = torch.nn.functional.pad(~seen, (0, 1), value=True)[order]
    kept = hidden.unsqueeze(-2)  # (R, M, 1, S)
    # What is integrated out leaves the marginal's precision at the others.
    diagonal, factor = gaussians.diagonal, gaussians.factor
    dropped = factor.masked_fill(~kept.unsqueeze(-1), 0)
    if gaussians.rank:
        cholesky = linalg.capacitance_cholesky(diagonal, dropped)
        factor = linalg.solve_lower(cholesky, factor.masked_fill(kept.unsqueeze(-1), 0).mT).mT
    precision = torch.diag_embed(diagonal.masked_fill(kept, 0)) + factor @ factor.mT
    pull = (precision @ gaussians.loc.unsqueeze(-1)).squeeze(-1)  # (*b, R, M, K, S)
    total = (shares[..., None, None] * precision).sum(-3)  # (*, R, M, S, S)
    pulled = (shares.unsqueeze(-1) * pull).sum(-2)  # (*, R, M, S)
    size = regions.features + 1
    matrix = values.new_zeros(*values.shape[:-1], size * size)
    places = (order.unsqueeze(-1) * size + order.unsqueeze(-2)).flatten()
    matrix = matrix.index_add(-1, places, total.flatten(-4).expand(*values.shape[:-1], -1))
    matrix = matrix.unflatten(-1, (size, size))
    vector = values.new_zeros(*values.shape[:-1], size)
    vector = vector.index_add(
        -1, order.flatten(), pulled.flatten(-3).expand(*vector.shape[:-1], -1)
    )
    free = [d for d in circuit.kept if not regions.categories[d]]
    known = [d for d in range(size - 1) if bool(circuit.given[d]) and not regions.categories[d]]
    target = vector[..., free]
    if known:
        coupling = matrix[..., free, :][..., known]
        target = target - (coupling @ whole[..., known].unsqueeze(-1)).squeeze(-1)
    inner = matrix[..., free, :][..., free]
    found = torch.linalg.solve(inner, target.unsqueeze(-1)).squeeze(-1)
    moved = values.clone()
    moved[..., [circuit.kept.index(d) for d in free]] = found
    return moved


def _try_all(circuit: Circuit, values: Tensor, place: int, count: int) -> Tensor:
    """Sets one feature to its likeliest category, given all the others."""
    options = values.expand(count, *values.shape).clone()
    numbers = torch.arange(count).to(values)
    options[..., place] = numbers.reshape(count, *[1] * (values.dim() - 1))
    changed = values.clone()
    changed[..., place] = numbers[circuit.log_prob(options).argmax(0)]
    return changed


def _highest(values: Tensor, log_prob: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the likeliest of the first dimension."""
    best, index = log_prob.max(0)
    index = index[None, ..., None].expand(1, *values.shape[1:])
    return values.gather(0, index).squeeze(0), best


def _whole_numbers(circuit: Circuit, values: Tensor, counts: list[int]) -> Tensor:
    """Returns values of which those of categories are numbers of one."""
    rounded = values.clone()
    for place, count in enumerate(counts):
        if count:
            rounded[..., place] = values[..., place].round().clamp(0, count - 1)
    return rounded
