"""Collect, see, remember, look, act: all stages of a world model, one after another.

Each stage is skipped where its result is there, and goes on where it was stopped:

    python recipes/world_model/run.py car_racing --scale tiny
"""

from act import act
from collect import collect
from look import look
from remember import remember
from see import see
from stages import Stage, stage


def every(at: Stage) -> None:
    """Run all stages of a world model, one after another."""
    # What a game's buttons do is no matter of more or less: no controller of this kind plays it.
    acts = (act,) if at.world == "car_racing" else ()
    for each in (collect, see, remember, look, *acts):
        print(f"\n== {each.__name__}", flush=True)
        each(at)


if __name__ == "__main__":
    stage(every)
