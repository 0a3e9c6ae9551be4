"""The autoencoder's bounds beside a density that is known, its loss, and what it sees."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import LowRankMultivariateNormal, Normal, kl_divergence

from seqmdn.data import Batch
from seqmdn.models import FrameVAE, encoder_sha256, vae
from seqmdn.models.importance import own_noise
from tests.contracts import assert_state_is_complete

D, Z, SCALE = 64 * 64 * 3, 2, 0.1


class Linear(nn.Module):
    """Affine means, each latent moving pixels of its own, so that the posterior is diagonal."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(D, Z))
        with torch.no_grad():
            for latent in range(Z):
                self.weight[latent::Z, latent] = 0.001 * torch.randn(D // Z)
        self.bias = nn.Parameter(torch.rand(D))

    def forward(self, z: Tensor) -> Tensor:
        return z @ self.weight.T + self.bias


class Posterior(nn.Module):
    """That of the affine decoder, moved and widened by as much as asked for."""

    def __init__(self, decoder: Linear, moved: float, widened: float) -> None:
        super().__init__()
        self.decoder, self.moved, self.widened = [decoder], moved, widened

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        weight, bias = self.decoder[0].weight, self.decoder[0].bias
        precision = 1 + weight.square().sum(0) / SCALE**2
        mu = (frames - bias) @ weight / SCALE**2 / precision
        return mu + self.moved, (self.widened - precision.log()).expand_as(mu)


def linear(moved: float = 0.0, widened: float = 0.0, samples: int = 8) -> FrameVAE:
    torch.manual_seed(0)
    model = FrameVAE(latent=Z, width=1, scale=SCALE, samples=samples)
    model.decoder = Linear()  # type: ignore[assignment]
    model.encoder = Posterior(model.decoder, moved, widened)  # type: ignore[arg-type, assignment]
    return model.double()


def exact(model: FrameVAE) -> LowRankMultivariateNormal:
    """The density of a frame of levels: every one is 256 times an affine map of normals."""
    decoder = model.decoder
    return LowRankMultivariateNormal(
        256 * decoder.bias.detach(),
        256 * decoder.weight.detach(),
        torch.full((D,), (256 * SCALE) ** 2).double(),
    )


def small(**options: object) -> FrameVAE:
    torch.manual_seed(1)
    return FrameVAE(**{"latent": 3, "width": 1, "samples": 4, **options})  # type: ignore[arg-type]


def frames(*shape: int) -> Batch:
    values = 256 * torch.rand(*shape, D)
    return Batch(values, torch.full((shape[0],), shape[1]))


@torch.no_grad()
def test_with_the_true_posterior_both_bounds_are_the_likelihood() -> None:
    model = linear()
    values = exact(model).sample((3, 4))
    known = exact(model).log_prob(values).sum(1)
    batch = Batch(values, torch.tensor([4, 4, 4]))
    torch.testing.assert_close(model.importance_weighted(batch), known)  # whatever was drawn
    model.samples = 1
    torch.testing.assert_close(model.importance_weighted(batch), known)
    # The evidence bound only in expectation, over the frames of many sequences.
    values = exact(model).sample((1, 300))
    gap = exact(model).log_prob(values).sum() - model.log_prob(Batch(values, torch.tensor([300])))
    assert abs(gap.item()) < 4 * math.sqrt(300 * Z / 2)


@torch.no_grad()
def test_the_bounds_lie_below_the_likelihood_the_tighter_the_more_draws() -> None:
    model = linear(moved=0.8, widened=0.6)
    values = exact(model).sample((1, 400))
    known = exact(model).log_prob(values).sum()
    batch = Batch(values, torch.tensor([400]))
    gaps = [(known - model.log_prob(batch)).item() / 400]
    for model.samples in (1, 4, 16):
        gaps.append((known - model.importance_weighted(batch)).item() / 400)
    mu, logvar = model.encoder(values[0] / 256)
    q, posterior = Normal(mu, (0.5 * logvar).exp()), Normal(mu - 0.8, (0.5 * (logvar - 0.6)).exp())
    divergence = kl_divergence(q, posterior).sum(1).mean().item()
    assert gaps[0] == pytest.approx(divergence, rel=0.2)
    assert gaps[1] == pytest.approx(divergence, rel=0.2)  # one draw's weight is the other's term
    assert gaps[1] > 2 * gaps[2] > 4 * gaps[3] > 0


@pytest.mark.parametrize("floor", [0.0, 5.0])
def test_the_loss_is_squared_error_and_divergence(floor: float) -> None:
    model = small(floor=floor).double()
    batch = frames(2, 3)._replace(lengths=torch.tensor([3, 1]))
    batch = batch._replace(values=batch.values.double())
    torch.manual_seed(5)
    loss = model.loss(batch)
    torch.manual_seed(5)
    pixels = batch.values[batch.mask()] / 256
    mu, logvar = model.encoder(pixels)
    q = Normal(mu, (0.5 * logvar).exp())
    error = (pixels - model.decoder(q.mean + q.stddev * torch.randn_like(mu))).square().sum(1)
    divergence = kl_divergence(q, Normal(0.0, 1.0)).sum(1)
    assert 0 < divergence.max() < 15
    expected = (error + divergence.clamp(min=3 * floor)).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-7)
    assert floor == 0 or expected > error.mean() + 14.9


