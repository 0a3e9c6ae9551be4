"""k-means against scikit-learn's, and on data that are hard to cluster."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from seqmdn.clustering import kmeans


def cost(values: torch.Tensor, centres: torch.Tensor, labels: torch.Tensor) -> float:
    return float((values - centres[labels]).square().sum())


@pytest.mark.parametrize("clusters", [1, 3, 6])
def test_is_as_good_as_scikit_learns(clusters: int) -> None:
    places = torch.randn(6, 4) * 5
    values = (places[torch.randint(6, (600,))] + torch.randn(600, 4)).double()
    centres, labels = kmeans(values, clusters)
    other = KMeans(clusters, n_init=1, random_state=0).fit(values.numpy())
    assert cost(values, centres, labels) < 1.1 * other.inertia_
    nearest = np.linalg.norm(values.numpy()[:, None] - centres.numpy(), axis=-1).argmin(axis=1)
    assert (labels.numpy() == nearest).all()


def test_centres_are_the_means_of_their_frames() -> None:
    values = torch.cat((torch.randn(50, 2), torch.randn(50, 2) + 20))
    centres, labels = kmeans(values, 2)
    for k in range(2):
        torch.testing.assert_close(centres[k], values[labels == k].mean(dim=0))


def test_depends_on_the_data_alone_and_leaves_the_generator_alone() -> None:
    values = torch.randn(100, 3)
    state = torch.get_rng_state()
    first, _ = kmeans(values, 5)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(7)
    assert torch.equal(kmeans(values, 5)[0], first)


def test_copes_with_frames_that_are_all_the_same() -> None:
    centres, labels = kmeans(torch.ones(10, 2), 3)
    assert torch.equal(centres, torch.ones(3, 2))
    assert labels.shape == (10,)


def test_refuses_fewer_frames_than_clusters() -> None:
    with pytest.raises(ValueError, match=r"4 clusters .* found 3"):
        kmeans(torch.randn(3, 2), 4)
