"""``seqmdn encode``: what an autoencoder sees of a store of frames."""

import shlex
from contextlib import ExitStack
from pathlib import Path

from seqmdn.cli.words import bars, command_parser
from seqmdn.data import Store
from seqmdn.runs import encode_frames, load_run

__all__ = ["encode_command"]


def encode_command(words: list[str]) -> None:
    """Encode a store of frames into a store of latents."""
    parser = command_parser(
        "encode",
        "Write mean and log-variance of the latents of every frame of a store, standardised by "
        "its training sequences, as a store that a memory is trained on.",
    )
    parser.add_argument(
        "run", type=Path, help="the folder of an autoencoder's run, or a checkpoint"
    )
    parser.add_argument("--out", type=Path, required=True, help="FILE.h5, the store of latents")
    parser.add_argument("--data", type=Path, help="another store than the one it was trained on")
    parser.add_argument("--batch", type=int, default=256, help="frames that are encoded together")
    options = parser.parse_args(words)
    if options.out.suffix != ".h5":
        raise ValueError(f"--out must end in .h5; found {options.out.name!r}")
    run = load_run(options.run, options.data)
    command = shlex.join(["seqmdn", "encode", *words])
    progress = bars()
    bar = progress.add_task("frames", total=None, nll="")
    with ExitStack() as stack:

        def encoded(done: int, total: int) -> None:
            if not progress.live.is_started:
                stack.enter_context(progress)
            progress.update(bar, completed=done, total=total)

        encode_frames(run, options.out, options.batch, command, encoded)
    with Store(options.out) as latents:
        encoder = latents.attributes["encoder"][:12]
        print(
            f"{len(latents)} sequences of {latents.frames} frames: {options.out}, encoder {encoder}"
        )