@torch.no_grad()
def test_above_the_floor_the_loss_is_a_constant_away_from_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for scale in (math.sqrt(0.5), 0.2, None):
        model = small(floor=0.0, scale=scale).double()
        batch = frames(1, 3)
        batch = batch._replace(values=batch.values.double())
        noise = torch.randn(3, 3).double()
        monkeypatch.setattr(vae, "own_noise", lambda *_, n=noise: (n[None, :, None], None))
        monkeypatch.setattr(vae.torch, "randn_like", lambda _, n=noise: n)
        constant = D * (0.5 * math.log(math.pi) + math.log(256))
        bound = model.log_prob(batch) / 3
        assert model.loss(batch).item() == pytest.approx(-bound.item() - constant, abs=1e-3)


@pytest.mark.parametrize("scale", [None, 0.5])
def test_gradients_reach_every_parameter(scale: float | None) -> None:
    model = small(scale=scale, floor=0.0, width=4)  # of one filter none may be above 0
    model.loss(frames(2, 4)).backward()
    names = dict(model.named_parameters())
    assert ("log_scale" in names) == (scale is None)
    for name, parameter in names.items():
        assert parameter.grad is not None and bool(parameter.grad.any()), name


def test_below_the_floor_the_divergence_pulls_at_nothing() -> None:
    batch = frames(1, 2)
    found = []
    for floor in (0.0, 1e4):
        model = small(floor=floor)
        with torch.no_grad():  # nothing of z is seen, so that only the divergence moves mu
            model.decoder.input.weight.zero_()
        model.loss(batch).backward()
        grad = model.encoder.output.weight.grad
        found.append(bool(grad is not None and grad.any()))
    assert found == [True, False]


@torch.no_grad()
def test_a_sequence_is_worth_the_same_whatever_stands_beside_or_behind_it() -> None:
    model = small().double()
    batch = frames(3, 4)
    values = batch.values.double()
    batch = Batch(values, torch.tensor([4, 1, 2]))
    values[1, 1:], values[2, 2:] = math.nan, 1e30
    bounds: list[Callable[[Batch], Tensor]] = [model.log_prob, *model.bounds().values()]
    for bound in bounds:
        whole = bound(batch)
        assert whole.shape == (3,) and bool(whole.isfinite().all())
        for row, length in enumerate(batch.lengths.tolist()):
            alone = batch.part(row, row + 1)
            alone = alone._replace(values=alone.values[:, :length])
            torch.testing.assert_close(bound(alone), whole[row : row + 1])
    torch.manual_seed(2)
    first = model.loss(batch)
    torch.manual_seed(2)
    assert torch.equal(first, model.loss(batch._replace(values=values.nan_to_num(7.0))))


@torch.no_grad()
def test_frames_are_independent_and_only_those_that_count_are_scored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, batch = small().double(), frames(1, 4)
    batch = batch._replace(values=batch.values.double())
    noise, uniform = own_noise(batch, 1, 3)
    monkeypatch.setattr(vae, "own_noise", lambda *_: (noise, uniform))
    whole = model.log_prob(batch)
    noise = noise[:, :3]
    first = model.log_prob(Batch(batch.values[:, :3], torch.tensor([3])))
    noise, _ = own_noise(batch, 1, 3)
    last = model.log_prob(batch._replace(start=torch.tensor([3])))
    torch.testing.assert_close(first + last, whole)


@torch.no_grad()
def test_long_sequences_are_scored_a_few_frames_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = small().double(), frames(2, 7)
    batch = batch._replace(values=batch.values.double())
    whole = [model.log_prob(batch), model.importance_weighted(batch)]
    monkeypatch.setattr(vae, "_AT_ONCE", 5)
    parts = [model.log_prob(batch), model.importance_weighted(batch)]
    torch.testing.assert_close(parts, whole)


