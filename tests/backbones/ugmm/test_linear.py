"""The layer of mixtures: what it computes, dropout, bad input, and what it saves."""

import math
import re

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, Normal

from seqmdn.models.ugmm import UGMMLinear
from tests.contracts import assert_state_is_complete, perturbed


def lively(*sizes: int, **options: object) -> UGMMLinear:
    return perturbed(UGMMLinear(*sizes, **options), 0.5).double()  # type: ignore[arg-type]


def written_out(layer: UGMMLinear, x: Tensor, kept: Tensor | None = None) -> Tensor:
    """The formula by torch's distributions, neuron by neuron."""
    outputs = []
    for j in range(layer.out_features):
        logits = layer.logits[j] if kept is None else layer.logits[j].where(kept[j], -torch.inf)
        log_weights = Categorical(logits=logits).logits
        densities = Normal(layer.means()[j], layer.scales()[j]).log_prob(x)
        outputs.append(torch.logsumexp(log_weights + densities, dim=-1))
    return torch.stack(outputs, dim=-1)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(("inputs", "neurons"), [(1, 4), (6, 1), (7, 5)])
def test_a_neuron_is_the_log_density_of_a_mixture(inputs: int, neurons: int, tied: bool) -> None:
    layer = lively(inputs, neurons, tied_means=tied, floor=0.3)
    x = 2 * torch.randn(4, 3, inputs, dtype=torch.float64)
    for found in (layer(x), layer.plain(x)):
        torch.testing.assert_close(found, written_out(layer, x), rtol=1e-12, atol=1e-12)
    assert (layer.scales() > 0.3).all()


def test_with_one_input_it_is_a_density() -> None:
    layer = lively(1, 3)
    grid = torch.linspace(-30, 30, 6001, dtype=torch.float64).unsqueeze(-1)
    mass = layer(grid).exp().sum(0) * (grid[1] - grid[0])
    torch.testing.assert_close(mass, torch.ones(3).double(), rtol=0, atol=1e-10)


def test_of_equal_inputs_it_is_the_density_of_that_number() -> None:
    layer = lively(5, 2)
    x = torch.randn(8, 1, dtype=torch.float64)
    mixture = MixtureSameFamily(
        Categorical(logits=layer.logits), Normal(layer.means(), layer.scales())
    )
    torch.testing.assert_close(layer(x.expand(8, 5)), mixture.log_prob(x))


def test_it_stands_where_a_linear_layer_stands() -> None:
    network = nn.Sequential(UGMMLinear(4, 8), nn.Linear(8, 2))
    x = torch.randn(2, 3, 4, requires_grad=True)
    network(x).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).any(), name
    assert x.grad is not None and (x.grad != 0).all()


def test_tied_means_are_centres_and_shifts() -> None:
    layer = UGMMLinear(3, 2, tied_means=True)
    with torch.no_grad():
        layer.centre.copy_(torch.tensor([1.0, 2.0, 3.0]))
        layer.shift.copy_(torch.tensor([10.0, 20.0]))
    assert layer.means().tolist() == [[11.0, 12.0, 13.0], [21.0, 22.0, 23.0]]
    assert set(layer.state_dict()) == {"logits", "centre", "shift", "log_scale"}
    layer(torch.zeros(2, 3)).sum().backward()
    assert layer.centre.grad is not None and layer.shift.grad is not None


@pytest.mark.parametrize("tied", [False, True])
def test_the_state_is_the_parameters(tied: bool) -> None:
    layer = lively(4, 3, dropout=0.5, tied_means=tied)
    assert_state_is_complete(layer)
    assert set(layer.state_dict()) == {name for name, _ in layer.named_parameters()}
    fresh = UGMMLinear(4, 3, dropout=0.5, tied_means=tied).double()
    fresh.load_state_dict(layer.state_dict())
    x = torch.randn(5, 4, dtype=torch.float64)
    assert torch.equal(fresh.eval()(x), layer.eval()(x))


def test_the_start_is_safe_and_drawn_anew() -> None:
    layer = UGMMLinear(784, 128)
    y = layer(torch.randn(64, 784))
    assert y.isfinite().all() and y.std() < 1 and -3 < y.mean() < 0
    assert torch.allclose(layer.scales(), torch.ones(()))
    before = layer.mean.clone()
    with torch.no_grad():
        layer.log_scale.fill_(7)
    layer.reset_parameters()
    assert not torch.equal(layer.mean, before) and layer.log_scale.max() < 0.01


def test_dropout_removes_components_and_the_rest_are_renormalised() -> None:
    layer = lively(6, 5, dropout=0.5)
    x = torch.randn(30, 6, dtype=torch.float64)
    torch.manual_seed(3)
    found = layer(x)
    torch.manual_seed(3)
    kept = layer._kept()
    assert kept is not None and 0 < kept.double().mean() < 1
    torch.testing.assert_close(found, written_out(layer, x, kept), rtol=1e-12, atol=1e-12)
    torch.manual_seed(3)
    torch.testing.assert_close(layer.plain(x), found, rtol=1e-12, atol=1e-12)
    assert not torch.equal(layer(x), found), "other components in another call"
    layer.eval()
    torch.testing.assert_close(layer(x), written_out(layer, x), rtol=1e-12, atol=1e-12)
    assert torch.equal(layer(x), layer(x))


