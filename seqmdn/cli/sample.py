"""``seqmdn sample``: draw sequences from a trained model."""

import argparse
import shlex
from pathlib import Path

from seqmdn.cli.words import command_parser
from seqmdn.data import decode
from seqmdn.export import check_ending, save_sequences, save_writing
from seqmdn.generation import bias
from seqmdn.heads import StrokeHead
from seqmdn.runs import draw, load_run, look_along, read_style

__all__ = ["sample_command"]


def sample_command(words: list[str]) -> None:
    """Draw sequences from a run into a file."""
    parser = command_parser("sample", "Draw sequences from a trained model.")
    parser.add_argument("run", type=Path, help="a run's folder, or a checkpoint file")
    parser.add_argument("--num", type=int, default=16, help="number of sequences")
    parser.add_argument(
        "--out", type=Path, required=True, help="FILE.png, .svg, .gif (strokes), .wav, .npz or .h5"
    )
    parser.add_argument(
        "--length", type=int, help="frames of each at most; as real sequences by default"
    )
    parser.add_argument(
        "--prime",
        type=float,
        default=0,
        help="first frames taken from real sequences: how many, or below 1 the share of each",
    )
    parser.add_argument(
        "--text", nargs="+", help="what to write, several in turn; texts of real ones by default"
    )
    parser.add_argument(
        "--style",
        help="strokes to go on from in their manner: the number of a sequence of the split, a "
        "store, or a file .json or .csv of one's own strokes",
    )
    parser.add_argument(
        "--bias", type=float, help="Graves' bias: 0 as the model is, 1 and more neater"
    )
    parser.add_argument(
        "--split", default="test", help="where real sequences and context come from"
    )
    parser.add_argument("--mixing", type=float, default=1.0, help="temperature of mixing weights")
    parser.add_argument("--scale", type=float, default=1.0, help="temperature of the covariances")
    parser.add_argument("--bits", type=float, default=1.0, help="temperature of ends of strokes")
    parser.add_argument("--temperature", type=float, help="all of them at once")
    parser.add_argument(
        "--show",
        choices=["drawn", "attention", "density"],
        default="drawn",
        help="of strokes, in .png or .svg: what is drawn; or of the first, the weights of the "
        "text's characters, or the density of each point given those before",
    )
    parser.add_argument(
        "--alone", action="store_true", help="show no real sequences beside what is drawn"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="another store than the one it was trained on")
    options = parser.parse_args(words)
    run = load_run(options.run, options.data)
    style = None if options.style is None else read_style(run, options.style, options.split)
    check_ending(options.out, run.data.store)
    drawn, real = draw(
        run,
        options.num,
        options.length,
        options.prime,
        options.split,
        options.text,
        style,
        **_temperatures(options, getattr(run.model, "head", None)),
        seed=options.seed,
    )
    command = shlex.join(["seqmdn", "sample", *words])
    if options.show != "drawn":
        save_writing(options.out, options.show, look_along(run, drawn), run.data.store)
        print(f"{options.show} along a sequence of {int(drawn.lengths[0])} frames: {options.out}")
        return
    titles = None if drawn.text is None else decode(drawn.text)
    beside = None if options.alone else real
    save_sequences(options.out, drawn, beside, run.data.store, run.checkpoint, command, titles)
    print(f"{options.num} sequences of {drawn.values.shape[1]} frames: {options.out}")


def _temperatures(options: argparse.Namespace, head: object) -> dict[str, float]:
    """Return the temperatures that are asked for, by whichever name."""
    single = {name: getattr(options, name) for name in ("mixing", "scale", "bits")}
    given = [f"--{name}" for name, value in single.items() if value != 1]
    given += [f"--{name}" for name in ("temperature", "bias") if getattr(options, name) is not None]
    if len(given) > 1 and {"--temperature", "--bias"} & set(given):
        raise ValueError(f"expected one way to sharpen the draws, found {' and '.join(given)}")
    if options.bias is not None:
        return bias(options.bias)
    if options.temperature is not None:
        names = ("mixing", "scale", *(["bits"] if isinstance(head, StrokeHead) else []))
        return dict.fromkeys(names, options.temperature)
    if options.bits != 1 and not isinstance(head, StrokeHead):
        raise ValueError("--bits is for models of strokes, whose frames have bits")
    return single
