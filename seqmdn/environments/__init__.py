"""Environments that are looked at through small frames, and policies that act in them."""

__all__ = [
    "ACTIONS",
    "Brownian",
    "Player",
    "Policy",
    "Rollout",
    "Step",
    "make_car_racing",
    "play",
    "rollout",
    "shrink_frame",
    "summary",
]

from seqmdn.environments.car_racing import ACTIONS, make_car_racing
from seqmdn.environments.frames import shrink_frame
from seqmdn.environments.policies import Brownian, Policy
from seqmdn.environments.rollout import Rollout, Step, play, rollout
from seqmdn.environments.scores import Player, summary
