"""One run: a configuration becomes a folder, and the folder becomes the trained model again.

A run's folder holds ``config.yaml`` (everything, defaults included), ``metrics.json``,
``checkpoints/best.ckpt`` (lowest validation NLL), ``last.ckpt`` and ``previous.ckpt`` (the two
newest, to go on from), and ``logs/`` (CSV and TensorBoard). A checkpoint describes its model in
plain values, so that it can be rebuilt from the file alone, and is read with
``weights_only=True``: nothing in it is executed.
"""

from seqmdn.runs.clip import read_prime
from seqmdn.runs.completions import Completion, Completions, look_completions
from seqmdn.runs.conditional import Conditional, distinct_modes, look_conditional
from seqmdn.runs.curves import learning_clock, learning_curve, loss_curve
from seqmdn.runs.diagnostics import Diagnostics, diagnose
from seqmdn.runs.drawing import Stream, draw, stream_draws
from seqmdn.runs.encoding import encode_frames
from seqmdn.runs.fitting import Interrupted, Report, fit
from seqmdn.runs.frames import draw_frames, reconstruct_frames, require_vae
from seqmdn.runs.functions import Functions, look_functions
from seqmdn.runs.looking import Writing, look_along
from seqmdn.runs.run import Run, load_run, origin_of_checkpoint
from seqmdn.runs.scoring import evaluate, score
from seqmdn.runs.selection import score_training
from seqmdn.runs.style import read_style
from seqmdn.runs.surprise import Surprise, look_surprise
from seqmdn.runs.worst import Scored

__all__ = [
    "Completion",
    "Completions",
    "Conditional",
    "Functions",
    "Diagnostics",
    "Interrupted",
    "Report",
    "Run",
    "Scored",
    "Stream",
    "Surprise",
    "Writing",
    "diagnose",
    "distinct_modes",
    "draw",
    "draw_frames",
    "encode_frames",
    "evaluate",
    "fit",
    "learning_clock",
    "learning_curve",
    "load_run",
    "look_along",
    "look_completions",
    "look_conditional",
    "look_functions",
    "look_surprise",
    "loss_curve",
    "origin_of_checkpoint",
    "read_prime",
    "read_style",
    "reconstruct_frames",
    "require_vae",
    "score",
    "score_training",
    "stream_draws",
]
