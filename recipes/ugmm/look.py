"""Look at a trained classifier of layers of mixtures: `python recipes/ugmm/look.py RUN --out DIR`.

Writes `neurons.png`, components of neurons of the first layer of mixtures; `responses.png`, each
input's share of a neuron, where that layer sees the pixels themselves; and `uncertainty.png`, the
test images of which the classes are least certain.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from seqmdn.backbones import UGMMLinear
from seqmdn.data import Batch
from seqmdn.distributions import Classes
from seqmdn.models import MDN
from seqmdn.plotting import save_neurons, save_responses, save_uncertainty
from seqmdn.runs import load_run

NEURONS, RESPONSES, IMAGES = 8, 32, 16


def seen_by(model: MDN, layer: UGMMLinear, batch: Batch) -> torch.Tensor:
    """Return what a layer sees of rows, (N, in)."""
    seen: list[torch.Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model.distributions(batch)
    hook.remove()
    return seen[0].flatten(0, -2)


@torch.no_grad()
def look(run: Path, out: Path, data: Path | None = None) -> list[Path]:
    """Write the pictures of a run, and return their names.

    Raises:
        ValueError: If the run is no classifier with a layer of mixtures.
    """
    loaded = load_run(run, data)
    model, store = loaded.model, loaded.data.store
    layers = [part for part in model.modules() if isinstance(part, UGMMLinear)]
    batches = list(loaded.data.batches("test"))
    if not layers or not isinstance(model, MDN):
        raise ValueError(f"{run}: expected a classifier with a layer of mixtures, found none")
    layer, first = layers[0], batches[0]
    seen = seen_by(model, layer, first)
    size = (int(store.attributes.get("height", 0)), int(store.attributes.get("width", 0)))
    of_pixels = layer.in_features == size[0] * size[1]
    pixels = [f"pixel {k // size[1]}, {k % size[1]}" for k in range(layer.in_features)]
    names = pixels if of_pixels else [f"mix {k}" for k in range(layer.in_features)]
    chosen = range(min(NEURONS, layer.out_features))
    written = [out / "neurons.png"]
    save_neurons(
        written[0],
        layer.logits.softmax(-1)[: len(chosen)],
        layer.means()[: len(chosen)],
        layer.scales()[: len(chosen)],
        [f"neuron {j}" for j in chosen],
        names,
        seen[0],
    )
    if of_pixels:
        written.append(out / "responses.png")
        save_responses(written[-1], layer.responses(seen)[:RESPONSES], *size)
    if size[0] * size[1]:
        said = [model.distributions(batch)[0] for batch in batches]
        if not all(isinstance(each, Classes) for each in said):
            raise ValueError(f"{run}: expected a classifier, found other densities")
        entropy = torch.cat([each.entropy().flatten() for each in said])
        probabilities = torch.cat([each.class_log_prob.exp().flatten(0, -2) for each in said])
        images = torch.cat([batch.context.flatten(0, 1) for batch in batches])
        labels = torch.cat([batch.values.flatten() for batch in batches])
        least = entropy.argsort(descending=True)[:IMAGES]
        written.append(out / "uncertainty.png")
        save_uncertainty(
            written[-1],
            images[least].unflatten(-1, size),
            probabilities[least],
            labels[least],
        )
    return written


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("--out", type=Path, required=True, help="where the pictures go")
    parser.add_argument("--data", type=Path, help="where the store is, if not where the run has it")
    options = parser.parse_args(arguments)
    for path in look(options.run, options.out, options.data):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
