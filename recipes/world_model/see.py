"""See: an autoencoder of single frames, and what it makes of all that was collected."""

from stages import Stage, run, stage

FRAMES = "recipes/world_model/car_racing_frames"  # frames are of one size in every world


def see(at: Stage) -> None:
    """Train the eyes on the collected frames, show what they keep, and encode."""
    if not (at.eyes / "metrics.json").exists():
        steps = at.scale.see
        words = ["-c", f"{FRAMES}/base.yaml", "-c", f"{FRAMES}/vae.yaml", "--out", at.eyes]
        words += ["--data.path", at.frames, "--seed", at.seed, "--trainer.max_steps", steps]
        words += ["--trainer.val_check_interval", max(1, steps // 3)]
        if (at.eyes / "checkpoints/last.ckpt").exists():
            words = ["--resume", at.eyes]
        run("seqmdn", "fit", *words)
    shown = at.out / "reconstructed.png"
    if not shown.exists():
        run("seqmdn", "sample", at.eyes, "--num", 16, "--show", "reconstructed", "--out", shown)
    if not at.latents.exists():
        run("seqmdn", "encode", at.eyes, "--out", at.latents)


if __name__ == "__main__":
    stage(see)
