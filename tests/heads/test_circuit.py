"""The head of a circuit: where it starts, what its prior is worth, and what it learns."""

import math

import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from seqmdn.heads import CircuitHead


def flowers() -> Tensor:
    features, classes = load_iris(return_X_y=True)
    rows = torch.tensor(features).float()
    rows = (rows - rows.mean(0)) / rows.std(0)
    return torch.cat([rows, torch.tensor(classes).float().unsqueeze(-1)], dim=-1)


def test_one_node_a_class_starts_as_linear_discriminant_analysis() -> None:
    rows = flowers()
    head = _initialised(CircuitHead(5, 0, classes=3, components=3, depth=0, rank=3), rows)
    linear = LinearDiscriminantAnalysis(store_covariance=True, solver="lsqr")
    linear.fit(rows[:, :4].numpy(), rows[:, 4].numpy())
    gaussians = head.circuit().nodes.gaussians
    assert gaussians is not None
    covariance = torch.tensor(linear.covariance_).float()
    for found in gaussians.covariance_matrix.reshape(3, 4, 4):
        torch.testing.assert_close(found, covariance, atol=1e-4, rtol=1e-3)
    means = torch.tensor(linear.means_).float()
    torch.testing.assert_close(gaussians.loc.reshape(3, 4), means, atol=1e-5, rtol=1e-5)
    classes = head.circuit().condition(rows, torch.arange(5) < 4).categories(0).probs
    agree = classes.argmax(-1).numpy() == linear.predict(rows[:, :4].numpy())
    assert agree.all()


def test_a_prior_of_many_rows_keeps_the_spread_and_one_of_none_leaves_it() -> None:
    rows = flowers()
    own = torch.stack([rows[rows[:, 4] == c, :4].T.cov(correction=0) for c in range(3)])
    pooled = own.mean(0)
    for prior in (0.0, 50.0, 1e6):
        head = _initialised(CircuitHead(5, 0, classes=3, components=3, depth=0, rank=3), rows)
        head.prior = prior
        optimiser = torch.optim.LBFGS(
            head.parameters(), max_iter=300, line_search_fn="strong_wolfe"
        )

        def loss(head: CircuitHead = head, optimiser: torch.optim.LBFGS = optimiser) -> Tensor:
            optimiser.zero_grad()
            value = -(head.circuit().log_prob(rows).sum() + head.log_prior())
            value = value / (150 + 3 * head.prior)
            value.backward()
            return value

        optimiser.step(loss)
        gaussians = head.circuit().nodes.gaussians
        assert gaussians is not None
        # The most probable covariance is the mean of both, by their rows.
        expected = (50 * own + prior * pooled) / (50 + prior)
        found = gaussians.covariance_matrix.reshape(3, 4, 4)
        torch.testing.assert_close(found, expected, atol=0.02, rtol=0.02)


def test_levels_start_at_the_shares_of_their_cluster() -> None:
    rows = torch.tensor([[0.0, 2, 0], [0, 2, 0], [1, 2, 1], [1, 0, 1]])
    head = _initialised(CircuitHead(3, 0, classes=2, levels=3, components=2, depth=0), rows)
    choices = head.circuit().nodes.choices
    assert choices is not None
    # Two rows of a cluster and two more that are spread as all are.
    shares = (torch.tensor([[2.0, 2, 0], [1, 0, 3]]) + 1 / 3) / 5
    seen = torch.tensor([[[2.0, 0, 0], [0, 2, 0]], [[0, 0, 2], [1, 0, 1]]])  # feature, class
    expected = (seen + 2 * shares[:, None]) / 4
    torch.testing.assert_close(choices.exp()[0, 0], expected)
    assert -math.inf < float(head.log_prior().detach()) < 0


def test_gradients_reach_every_parameter_and_h_is_not_looked_at() -> None:
    head = CircuitHead(6, 3, classes=2, components=4, depth=1, trees=2, rank=1)
    h = torch.full((2, 5, 3), math.nan)
    density = head(h)
    assert density.batch_shape == (2, 5) and density.event_shape == (6,)
    (density.log_prob(density.sample()).sum() + head.log_prior()).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    again = CircuitHead(6, 3, classes=2, components=4, depth=1, trees=2, rank=1)
    again.load_state_dict(head.state_dict())
    value = density.sample()
    assert torch.equal(again(h).log_prob(value), head(h).log_prob(value))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"components": 0}, "expected 1 component or more.*found 0"),
        ({"prior": -1.0}, "prior of 0 or more.*-1.0"),
        ({"image": (2, 2)}, "expected an image of 6 pixels, found 2 x 2"),
        ({"classes": 2, "image": (2, 3)}, "expected an image of 5 pixels, found 2 x 3"),
    ],
)
def test_what_no_circuit_is_made_of_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CircuitHead(6, 0, **arguments)


def _initialised(head: CircuitHead, rows: Tensor) -> CircuitHead:
    with torch.no_grad():
        head.initialise(rows)
    return head