@torch.no_grad()
def test_levels_are_the_middles_of_their_cells_and_have_any_shape() -> None:
    model = small()
    levels = torch.randint(256, (2, 3, D), dtype=torch.uint8)
    mu, logvar = model.encode(levels)
    assert mu.shape == logvar.shape == (2, 3, 3)
    expected = model.encoder((levels.flatten(0, 1).float() + 0.5) / 256)
    torch.testing.assert_close(mu.flatten(0, 1), expected[0])
    torch.testing.assert_close(logvar.flatten(0, 1), expected[1])
    torch.testing.assert_close(model.encode(levels[0, 0])[0], mu[0, 0])
    torch.testing.assert_close(model.reconstruct(levels), model.decode(mu))
    decoded = model.decode(mu)
    assert decoded.shape == levels.shape and decoded.min() >= 0 and decoded.max() <= 255
    torch.testing.assert_close(
        (decoded.flatten(0, 1) + 0.5) / 256, model.decoder(mu.flatten(0, 1)), atol=1e-6, rtol=0
    )


@torch.no_grad()
def test_a_learned_scale_begins_with_that_of_the_frames() -> None:
    model = small(scale=None)
    values = 100 + 25.6 * torch.randn(50, D).clamp(-3, 3)
    model.initialise(values)
    assert model.log_scale.exp().item() == pytest.approx(0.1, rel=0.05)
    model.initialise(torch.full((3, D), 7.0))
    assert model.log_scale.exp().item() == pytest.approx(1 / 256)
    fixed = small(scale=0.3)
    fixed.initialise(values)
    assert fixed.log_scale.exp().item() == pytest.approx(0.3)


@pytest.mark.parametrize("scale", [None, 0.5])
def test_all_of_it_is_saved(scale: float | None) -> None:
    model = small(scale=scale)
    assert_state_is_complete(model)
    again = FrameVAE(latent=3, width=1, samples=4, scale=scale)
    again.load_state_dict(model.state_dict())
    batch = frames(1, 2)
    torch.testing.assert_close(again.log_prob(batch), model.log_prob(batch))


def test_a_hash_is_of_the_weights_and_of_nothing_else() -> None:
    model = small(scale=None)
    before = encoder_sha256(model)
    assert len(before) == 64
    with torch.no_grad():
        model.log_scale += 1
    assert encoder_sha256(small(floor=0.1, samples=9)) == before == encoder_sha256(model.double())
    for part in (model.encoder, model.decoder):
        for parameter in part.parameters():
            with torch.no_grad():
                parameter.flatten()[-1] += 0.1
            assert encoder_sha256(model) != before
            with torch.no_grad():
                parameter.flatten()[-1] -= 0.1
    assert encoder_sha256(small(width=2)) != before


def test_what_an_autoencoder_cannot_do_is_refused() -> None:
    model, batch = small(), frames(1, 2)
    with pytest.raises(ValueError, match=r"= 12288 values, found 300"):
        FrameVAE(300)
    for name, value in {"latent": 0, "width": 0, "samples": 0}.items():
        with pytest.raises(ValueError, match=f"{name} must be at least 1, found 0"):
            small(**{name: value})
    for name, wrong in {"floor": -0.1, "scale": 0.0}.items():
        with pytest.raises(ValueError, match=f"{name} must be .*found {wrong}"):
            small(**{name: wrong})
    for values in (torch.rand(2, D) + 256, -torch.ones(2, D), torch.full((2, D), math.nan)):
        with pytest.raises(ValueError, match="levels from 0 to 256, none missing"):
            model.initialise(values)
    with pytest.raises(ValueError, match=r"shape \(B, T, 12288\), found \(1, 2, 5\)"):
        model.loss(Batch(torch.zeros(1, 2, 5), torch.tensor([2])))
    with pytest.raises(ValueError, match="whole frames, found ones with missing features"):
        model.log_prob(batch._replace(observed=torch.ones(1, 2, D, dtype=torch.bool)))
    with pytest.raises(ValueError, match=r"shape \(\*, 12288\), found \(64, 64, 3\): flatten"):
        model.encode(torch.zeros(64, 64, 3))
    with pytest.raises(ValueError, match=r"shape \(\*, 3\), found \(4,\)"):
        model.decode(torch.zeros(4))
