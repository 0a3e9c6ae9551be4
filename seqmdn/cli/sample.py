"""``seqmdn sample``: draw sequences from a trained model."""

import argparse
import math
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqmdn.cli.show import SHOWN, show_frames
from seqmdn.cli.words import command_parser, counting
from seqmdn.data import decode
from seqmdn.data.sound import PAUSE, save_sound, sound_form
from seqmdn.drawings import (
    SOUND,
    check_ending,
    save_sequences,
    save_writing,
)
from seqmdn.generation import bias
from seqmdn.heads import JointHead
from seqmdn.models import FrameVAE
from seqmdn.runs import (
    Run,
    draw,
    load_run,
    look_along,
    read_prime,
    read_style,
    stream_draws,
)

__all__ = ["sample_command"]


def sample_command(words: list[str]) -> None:
    """Draw sequences from a run into a file."""
    parser = command_parser("sample", "Draw sequences from a trained model.")
    parser.add_argument("run", type=Path, help="a run's folder, or a checkpoint file")
    parser.add_argument("--num", type=int, default=16, help="number of sequences")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="FILE.png, .svg, .gif (strokes), .wav, .flac (sound), .npz or .h5",
    )
    parser.add_argument(
        "--length",
        type=int,
        help="frames of each at most, those of real sequences it begins with included; as real "
        "sequences by default",
    )
    parser.add_argument("--seconds", type=float, help="of sound: the length in seconds")
    parser.add_argument(
        "--prime",
        type=_prime,
        default=0.0,
        help="first frames taken from real sequences: how many, or below 1 the share of each; or "
        "of sound a file to go on from, whose frames come on top of the length",
    )
    parser.add_argument(
        "--text", nargs="+", help="what to write, several in turn; texts of real ones by default"
    )
    parser.add_argument(
        "--label",
        nargs="+",
        metavar="LABEL",
        help='what to be, such as "digit 7", several of a kind in turn; other labels are those '
        "of real sequences",
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
        "--chain",
        type=int,
        default=0,
        help="of functions: how many first values are given to those behind them, drawn ones as "
        "well; by default each is drawn by itself, or of completions as many are as training gives",
    )
    parser.add_argument(
        "--show",
        choices=[
            *("drawn", "attention", "density", "conditional", "functions", "completions"),
            *("reconstructed", "surprise"),
        ],
        default="drawn",
        help="what is drawn; or of strokes, in .png or .svg, of the first one the weights of the "
        "text's characters, or the density of each point given those before; or of a regression "
        "the density of its target along its input; or of functions theirs along their input, "
        "given some of their points; or of images as functions of a place what is expected of "
        "pixels given others; or of the frames of an autoencoder real ones and their "
        "reconstructions; or of images how many nats the model "
        "needs for each pixel of real ones",
    )
    parser.add_argument(
        "--alone", action="store_true", help="show no real sequences beside what is drawn"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="another store than the one it was trained on")
    options = parser.parse_args(words)
    run = load_run(options.run, options.data)
    if isinstance(run.model, FrameVAE) or options.show == "reconstructed":
        show_frames(options, parser, run)
        return
    if options.show in SHOWN:
        SHOWN[options.show](options, parser, run)
        return
    style = None if options.style is None else read_style(run, options.style, options.split)
    check_ending(options.out, run.data.store)
    asked = {
        "length": _length(options, run),
        "split": options.split,
        "labels": options.label,
        "seed": options.seed,
        "chain": options.chain,
        **_temperatures(options, getattr(run.model, "head", None)),
    }
    if isinstance(options.prime, Path):
        asked["clip"] = read_prime(options.prime, run.data.store)
    else:
        asked["prime"] = options.prime
    plain = options.text is None and style is None and options.show == "drawn"
    if options.out.suffix in SOUND and plain:
        _stream(options, run, asked)
        return
    drawn, real = draw(run, options.num, text=options.text, style=style, **asked)
    command = shlex.join(["seqmdn", "sample", *words])
    if options.show != "drawn":
        save_writing(options.out, options.show, look_along(run, drawn), run.data.store)
        print(f"{options.show} along a sequence of {int(drawn.lengths[0])} frames: {options.out}")
        return
    titles = None if drawn.text is None else decode(drawn.text)
    beside, store = None if options.alone else real, run.data.store
    if options.out.suffix == ".h5":
        drawn = run.data.stored(drawn)
    save_sequences(
        options.out, drawn, beside, store, run.checkpoint, command, titles, run.data.names
    )
    print(f"{options.num} sequences of {drawn.values.shape[1]} frames: {options.out}")


def _stream(options: argparse.Namespace, run: Run, asked: dict[str, Any]) -> None:
    """Write sound while it is drawn."""
    drawn = stream_draws(run, options.num, **asked)
    with counting("frames", drawn.length) as count:

        def pieces() -> Iterator[tuple[Any, Any]]:
            for frames, present in drawn.frames:
                yield frames.cpu().numpy(), present.cpu().numpy()
                count()

        form = sound_form(run.data.store)
        written = save_sound(options.out, pieces(), form)
    between = f", {PAUSE:g} s of silence between them" if options.num > 1 else ""
    print(f"{options.num} sequences of {written.frames} frames{between}: {options.out}")
    if (first := int(drawn.start.max())) > 0:
        print(f"what is drawn begins at {form.seconds(first):.3f} s of each")
    print(f"{written.clipped} of {written.samples} samples beyond full scale, clipped to it")


def _prime(word: str) -> float | Path:
    """Return a number of frames, or else the file of a clip."""
    try:
        number = float(word)
    except ValueError:
        return Path(word)
    return number if math.isfinite(number) else Path(word)


def _length(options: argparse.Namespace, run: Run) -> int | None:
    """Return the number of frames that is asked for, in frames or in seconds."""
    if options.seconds is None:
        length: int | None = options.length
        return length
    if options.length is not None:
        raise ValueError("expected one length, found --length and --seconds: leave one out")
    try:
        return sound_form(run.data.store).frames(options.seconds)
    except ValueError as error:
        raise ValueError(f"--seconds: {error}: use --length") from None


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
        names = ("mixing", "scale", *(["bits"] if isinstance(head, JointHead) else []))
        return dict.fromkeys(names, options.temperature)
    if options.bits != 1 and not isinstance(head, JointHead):
        raise ValueError("--bits is for models whose frames have bits, such as those of strokes")
    return single
