"""The budgets of the stages: from minutes on two cores to the paper's own."""

from dataclasses import dataclass

__all__ = ["MEMORIES", "SCALES", "Scale"]

# The names of their files.
MEMORIES = ("rmdn_factorised", "rmdn", "rmdn_lowrank", "frmdn")


@dataclass(frozen=True)
class Scale:
    """The budget of every stage.

    Attributes:
        episodes: Random episodes to collect.
        steps: Actions of one, at most.
        policy: Who drives them, as ``data_prep.car_racing`` names it.
        see: Training steps of the autoencoder, of 64 frames each.
        remember: Training steps of each memory.
        futures: Draws of what they expect, at each place.
        controllers: The memories that a controller is evolved for.
        population: Candidates of a generation of controllers.
        generations: Of them.
        episodes_each: Episodes that score a candidate.
        dreaming: Whether these are dreams of the memory, or real ones.
        evolve_steps: Actions of one of them.
        tracks: Unseen tracks of the final score.
        track_steps: Actions on each, at most.
    """

    episodes: int
    steps: int
    policy: str
    see: int
    remember: int
    futures: int
    controllers: tuple[str, ...]
    population: int
    generations: int
    episodes_each: int
    dreaming: bool
    evolve_steps: int
    tracks: int
    track_steps: int


SCALES = {
    "tiny": Scale(
        episodes=24,
        steps=400,
        policy="gentle",
        see=400,
        remember=300,
        futures=50,
        controllers=MEMORIES,
        population=32,
        generations=30,
        episodes_each=8,
        dreaming=True,
        evolve_steps=200,
        tracks=20,
        track_steps=400,
    ),
    "small": Scale(
        episodes=200,
        steps=1000,
        policy="gentle",
        see=4000,
        remember=1500,
        futures=200,
        controllers=MEMORIES,
        population=64,
        generations=100,
        episodes_each=16,
        dreaming=True,
        evolve_steps=500,
        tracks=20,
        track_steps=1000,
    ),
    # The paper's numbers: 10,000 episodes, 64 candidates of 16 episodes each.
    "paper": Scale(
        episodes=10_000,
        steps=1000,
        policy="random",
        see=150_000,
        remember=4000,
        futures=200,
        controllers=("rmdn_factorised", "frmdn"),
        population=64,
        generations=300,
        episodes_each=16,
        dreaming=False,
        evolve_steps=1000,
        tracks=100,
        track_steps=1000,
    ),
}
