"""Chains of flows: their order, zuko's among them, and from a configuration."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
import zuko
from torch import nn

from seqmdn.configuration import fit_parser, model_parser
from seqmdn.flows import AffineCoupling, LULinear, MaskedAutoregressive, Sequential
from seqmdn.heads import FlowMixtureHead
from tests.contracts import perturbed
from tests.small import words, write_recipe


def test_parts_are_applied_in_their_order() -> None:
    flow = perturbed(Sequential(3, 2, [AffineCoupling, LULinear, MaskedAutoregressive]), 0.2)
    h, y = torch.randn(6, 2), torch.randn(6, 3)
    z, ladj = flow(h).call_and_ladj(y)
    total = torch.zeros(6)
    for part in flow.transforms:
        y, step = part(h).call_and_ladj(y)
        total = total + step
    torch.testing.assert_close(z, y)
    torch.testing.assert_close(ladj, total)


def test_zukos_own_begin_where_zuko_begins_them() -> None:
    torch.manual_seed(1)
    flow = Sequential(3, 2, [AffineCoupling, zuko.flows.GeneralCouplingTransform])
    assert all(p.abs().max() > 0 for p in flow.transforms[1].parameters())
    h, y = torch.randn(6, 2), torch.randn(6, 3)
    torch.testing.assert_close(flow(h)(y), flow.transforms[1](h)(y))


@pytest.mark.parametrize(
    "theirs",
    [
        zuko.flows.MaskedAutoregressiveTransform,
        partial(zuko.flows.gaussianization.ElementWiseTransform, hidden_features=[8]),
    ],
)
def test_any_lazy_transform_drops_in(theirs: Callable[..., nn.Module]) -> None:
    flow = Sequential(2, 3, [LULinear, theirs, AffineCoupling])
    h, y = torch.randn(5, 3), torch.randn(5, 2)
    z, ladj = flow(h).call_and_ladj(y)
    for i in range(5):
        jacobian = torch.autograd.functional.jacobian(flow(h[i]), y[i])
        torch.testing.assert_close(ladj[i], jacobian.slogdet().logabsdet, atol=1e-4, rtol=0)
    torch.testing.assert_close(flow(h).inv(z), y, atol=1e-4, rtol=0)


def test_no_part_is_refused() -> None:
    with pytest.raises(ValueError, match="needs at least one, found none"):
        Sequential(3, 0, [])


CHAIN = """
model:
  init_args:
    head:
      class_path: seqmdn.heads.FlowMixtureHead
      init_args:
        conditional: range(2, 6)
        flow:
          class_path: seqmdn.flows.Sequential
          init_args:
            flows:
              - seqmdn.flows.ActivationNorm
              - class_path: seqmdn.flows.SplineCoupling
                init_args: {transforms: 2, mask: checkerboard, shape: [2, 2], hidden: 8}
              - class_path: seqmdn.flows.Conditioned
                init_args: {flow: seqmdn.flows.LULinear, columns: []}
              - class_path: seqmdn.flows.Lazy
                init_args: {path: zuko.flows.MaskedAutoregressiveTransform, options: {passes: 2}}
              - class_path: seqmdn.flows.AffineCoupling
                init_args: {transforms: 2, mask: [[0, 1], [2, 3]]}
"""


def test_a_chain_is_written_in_a_configuration(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, tmp_path / "walks.h5")
    (recipe / "chain.yaml").write_text(CHAIN)
    parser = fit_parser()
    config = parser.parse_args(words(recipe, model="chain"))
    # As a checkpoint keeps it, and makes it again.
    said = json.loads(parser.dump(config, format="json", skip_unset=False))
    made = model_parser().parse_object({key: said[key] for key in ("data", "model")})
    model = model_parser().instantiate(made).model(4, 0)
    head = model.head
    assert isinstance(head, FlowMixtureHead) and list(head.conditional) == [2, 3, 4, 5]
    names = [type(part).__name__ for part in head.flow.transforms]
    assert names == [
        "ActivationNorm",
        "SplineCoupling",
        "Conditioned",
        "Lazy",
        "AffineCoupling",
    ]
    spline, shared, masked, affine = head.flow.transforms[1:]
    assert spline.transforms[0].mask.tolist() == [True, False, False, True]
    assert (spline.context, shared.transforms[0].context, masked.transforms[0].passes) == (4, 0, 2)
    assert affine.transforms[1].mask.tolist() == [True, True, False, False]
    model.initialise(3 * torch.randn(50, 4))
    h = torch.randn(6, model.backbone.features)
    assert head(h).log_prob(torch.randn(6, 4)).isfinite().all()
    assert head(h).sample().shape == (6, 4)
