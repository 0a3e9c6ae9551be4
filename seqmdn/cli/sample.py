"""``seqmdn sample``: draw sequences from a trained model."""

import shlex
from pathlib import Path

from seqmdn.cli.words import command_parser
from seqmdn.export import check_ending, save_sequences
from seqmdn.runs import draw, load_run

__all__ = ["sample_command"]


def sample_command(words: list[str]) -> None:
    """Draw sequences from a run into a file."""
    parser = command_parser("sample", "Draw sequences from a trained model.")
    parser.add_argument("run", type=Path, help="a run's folder, or a checkpoint file")
    parser.add_argument("--num", type=int, default=16, help="number of sequences")
    parser.add_argument(
        "--out", type=Path, required=True, help="FILE.png, .svg, .gif (strokes), .wav, .npz or .h5"
    )
    parser.add_argument("--length", type=int, help="frames of each; as real sequences by default")
    parser.add_argument(
        "--prime", type=int, default=0, help="first frames taken from real sequences"
    )
    parser.add_argument(
        "--split", default="test", help="where real sequences and context come from"
    )
    parser.add_argument("--mixing", type=float, default=1.0, help="temperature of mixing weights")
    parser.add_argument("--scale", type=float, default=1.0, help="temperature of the covariances")
    parser.add_argument("--temperature", type=float, help="both at once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="another store than the one it was trained on")
    options = parser.parse_args(words)
    if options.temperature is not None:
        options.mixing = options.scale = options.temperature
    run = load_run(options.run, options.data)
    check_ending(options.out, run.data.store)
    drawn, real = draw(
        run,
        options.num,
        options.length,
        options.prime,
        options.split,
        mixing=options.mixing,
        scale=options.scale,
        seed=options.seed,
    )
    command = shlex.join(["seqmdn", "sample", *words])
    save_sequences(options.out, drawn, real, run.data.store, run.checkpoint, command)
    print(f"{options.num} sequences of {drawn.values.shape[1]} frames: {options.out}")
