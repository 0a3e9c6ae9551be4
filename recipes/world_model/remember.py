"""Remember: memories of what was seen, compared under one budget, and what they expect."""

from scales import MEMORIES
from stages import Stage, run, stage


def remember(at: Stage) -> None:
    """Train every memory on the latents, compare them, and score them many steps ahead."""
    out, scale = at.out / "remember", at.scale
    if not (out / "compare.json").exists():
        run(
            "seqmdn",
            *("compare", at.recipe, "--models", *MEMORIES, "--out", out, "--resume"),
            *("--jobs", min(at.workers, len(MEMORIES)), "--data.path", at.latents),
            *("--trainer.max_steps", scale.remember),
            *("--trainer.val_check_interval", max(1, scale.remember // 4)),
        )
    if not (at.out / "open_loop.json").exists():
        run(
            "recipes/world_model/open_loop.py",
            *("--runs", *map(at.memory, MEMORIES)),
            *("--draws", scale.futures, "--every", 10, "--out", at.out / "open_loop.json"),
        )


if __name__ == "__main__":
    stage(remember)
