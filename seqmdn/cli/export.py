"""``seqmdn export``: a trained model as a file for use elsewhere."""

import argparse
from pathlib import Path

from seqmdn.checkpoints import read_checkpoint
from seqmdn.cli.words import command_parser
from seqmdn.exporting import OUTPUTS, export_onnx
from seqmdn.provenance import git_revision, revision_of
from seqmdn.runs import load_run
from seqmdn.runs.run import checkpoint_of
from seqmdn.weight_files import read_weights, save_weights

__all__ = ["export_command"]


def export_command(words: list[str]) -> None:
    """Write a run's model as ONNX or as safetensors."""
    parser = command_parser(
        "export",
        "Write a trained model for use elsewhere: one step of it as an ONNX graph, which runs "
        "without PyTorch, or its weights with the description of the model as safetensors, which "
        "every command reads in the place of a checkpoint.",
    )
    parser.add_argument("run", type=Path, help="a run's folder, or a checkpoint file")
    parser.add_argument("--to", choices=["onnx", "safetensors"], required=True, help="the format")
    parser.add_argument("--out", type=Path, help="the file; RUN/model.onnx or so by default")
    parser.add_argument("--data", type=Path, help="another store than the one it was trained on")
    parser.add_argument(
        "--outputs",
        nargs="+",
        choices=OUTPUTS,
        help="what a step of ONNX gives beside the state: the parameters of the density, a draw "
        "(both by default), or the log-density of a frame",
    )
    options = parser.parse_args(words)
    ending = f".{options.to}"
    out = options.out
    if out is None:
        folder = options.run if options.run.is_dir() else options.run.parent
        out = folder / f"model{ending}"
    if out.suffix != ending:
        raise ValueError(f"--out must end in {ending}, as the format does; found {out.name!r}")
    if options.to == "onnx":
        _onnx(options, out)
    else:
        _safetensors(options, out)


def _onnx(options: argparse.Namespace, out: Path) -> None:
    revisions = {"exported_by": git_revision(), "trained_by": revision_of(options.run)}
    run = load_run(options.run, options.data)
    notes = {name: revision for name, revision in revisions.items() if revision is not None}
    agreement = export_onnx(run, out, options.outputs, notes)
    print(f"one step as an ONNX graph, {out.stat().st_size / 1e6:.2f} MB: {out}")
    if agreement is None:
        print("not compared with PyTorch: pip install onnxruntime")
        return
    unit = run.data.store.unit or "the data's unit"
    units = {"draw": unit, "log_prob": "nats", "ended": "(0 or 1)"}
    print(
        f"largest differences from PyTorch over {agreement.steps} steps of "
        f"{agreement.sequences} real sequences, parameters and state in the model's own units:"
    )
    for name, largest in agreement.largest.items():
        print(f"  {name:14} {largest:.1e} {units.get(name, '')}".rstrip())


def _safetensors(options: argparse.Namespace, out: Path) -> None:
    for name in ("outputs", "data"):
        if getattr(options, name) is not None:
            raise ValueError(f"expected no --{name} with --to safetensors, found it: leave it out")
    content = read_checkpoint(checkpoint_of(options.run))
    save_weights(out, content)
    count = len(read_weights(out)["state_dict"])
    print(
        f"{count} tensors and the description of their model, {out.stat().st_size / 1e6:.2f} MB: "
        f"{out}\nread by every command in the place of a checkpoint: seqmdn evaluate {out}"
    )
