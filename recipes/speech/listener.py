"""Hears what people and models say: is a drawn digit heard as the one that was asked for?

A small convolutional network learns from the log-mel spectrograms of a store's training recordings
to tell their labels: columns of the context such as "digit 7", of which one of each kind ("digit",
"speaker") is set. Then it hears the store's test recordings, and what each run draws of the same
labels, at several biases. Accuracy is the share of recordings heard as their label says; its
standard error is that of a share.

    python recipes/speech/listener.py --data data/fsdd_labels.h5 \
        --runs results/speech/fsdd_labels/runs/rmdn-0 --out heard.json
"""

import argparse
import math
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import Tensor, nn

from seqmdn.data import Batch, SequenceDataModule, Store
from seqmdn.data.mel import log_mel
from seqmdn.files import save_json, written_whole
from seqmdn.generation import bias
from seqmdn.provenance import provenance
from seqmdn.reading import read_tensors
from seqmdn.runs import draw, load_run
from seqmdn.runs.labels import label_kinds

DYNAMICS = 60.0  # decibels below the loudest that are heard


class Listener(nn.Module):
    """Logits of each kind's labels: spectrograms (B, M, T) -> {kind: (B, labels)}."""

    def __init__(self, kinds: Mapping[str, list[int]], channels: int = 48) -> None:
        super().__init__()
        sizes = [1, channels, channels, 2 * channels]
        self.parts = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(before, after, 3, padding=1),
                    nn.BatchNorm2d(after),
                    nn.ReLU(),
                    nn.MaxPool2d(2, ceil_mode=True),
                )
                for before, after in zip(sizes, sizes[1:], strict=False)
            )
        )
        self.outputs = nn.ModuleDict(
            {
                kind: nn.Sequential(nn.Dropout(0.4), nn.LazyLinear(len(columns)))
                for kind, columns in kinds.items()
            }
        )

    def forward(self, sound: Tensor) -> dict[str, Tensor]:
        # The mean over time of each band, so that it does not matter when something is said.
        heard = self.parts(sound.unsqueeze(1)).mean(dim=-1).flatten(1)
        return {kind: output(heard) for kind, output in self.outputs.items()}


def kinds_of(store: Store) -> dict[str, list[int]]:
    """The columns of the context of each kind of label."""
    kinds = label_kinds(store.context_names)
    if not kinds:
        raise ValueError(f"{store.path}: expected labels as context, found none")
    return kinds


def labels_of(batch: Batch, kinds: Mapping[str, list[int]]) -> dict[str, Tensor]:  # {kind: (B,)}
    """The label of each sequence, of each kind."""
    return {kind: batch.context[:, 0, columns].argmax(-1) for kind, columns in kinds.items()}


def spectrograms(batch: Batch, store: Store) -> list[Tensor]:  # (M, T) each
    """What is heard of each sequence, from 0 (silence) to 1 (the loudest of it)."""
    rate, full = int(store.attributes["sample_rate"]), float(store.attributes["full_scale"])
    heard = []
    for frames, length in zip(batch.values, batch.lengths.tolist(), strict=True):
        sound = torch.from_numpy(log_mel(frames[:length].flatten().numpy() / full, rate).decibels)
        heard.append((1 + (sound - sound.max()) / DYNAMICS).clamp(min=0).float())
    return heard


def together(heard: list[Tensor]) -> Tensor:  # (B, M, T)
    """Put spectrograms into one tensor, silence behind the shorter ones."""
    longest = max(each.shape[1] for each in heard)
    return torch.stack([nn.functional.pad(each, (0, longest - each.shape[1])) for each in heard])


def disguised(sound: Tensor) -> Tensor:
    """Begin later, lose some bands and moments, and stand before some noise."""
    sound = nn.functional.pad(sound, (int(torch.randint(8, ())), 0))
    low, first = (int(torch.randint(size, ())) for size in sound.shape)
    sound[low : low + int(torch.randint(8, ()))] = 0
    sound[:, first : first + int(torch.randint(6, ()))] = 0
    floor = 0.5 * torch.rand(()) * (0.8 + 0.2 * torch.rand_like(sound))
    return sound.maximum(floor)


