"""Environments that are looked at through small frames, and policies that act in them."""

__all__ = [
    "ACTIONS",
    "Brownian",
    "Policy",
    "Rollout",
    "Step",
    "load_policy",
    "make_car_racing",
    "play",
    "rollout",
    "shrink_frame",
]

from seqmdn.environments.car_racing import ACTIONS, make_car_racing
from seqmdn.environments.frames import shrink_frame
from seqmdn.environments.policies import Brownian, Policy, load_policy
from seqmdn.environments.rollout import Rollout, Step, play, rollout
