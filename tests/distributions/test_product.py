"""Products of independent parts: the contract of densities over them, and each part's share."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seqmdn.distributions import Bits, Joint, Product
from tests.contracts import DISTRIBUTION_CHECKS, Family, check_distribution
from tests.distributions import dense, test_mixture

PART = test_mixture.mixture_family(1)


def sizes(features: int) -> list[int]:
    """All but one feature, and the last one; one feature is a part by itself."""
    return [features - 1, 1] if features > 1 else [1]


def split(parameters: dense.Parameters) -> list[dense.Parameters]:
    """The parameters of each part, by their names."""
    found: dict[str, dense.Parameters] = {}
    for name, parameter in parameters.items():
        part, own = name.split(" ")
        found.setdefault(part, {})[own] = parameter
    return list(found.values())


def draw(batch: tuple[int, ...], features: int, scale: float) -> dense.Parameters:
    parts = {}
    for number, size in enumerate(sizes(features)):
        drawn = PART.draw(batch, size, scale)
        parts |= {f"{number} {name}": parameter for name, parameter in drawn.items()}
    return parts


def build(parameters: dense.Parameters) -> Product:
    return Product([PART.build(own) for own in split(parameters)])


def log_prob(parameters: dense.Parameters, value: Tensor) -> Tensor:
    parts = split(parameters)
    values = value.split(sizes(value.shape[-1]), dim=-1)
    return sum(PART.log_prob(own, part) for own, part in zip(parts, values, strict=True))


def moments(parameters: dense.Parameters) -> tuple[Tensor, Tensor]:
    found = [PART.moments(own) for own in split(parameters)]
    mean = torch.cat([mean for mean, _ in found], dim=-1)
    covariance = mean.new_zeros(*mean.shape, mean.shape[-1])
    first = found[0][1].shape[-1]
    covariance[..., :first, :first] = found[0][1]
    covariance[..., first:, first:] = found[-1][1] if len(found) > 1 else 0
    return mean, covariance


def shift(parameters: dense.Parameters, offset: Tensor) -> dense.Parameters:
    parts = [PART.shift(own, offset) for own in split(parameters)]
    return {f"{n} {name}": p for n, own in enumerate(parts) for name, p in own.items()}


FAMILY = Family("product", draw, build, log_prob, moments, shift)


@pytest.mark.parametrize("check", DISTRIBUTION_CHECKS)
def test_contract(check: str) -> None:
    check_distribution(FAMILY, check)


def test_its_parts_add_up_and_keep_their_own_values() -> None:
    product = build(draw((3,), 4, 1.0))
    value = torch.randn(5, 3, 4, dtype=torch.float64)
    first, second = product.log_probs(value)
    torch.testing.assert_close(first, product.parts[0].log_prob(value[..., :3]))
    torch.testing.assert_close(second, product.parts[1].log_prob(value[..., 3:]))
    torch.testing.assert_close(first + second, product.log_prob(value))
    assert product.sizes == [3, 1] and repr(product).startswith("Product(Mixture(")


def test_temperatures_reach_every_part() -> None:
    product, value = build(draw((3,), 4, 1.0)), torch.randn(3, 4, dtype=torch.float64)
    found = product.tempered(mixing=0.5, scale=2.0).log_prob(value)
    first, second = (part.tempered(0.5, 2.0) for part in product.parts)
    expected = first.log_prob(value[:, :3]) + second.log_prob(value[:, 3:])
    torch.testing.assert_close(found, expected)


def test_it_may_stand_before_bits() -> None:
    product, bits = build(draw((3,), 4, 1.0)), Bits(torch.randn(3, 1).double())
    joint = Joint(product, bits)
    assert isinstance(joint, Product) and joint.columns == 4 and joint.sizes == [4, 1]
    frame = torch.cat((torch.randn(3, 4).double(), torch.ones(3, 1).double()), dim=-1)
    continuous, of_bits = joint.log_probs(frame)
    torch.testing.assert_close(continuous, product.log_prob(frame[:, :4]))
    torch.testing.assert_close(of_bits, bits.logits.sigmoid().log().squeeze(-1))
    found = joint.tempered(scale=2.0, bits=0.5).log_prob(frame)
    expected = product.tempered(scale=2.0).log_prob(frame[:, :4])
    torch.testing.assert_close(found, expected + (2 * bits.logits).sigmoid().log().squeeze(-1))


def test_what_does_not_fit_is_refused() -> None:
    one = PART.build(PART.draw((2,), 2, 1.0))
    other = PART.build(PART.draw((3,), 2, 1.0))
    with pytest.raises(ValueError, match=r"one batch shape .* found \[\(2,\), \(3,\)\]"):
        Product([one, other])
    with pytest.raises(ValueError, match=r"one part or more; found \[\]"):
        Product([])
    for name in ("mean", "variance", "mode"):
        with pytest.raises(NotImplementedError, match=f"^{name} of .* one of `parts`"):
            getattr(Product([one]), name)
