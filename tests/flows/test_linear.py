"""Linear mixing: the matrix that its factors make."""

import torch

from seqmdn.flows import LULinear
from tests.contracts import perturbed


def test_the_matrix_is_the_product_of_its_factors() -> None:
    flow = perturbed(LULinear(4), 0.5).double()
    factors = flow.factors.detach()
    lower = factors.tril(-1) + torch.eye(4)
    upper = factors.triu(1) + torch.diag(factors.diagonal().exp())
    y = torch.randn(10, 4, dtype=torch.float64)
    z, ladj = flow().call_and_ladj(y)
    torch.testing.assert_close(z, y @ (lower @ upper).T + flow.bias)
    torch.testing.assert_close(ladj, torch.linalg.slogdet(lower @ upper).logabsdet.expand(10))


def test_a_context_makes_a_matrix_for_each_frame() -> None:
    flow = perturbed(LULinear(3, 2), 0.5).double()
    h, y = torch.randn(5, 2).double(), torch.randn(7, 5, 3).double()
    found = flow(h)
    z, ladj = found.call_and_ladj(y)
    for i, context in enumerate(h):
        one, slope = flow(context).call_and_ladj(y[:, i])
        torch.testing.assert_close(z[:, i], one)
        torch.testing.assert_close(ladj[:, i], slope)
    torch.testing.assert_close(found.inv(z), y)


def test_every_feature_sees_every_other() -> None:
    flow = perturbed(LULinear(5), 0.3)
    jacobian = torch.autograd.functional.jacobian(flow(), torch.randn(5))
    assert (jacobian.abs() > 1e-6).all()
