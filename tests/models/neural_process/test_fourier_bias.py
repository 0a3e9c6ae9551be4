"""Maps of differences: what they are, where they begin, what is refused."""

import pytest
import torch

from seqmdn.models.neural_process.fourier_bias import FourierBias


def test_maps_are_the_sums_of_waves_that_they_are_said_to_be() -> None:
    torch.manual_seed(0)
    bias = FourierBias(inputs=2, maps=3, waves=5, frequency=4.0).double()
    x = torch.randn(2, 6, 2).double()
    apart = (x.unsqueeze(2) - x.unsqueeze(1)) @ bias.frequencies  # (B, T, T, W)
    expected = torch.einsum("btuw,mw->bmtu", apart.cos(), bias.cosines)
    expected = expected + torch.einsum("btuw,mw->bmtu", apart.sin(), bias.sines)
    torch.testing.assert_close(bias(x), expected)


@pytest.mark.parametrize("inputs", [1, 2])
def test_they_begin_as_a_bump_that_is_as_high_and_wide_as_is_said(inputs: int) -> None:
    torch.manual_seed(0)
    bias = FourierBias(inputs, maps=4000, waves=32, frequency=25.0)
    # Noise of single maps is gone in their mean.
    x = torch.zeros(1, 5, inputs)
    x[0, :, 0] = torch.tensor([0.0, 0.15, 0.3, 0.6, 1.2])
    heights = bias(x).detach().mean(1)[0, 0]
    assert heights[0] == pytest.approx(2, abs=0.1)
    assert heights[:4].diff().max() < 0
    if inputs == 1:
        assert heights[2] == pytest.approx(2 * 2.718**-0.5, abs=0.4)
        assert heights[3:].abs().max() < 0.5


def test_frequencies_reach_the_highest_one() -> None:
    bias = FourierBias(inputs=3, maps=1, waves=8, frequency=4.0)
    lengths = bias.frequencies.norm(dim=0)
    torch.testing.assert_close(lengths, torch.arange(1, 9) * 0.5)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="waves must be at least 1, found 0"):
        FourierBias(1, 4, waves=0)
    with pytest.raises(ValueError, match="frequency must be positive, found -1"):
        FourierBias(1, 4, frequency=-1)
