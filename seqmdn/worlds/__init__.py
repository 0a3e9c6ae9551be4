"""World models as agents live with them: eyes, memory, dreams, and what acts."""

from seqmdn.worlds.agent import Agent, load_agent, save_agent
from seqmdn.worlds.belief import Belief
from seqmdn.worlds.controller import LinearController
from seqmdn.worlds.dream import Dream
from seqmdn.worlds.dream_scores import score_in_dreams
from seqmdn.worlds.dreaming import DreamEnvironment, DreamVectorEnvironment
from seqmdn.worlds.evolution import Evolution
from seqmdn.worlds.world import World, load_world

__all__ = [
    "Agent",
    "Belief",
    "Dream",
    "DreamEnvironment",
    "DreamVectorEnvironment",
    "Evolution",
    "LinearController",
    "World",
    "load_agent",
    "load_world",
    "save_agent",
    "score_in_dreams",
]
