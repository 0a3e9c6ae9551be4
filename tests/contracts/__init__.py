"""Checks that every thing of one kind must pass; test files run them over each of that kind."""

from tests.contracts.backbones import BACKBONE_CHECKS, BackboneKind, check_backbone
from tests.contracts.distributions import DISTRIBUTION_CHECKS, Family, check_distribution
from tests.contracts.flows import FLOW_CHECKS, FlowKind, check_flow
from tests.contracts.heads import HEAD_CHECKS, HeadKind, check_head
from tests.contracts.modules import assert_state_is_complete, perturbed

__all__ = [
    "BACKBONE_CHECKS",
    "BackboneKind",
    "DISTRIBUTION_CHECKS",
    "FLOW_CHECKS",
    "Family",
    "FlowKind",
    "HEAD_CHECKS",
    "HeadKind",
    "assert_state_is_complete",
    "check_backbone",
    "check_distribution",
    "check_flow",
    "check_head",
    "perturbed",
]
