"""Look: what is real, what the eyes keep of it, and what two memories dream from there on."""

import numpy as np
import torch
from scales import MEMORIES
from stages import Stage, stage

from seqmdn.data import Store
from seqmdn.generation import Interaction
from seqmdn.plotting import save_film, save_futures
from seqmdn.worlds import World, load_world

GIVEN, LENGTH = 60, 200  # frames
EVERY = 2  # of them are in the film, which keeps it small
FUTURES, SHOWN = 100, 6


def look(at: Stage) -> None:
    """Write a film and the latents' futures of a test episode."""
    film, futures = at.out / "film.gif", at.out / "futures.png"
    if film.exists() and futures.exists():
        return
    frames, latents = Store(at.frames), Store(at.latents)
    index = max(frames.indices("test").tolist(), key=lambda each: frames.lengths[each])
    length = min(LENGTH, int(frames.lengths[index]))
    levels = frames.read(index, 0, length)[0].reshape(length, 64, 64, 3)
    films = {"real": levels.astype(np.uint8)}
    drawn: dict[str, np.ndarray] = {}
    for name in (MEMORIES[0], MEMORIES[-1]):
        world = load_world(at.memory(name), at.eyes)
        mu = torch.from_numpy(latents.read(index, 0, length)[0][:, : world.memory.columns])
        films["seen"] = world.decode(mu)
        dreams = dreamt(world, latents, index, length, at.seed)
        films[name] = world.decode(dreams[0])
        drawn[name] = dreams[:, GIVEN:, :SHOWN].numpy()
    films = {name: each[::EVERY] for name, each in films.items()}
    save_film(film, films, scale=2, given=GIVEN // EVERY)
    names = [f"latent {place}" for place in range(SHOWN)]
    save_futures(futures, mu[:, :SHOWN].numpy(), drawn, names, given=GIVEN, unit="std of mu")


def dreamt(world: World, latents: Store, index: int, length: int, seed: int) -> torch.Tensor:
    """Dream on (futures, T, L) from the first frames of an episode, under its own actions."""
    memory = world.memory
    rows, actions = latents.read(index, 0, length)
    assert actions is not None
    columns = memory.columns
    given = torch.from_numpy(np.concatenate([rows[:, :columns], rows[:, 2 * columns :]], axis=1))
    dreams = Interaction(memory, FUTURES, seed=seed)
    seen = []
    for t in range(length):
        action = torch.from_numpy(actions[t]).expand(FUTURES, -1)
        real = given[t].expand(FUTURES, -1) if t < GIVEN else None
        seen.append(memory.latents(dreams.step(action, real)))
    return torch.stack(seen, dim=1)


if __name__ == "__main__":
    stage(look)
