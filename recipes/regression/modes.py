"""Print the modes of a regression's density at some inputs: `python modes.py RUN --inputs 0.5`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from seqmdn.distributions import Mixture
from seqmdn.models import conditional
from seqmdn.runs import distinct_modes, load_run


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run's folder, or a checkpoint file")
    parser.add_argument("--inputs", type=float, nargs="+", required=True, help="one row")
    parser.add_argument("--out", type=Path, help="write what is printed as JSON, too")
    options = parser.parse_args(arguments)
    model = load_run(options.run).model
    with torch.no_grad():
        density = conditional(model, torch.tensor([options.inputs]))
        if not isinstance(density, Mixture):
            raise SystemExit("modes.py: expected a mixture of Gaussians, found another density")
        (modes,) = distinct_modes(density)
        found = {
            "inputs": options.inputs,
            "modes": modes.tolist(),
            "density": density.log_prob(modes.unsqueeze(1)).exp()[:, 0].tolist(),
            "mean": density.mean[0].tolist(),
        }
    for mode, height in zip(found["modes"], found["density"], strict=True):
        print(", ".join(f"{value:.4f}" for value in mode), f"(density {height:.4g})")
    print("mean:", ", ".join(f"{value:.4f}" for value in found["mean"]))
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
