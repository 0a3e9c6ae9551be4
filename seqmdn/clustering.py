"""Clusters of frames, on which a head places its components before training."""

import torch
from torch import Tensor

__all__ = ["kmeans"]


def kmeans(values: Tensor, clusters: int, iterations: int = 20) -> tuple[Tensor, Tensor]:
    """Cluster frames by Lloyd's algorithm, seeded as k-means++.

    The random numbers are its own, so that the clusters depend on the data alone.

    Args:
        values: Frames ``(N, D)``.
        clusters: Number of clusters K, at most N.
        iterations: Rounds of assigning frames to centres and moving centres to their frames' means.

    Returns:
        Centres ``(K, D)`` and the label of each frame ``(N,)``. A centre that loses all its frames
        stays where it is.

    Raises:
        ValueError: If there are fewer frames than clusters.

    References:
        Least squares quantization in PCM (Lloyd, 1982).
        k-means++: The Advantages of Careful Seeding (Arthur, Vassilvitskii, 2007).

    Example:
        >>> centres, labels = kmeans(torch.tensor([[0.0], [1.0], [10.0], [11.0]]), clusters=2)
        >>> centres.sort(dim=0).values.tolist(), bool(labels[0] == labels[1])
        ([[0.5], [10.5]], True)
    """
    if len(values) < clusters:
        raise ValueError(
            f"{clusters} clusters need at least {clusters} frames, found {len(values)}"
        )
    generator = torch.Generator().manual_seed(0)
    centres = values[torch.randint(len(values), (1,), generator=generator)]
    while len(centres) < clusters:
        distance = torch.cdist(values, centres).min(dim=1).values.square()
        # Frames that repeat a centre weigh nothing; if all do, any frame will serve.
        weights = distance if distance.sum() > 0 else torch.ones_like(distance)
        chosen = torch.multinomial(weights.cpu(), 1, generator=generator)
        centres = torch.cat((centres, values[chosen.to(values.device)]))
    for _ in range(iterations):
        labels = torch.cdist(values, centres).argmin(dim=1)
        counts = torch.bincount(labels, minlength=clusters)
        sums = torch.zeros_like(centres).index_add_(0, labels, values)
        moved = sums / counts.clamp(min=1).unsqueeze(-1)
        centres = torch.where(counts.unsqueeze(-1) > 0, moved, centres)
    return centres, torch.cdist(values, centres).argmin(dim=1)
