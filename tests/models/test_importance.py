"""Random numbers that belong to a sequence, and draws in proportion to weights."""

import torch

from seqmdn.data import Batch
from seqmdn.models.importance import own_noise, resample


def test_noise_belongs_to_the_frames_and_to_nothing_else() -> None:
    values = torch.randn(3, 6, 2)
    batch = Batch(values, torch.tensor([6, 4, 2]))
    before = torch.get_rng_state()
    normal, uniform = own_noise(batch, draws=5, size=3)
    assert torch.equal(before, torch.get_rng_state())
    assert not normal[1, 4:].any() and not uniform[1, 4:].any()
    alone = own_noise(Batch(values[1:2, :4], torch.tensor([4])), 5, 3)
    assert torch.equal(alone[0][0], normal[1, :4]) and torch.equal(alone[1][0], uniform[1, :4])
    values[1, 3] += 1e-3
    assert not torch.equal(own_noise(batch, 5, 3)[0][1, 0], normal[1, 0])
    assert torch.equal(own_noise(batch, 5, 3)[0][0], normal[0])


def test_noise_is_standard_normal_and_uniform() -> None:
    batch = Batch(torch.randn(200, 50, 1), torch.full((200,), 50))
    normal, uniform = own_noise(batch, draws=4, size=2)
    assert abs(normal.mean()) < 0.015 and abs(normal.std() - 1) < 0.01
    assert abs(uniform.mean() - 0.5) < 0.012 and abs(uniform.var() - 1 / 12) < 0.003
    assert (
        abs(torch.corrcoef(torch.stack((normal[:, :, 0, 0], normal[:, :, 1, 0])).flatten(1))[0, 1])
        < 0.04
    )


def test_particles_are_taken_as_often_as_their_weights_say() -> None:
    weights = torch.tensor([0.7, 0.2, 0.06, 0.04]).repeat(20_000, 1)
    chosen, log_weights = resample(weights.log(), torch.rand(20_000))
    counts = torch.stack([(chosen == s).sum(1) for s in range(4)], dim=1).float()
    torch.testing.assert_close(counts.mean(0), 4 * weights[0], atol=0.02, rtol=0)
    # Systematic draws: the share rounded down, or once more.
    assert bool(((counts - 4 * weights).abs() < 1).all())
    torch.testing.assert_close(log_weights.exp(), torch.full((20_000, 4), 0.25))


def test_even_weights_stay_as_they_are() -> None:
    weights = torch.tensor([[0.3, 0.3, 0.2, 0.2], [0.94, 0.02, 0.02, 0.02], [0.5, 0.5, 0.0, 0.0]])
    chosen, log_weights = resample(weights.log(), torch.tensor([0.3, 0.3, 0.3]))
    assert chosen[0].tolist() == [0, 1, 2, 3]
    torch.testing.assert_close(log_weights[0].exp(), weights[0])
    assert chosen[1].tolist() == [0, 0, 0, 0]
    # An effective number of exactly half stays; a weight of 0 stays 0.
    assert chosen[2].tolist() == [0, 1, 2, 3] and log_weights[2, 3] == -torch.inf


def test_rounding_never_names_a_particle_that_is_not_there() -> None:
    weights = torch.full((1, 7), 1e-8)
    weights[0, 0] = 1 - 7e-8
    chosen, _ = resample(weights.log(), torch.tensor([1 - 2**-24]))
    assert int(chosen.max()) <= 6