def test_gradients_through_dropout_are_those_of_differences() -> None:
    layer = lively(4, 3, dropout=0.6)

    def seeded(*given: Tensor) -> Tensor:
        torch.manual_seed(1)
        x, *parameters = given
        names = [name for name, _ in layer.named_parameters()]
        found: Tensor = torch.func.functional_call(
            layer, dict(zip(names, parameters, strict=True)), (x,)
        )
        return found

    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(seeded, (x, *layer.parameters()))


@pytest.mark.parametrize("dropout", [0.3, 0.9, 0.999])
def test_dropout_keeps_its_share_and_never_all(dropout: float) -> None:
    layer = UGMMLinear(3, 40_000, dropout=dropout)
    kept = layer._kept()
    assert kept is not None
    count = kept.sum(-1)
    assert count.min() == 1, "no neuron is empty"
    # P(n kept) is binomial, but that none of them is one of them.
    expected = torch.tensor(
        [math.comb(3, n) * (1 - dropout) ** n * dropout ** (3 - n) for n in range(4)]
    )
    expected[1] += expected[0]
    found = torch.bincount(count, minlength=4)[1:] / len(count)
    error = (expected[1:] * (1 - expected[1:]) / len(count)).sqrt()
    assert ((found - expected[1:]).abs() < 4 * error + 1e-4).all()
    single = kept[count == 1].float().mean(0)
    assert ((single - 1 / 3).abs() < 4 * (2 / 9 / (count == 1).sum()) ** 0.5).all()
    layer.train()(torch.randn(2, 3)).sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_one_input_with_dropout() -> None:
    layer = lively(1, 3, dropout=0.9)
    x = torch.randn(5, 1, dtype=torch.float64)
    torch.testing.assert_close(layer(x), written_out(layer, x))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_features": 0}, "in_features must be at least 1, found 0"),
        ({"out_features": 0}, "out_features must be at least 1, found 0"),
        ({"dropout": 1.0}, "dropout must lie in [0, 1), found 1.0"),
        ({"dropout": -0.1}, "dropout must lie in [0, 1), found -0.1"),
        ({"dropout": math.nan}, "dropout must lie in [0, 1), found nan"),
        ({"floor": -1.0}, "expected 0 <= floor < scale, found a floor of -1.0 and a scale of 1.0"),
        ({"scale": 0.0}, "expected 0 <= floor < scale, found a floor of 0.001 and a scale of 0.0"),
    ],
)
def test_what_makes_no_layer_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        UGMMLinear(**({"in_features": 3, "out_features": 2} | options))


def test_inputs_that_are_not_finite_are_named() -> None:
    layer = UGMMLinear(4, 2)
    x = torch.zeros(2, 3, 4)
    x[0, 1, 2], x[1, 2, 3] = math.nan, math.inf
    with pytest.raises(ValueError, match="NaN or infinity in 1, 5 of the rows and 2, 3 of the inp"):
        layer(x)
    with pytest.raises(ValueError, match="0, 1, 2, 3, 4 and 1 more of the rows"):
        layer(torch.full((6, 4), math.nan))
    assert layer(torch.full((2, 4), 3e38)).shape == (2, 2), "a sum that overflows is no NaN"
    with pytest.raises(ValueError, match=re.escape("x must have shape (..., 4), found (2, 3)")):
        layer(torch.zeros(2, 3))


def test_repr_says_what_it_is() -> None:
    assert repr(UGMMLinear(3, 2)) == "UGMMLinear(in_features=3, out_features=2)"
    assert "dropout=0.5, tied_means=True" in repr(UGMMLinear(3, 2, 0.5, True))


def test_responses_are_mean_shares_of_components() -> None:
    layer = lively(5, 3, dropout=0.5)
    x = torch.randn(4, 2, 5, dtype=torch.float64)
    components = Normal(layer.means(), layer.scales()).log_prob(x.unsqueeze(-2))
    shares = (components + layer.logits.log_softmax(-1)).softmax(-1).mean((0, 1))
    with torch.no_grad():
        found = layer.responses(x)
    torch.testing.assert_close(found, shares.detach())
    torch.testing.assert_close(found.sum(-1), torch.ones(3).double())
    assert all(parameter.grad is None for parameter in layer.parameters())


# Where a graph ends, torch's compiler looks at gradients of what is no leaf.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_a_compiled_model_has_the_layer_as_it_is() -> None:
    network = nn.Sequential(nn.Linear(4, 6), UGMMLinear(6, 3), nn.Linear(3, 2))
    x = torch.randn(5, 4)
    compiled = torch.compile(network, backend="eager")
    torch.testing.assert_close(compiled(x), network(x))
    compiled(x).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
