"""Collect: frames, actions and rewards of a world that is played at random."""

from stages import Stage, run, stage


def collect(at: Stage) -> None:
    """Play random episodes."""
    budget = ["--episodes", at.scale.episodes, "--steps", at.scale.steps, "--seed", at.seed]
    if at.world == "car_racing":  # which goes on where it was stopped
        options = ["--policy", at.scale.policy, "--workers", at.workers]
        run("data_prep.car_racing", *budget, *options, "--out", at.frames)
    elif not at.frames.exists():
        run("uv", "run", "data_prep/super_mario.py", *budget, "--out", at.frames)


if __name__ == "__main__":
    stage(collect)