def train(data: SequenceDataModule, steps: int, seed: int) -> Listener:
    """Learn to hear the labels of the training recordings."""
    torch.manual_seed(seed)
    kinds = kinds_of(data.store)
    recordings = data.sequences("train", data.store.indices("train"))
    sounds, labels = spectrograms(recordings, data.store), labels_of(recordings, kinds)
    model = Listener(kinds)
    model(together(sounds[:2]))
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, steps)
    for _ in track(range(steps), "learning to hear"):
        chosen = torch.randint(len(sounds), (64,))
        said = model(together([disguised(sounds[place]) for place in chosen.tolist()]))
        optimiser.zero_grad()
        losses = [
            nn.functional.cross_entropy(logits, labels[kind][chosen], label_smoothing=0.1)
            for kind, logits in said.items()
        ]
        torch.stack(losses).sum().backward()
        optimiser.step()
        schedule.step()
    return model.eval()


@torch.no_grad()
def accuracy(model: Listener, batch: Batch, store: Store) -> dict[str, dict[str, float]]:
    """How many sequences are heard as their labels say, and its standard error, of each kind."""
    labels = labels_of(batch, kinds_of(store))
    parts = [model(each.unsqueeze(0)) for each in spectrograms(batch, store)]
    found = {}
    for kind, expected in labels.items():
        heard = torch.cat([part[kind] for part in parts]).argmax(-1)
        share = float((heard == expected).double().mean())
        error = math.sqrt(share * (1 - share) / len(expected))
        found[kind] = {"accuracy": share, "stderr": error, "recordings": len(expected)}
    return found


def markdown(result: dict[str, Any]) -> str:
    """The table for a README."""
    kinds = list(result["test"])
    rows = [["people's test recordings", "", *_cells(result["test"])]]
    rows += [
        [name, strength, *_cells(found)]
        for name, each in result["models"].items()
        for strength, found in each.items()
    ]
    head = ["said by", "bias", *(f"{kind} heard, %" for kind in kinds)]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(found: dict[str, dict[str, float]]) -> list[str]:
    shares = found.values()
    return [f"{100 * each['accuracy']:.1f} ± {100 * each['stderr']:.1f}" for each in shares]


def main(words: list[str]) -> None:
    """Train or load the listener, and hear."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="store with labels as context")
    parser.add_argument("--runs", type=Path, nargs="+", default=[], help="runs that speak")
    parser.add_argument("--bias", type=float, nargs="+", default=[0.0, 0.5, 1.0])
    parser.add_argument("--num", type=int, default=300, help="recordings of each run and bias")
    parser.add_argument("--steps", type=int, default=1000, help="steps of 64 recordings")
    parser.add_argument("--weights", type=Path, help="of the listener; made where missing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="FILE.json")
    options = parser.parse_args(words)
    data = SequenceDataModule(options.data, seed=options.seed)
    data.setup()
    if options.weights is not None and options.weights.exists():
        model = Listener(kinds_of(data.store)).eval()
        model.load_state_dict(read_tensors(options.weights))
    else:
        model = train(data, options.steps, options.seed)
        if options.weights is not None:
            with written_whole(options.weights) as partial:
                torch.save(model.state_dict(), partial)
    result: dict[str, Any] = {"dataset": data.describe("test"), "models": {}}
    for split in ("valid", "test"):
        real = data.sequences(split, data.store.indices(split))
        result[split] = accuracy(model, real, data.store)
    for run in map(load_run, options.runs):
        name = run.checkpoint.parents[1].name.rpartition("-")[0] or run.checkpoint.parents[1].name
        result["models"][name] = {}
        for strength in track(options.bias, name):
            drawn, _ = draw(run, options.num, labels=[], seed=options.seed, **bias(strength))
            result["models"][name][f"{strength:g}"] = accuracy(model, drawn, data.store)
    command = shlex.join(["python", "recipes/speech/listener.py", *words])
    result |= provenance(torch.device("cpu"), command)
    save_json(options.out, result)
    print(markdown(result))


if __name__ == "__main__":
    main(sys.argv[1:])
