"""Collect: frames, actions and rewards of a car that is driven at random."""

from stages import Stage, run, stage


def collect(at: Stage) -> None:
    """Drive random episodes; a collection that was stopped goes on."""
    scale = at.scale
    run(
        "data_prep.car_racing",
        *("--episodes", scale.episodes),
        *("--steps", scale.steps),
        *("--workers", at.workers),
        *("--seed", at.seed),
        *("--out", at.frames),
    )


if __name__ == "__main__":
    stage(collect)
