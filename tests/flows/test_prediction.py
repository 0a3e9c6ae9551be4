"""Linear prediction: the filter along a frame, and the recursion back."""

import numpy as np
import pytest
import torch
from scipy import signal, stats

from seqmdn.flows import LinearPrediction
from seqmdn.flows.prediction import predictor
from tests.contracts import perturbed


def test_the_way_there_and_back_is_a_filter_s() -> None:
    flow = perturbed(LinearPrediction(40, order=6), 0.8).double()
    y = torch.randn(5, 40).double()
    filter_ = predictor(flow.raw[:-1].tanh()).detach().numpy()
    taps, gain = np.concatenate([[1], -filter_]), flow.raw[-1].exp().item()
    z, ladj = flow().call_and_ladj(y)
    np.testing.assert_allclose(z.detach(), gain * signal.lfilter(taps, [1], y.numpy()), atol=1e-12)
    torch.testing.assert_close(ladj, 40 * flow.raw[-1].expand(5))
    np.testing.assert_allclose(
        flow().inv(y).detach(), signal.lfilter([1], taps, y.numpy() / gain), atol=1e-9
    )


def test_a_context_makes_a_filter_for_each_frame() -> None:
    flow = perturbed(LinearPrediction(12, 3, order=4, hidden=8), 0.8).double()
    h, y = torch.randn(6, 3).double(), torch.randn(2, 6, 12).double()
    z, _ = flow(h).call_and_ladj(y)
    for i, context in enumerate(h):
        alone, _ = flow(context).call_and_ladj(y[:, i])
        torch.testing.assert_close(z[:, i], alone)
        torch.testing.assert_close(flow(context).inv(z[:, i]), y[:, i])


@pytest.mark.parametrize("where", [0, 2, -10])
def test_with_its_history_a_frame_is_part_of_one_signal(where: int) -> None:
    """Frames that each see the one before are filtered as the whole signal is."""
    flow = LinearPrediction(10, 12, order=7, hidden=8, history=where).double()
    perturbed(flow, 0.5)
    torch.nn.init.zeros_(flow.network[0].weight)  # one filter for all frames
    frames = torch.randn(5, 10).double()
    h = torch.zeros(5, 12).double()
    first = where % 12
    h[1:, first : first + 10] = frames[:-1]
    z, _ = flow(h).call_and_ladj(frames)
    *reflection, gain = flow.network(h[0]).detach()
    filter_ = predictor(torch.stack(reflection).tanh()).numpy()
    expected = signal.lfilter(np.concatenate([[1], -filter_]), [1], frames.flatten().numpy())
    np.testing.assert_allclose(z.detach().flatten(), gain.exp().item() * expected, atol=1e-12)
    torch.testing.assert_close(flow(h).inv(z), frames)


def test_reflections_below_one_are_stable_and_any_stable_filter_has_some() -> None:
    generator = torch.Generator().manual_seed(0)
    for order in (1, 2, 5, 16):
        reflection = (1.5 * torch.randn(order, generator=generator).double()).tanh()
        roots = np.roots(np.concatenate([[1], -predictor(reflection).numpy()]))
        assert np.abs(roots).max() < 1
    # Of a process whose best predictor is known: y_t = 1.5 y_{t-1} - 0.8 y_{t-2} + noise.
    torch.testing.assert_close(
        predictor(torch.tensor([1.5 / 1.8, -0.8])), torch.tensor([1.5, -0.8])
    )


def test_what_is_left_of_a_predictable_signal_is_its_noise() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((400, 50))
    y = torch.from_numpy(signal.lfilter([1], [1, -1.5, 0.8], noise)).float()
    flow = LinearPrediction(50, order=4)
    optimiser = torch.optim.Adam(flow.parameters(), lr=0.03)
    density = torch.distributions.Normal(0.0, 1.0)
    for _ in range(900):
        optimiser.zero_grad()
        z, ladj = flow().call_and_ladj(y)
        loss = -(density.log_prob(z).sum(-1) + ladj).mean() / 50
        loss.backward()
        optimiser.step()
    entropy = stats.norm.entropy(scale=noise.std())
    assert loss.item() == pytest.approx(entropy, abs=0.01)
    assert stats.norm.entropy(scale=y.std().item()) > entropy + 0.8  # or that would be no feat


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"features": 4, "order": 5}, "at most the 4 features, found 5"),
        ({"features": 4, "order": 0}, "order must be at least 1"),
        ({"features": 4, "order": 2, "history": 0}, "column, of 0, at which 4 .* found 0"),
        ({"features": 4, "context": 6, "order": 2, "history": 3}, "of 6, .* found 3"),
        ({"features": 4, "context": 6, "order": 2, "history": -3}, "found -3"),
        ({"features": 4, "context": 6, "order": 2, "history": -7}, "found -7"),
    ],
)
def test_what_cannot_be_predicted_is_refused(arguments: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LinearPrediction(**arguments)


def test_extreme_parameters_stay_finite() -> None:
    flow = LinearPrediction(64, order=8)
    torch.nn.init.constant_(flow.raw, 20.0)  # tanh of it is 1 in float32
    with torch.no_grad():
        flow.raw[-1] = 0
        y = torch.randn(3, 64)
        assert flow()(y).isfinite().all() and flow().inv(y).isfinite().all()
