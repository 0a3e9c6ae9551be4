"""The mean over given points, written by hand."""

import torch

from seqmdn.models.neural_process import DeepSetEncoder
from tests.models.neural_process.kinds import D, X, points


def test_it_is_the_mean_of_what_is_made_of_each_given_point() -> None:
    encoder = DeepSetEncoder(X, D, hidden=8).double()
    x, y, given, present = points()
    h, task = encoder(x, y, given, present)
    expected = encoder.of_points(torch.cat((x[0, :3], y[0, :3]), dim=-1)).mean(0)
    torch.testing.assert_close(task[0], expected)
    torch.testing.assert_close(h[0, 5], encoder.decoder(torch.cat((x[0, 5], expected))))
    torch.testing.assert_close(task[1], encoder.nothing)
