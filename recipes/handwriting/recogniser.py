"""Reads words written by people and by models: how legible is what a model writes?

A bidirectional LSTM with a CTC output learns to read the training words of a store with
transcriptions. Then it reads the store's test words, and words that each run writes of the same
texts, at several biases. The character error rate is the number of characters to replace, insert
or leave out, as a share of those that should be there; its standard error is over words.

    python recipes/handwriting/recogniser.py --data data/omniglot_words.h5 \
        --runs results/handwriting/omniglot_words/runs/rmdn-0 --out legibility.json

Connectionist Temporal Classification (Graves, Fernandez, Gomez, Schmidhuber, 2006).
"""

import argparse
import math
import shlex
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import Tensor, nn
from torchmetrics.functional.text import char_error_rate

from seqmdn.data import Batch, SequenceDataModule, Standardise, decode
from seqmdn.files import save_json, written_whole
from seqmdn.generation import bias
from seqmdn.provenance import provenance
from seqmdn.reading import read_tensors
from seqmdn.runs import draw, load_run


class Recogniser(nn.Module):
    """Log-probabilities of every second frame's character or none: (B, T, 3) -> (B, T/2, 1 + A)."""

    def __init__(self, alphabet: str, hidden: int = 96) -> None:
        super().__init__()
        self.alphabet = alphabet
        self.standardise = Standardise(2)
        self.pairs = nn.Conv1d(3, hidden, kernel_size=5, stride=2, padding=2)
        self.lstm = nn.LSTM(hidden, hidden, 2, batch_first=True, dropout=0.3, bidirectional=True)
        self.output = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * hidden, 1 + len(alphabet)))

    def forward(self, batch: Batch) -> Tensor:
        offsets = self.standardise(batch.values[..., :2].round())  # people's are whole pixels
        frames = torch.cat((offsets, batch.values[..., 2:3]), dim=-1)
        frames = frames.where(batch.present().unsqueeze(-1), 0)
        pairs = nn.functional.gelu(self.pairs(frames.transpose(1, 2))).transpose(1, 2)
        # Packed, so that the way back begins at a word's own end.
        packed = nn.utils.rnn.pack_padded_sequence(
            pairs, self.lengths(batch), batch_first=True, enforce_sorted=False
        )
        h, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.output(h).log_softmax(-1)

    @staticmethod
    def lengths(batch: Batch) -> Tensor:  # (B,)
        """How many labels a word has room for."""
        return (batch.lengths + 1) // 2

    def loss(self, batch: Batch) -> Tensor:
        """CTC loss, a mean over words, in nats a character."""
        texts = decode(batch.text)
        targets = torch.tensor([1 + self.alphabet.index(sign) for sign in "".join(texts)])
        lengths = torch.tensor([len(text) for text in texts])
        scores = self(batch).transpose(0, 1)
        room = self.lengths(batch)
        return nn.functional.ctc_loss(scores, targets, room, lengths, zero_infinity=True)

    @torch.no_grad()
    def read(self, batch: Batch) -> list[str]:
        """The likeliest label of each frame, repeated ones once, without those of none."""
        read = []
        room = self.lengths(batch).tolist()
        for labels, length in zip(self(batch).argmax(-1), room, strict=True):
            once = labels[:length].unique_consecutive().tolist()
            read.append("".join(self.alphabet[label - 1] for label in once if label))
        return read


def alphabet_of(data: SequenceDataModule) -> str:
    """The characters of the training texts."""
    indices = data.store.indices("train").tolist()
    return "".join(sorted({sign for index in indices for sign in data.store.text(index)}))


def train(data: SequenceDataModule, steps: int, seed: int) -> Recogniser:
    """Learn to read the training words."""
    torch.manual_seed(seed)
    model = Recogniser(alphabet_of(data))
    model.standardise.fit(data.sample_frames()[:, :2])
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, steps)
    loader = data.train_dataloader()
    batches = islice((batch for _ in range(steps) for batch in loader), steps)
    for batch in track(batches, "learning to read", steps):
        optimiser.zero_grad()
        model.loss(batch).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return model.eval()


def error_rate(read: list[str], texts: list[str]) -> dict[str, float]:
    """Character error rate and its standard error over words."""
    lengths = torch.tensor([len(text) for text in texts], dtype=torch.float64)
    pairs = zip(read, texts, strict=True)
    errors = torch.stack([char_error_rate([r], [t]) for r, t in pairs]).double() * lengths
    rate = float(errors.sum() / lengths.sum())
    spread = float((errors - rate * lengths).std()) / float(lengths.mean())
    return {"cer": rate, "stderr": spread / math.sqrt(len(texts)), "words": len(texts)}


def markdown(result: dict[str, Any]) -> str:
    """The table for a README."""
    rows = [f"| people's test words | | {_cell(result['test'])} |"]
    rows += [
        f"| {name} | {strength} | {_cell(found)} |"
        for name, each in result["models"].items()
        for strength, found in each.items()
    ]
    return "\n".join(
        ["| written by | bias | characters misread, % |", "| --- | ---: | ---: |", *rows]
    )


def _cell(found: dict[str, float]) -> str:
    return f"{100 * found['cer']:.1f} ± {100 * found['stderr']:.1f}"


def main(words: list[str]) -> None:
    """Train or load the recogniser, and read."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="store with transcriptions")
    parser.add_argument("--runs", type=Path, nargs="+", default=[], help="runs that write")
    parser.add_argument("--bias", type=float, nargs="+", default=[0.0, 0.5, 1.0, 2.0])
    parser.add_argument("--num", type=int, default=400, help="words of each run and bias")
    parser.add_argument("--steps", type=int, default=1500, help="steps of 64 words")
    parser.add_argument("--weights", type=Path, help="of the recogniser; made where missing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="FILE.json")
    options = parser.parse_args(words)
    data = SequenceDataModule(options.data, batch_size=64, text=True, seed=options.seed)
    data.setup()
    if options.weights is not None and options.weights.exists():
        model = Recogniser(alphabet_of(data)).eval()
        model.load_state_dict(read_tensors(options.weights))
    else:
        model = train(data, options.steps, options.seed)
        if options.weights is not None:
            with written_whole(options.weights) as partial:
                torch.save(model.state_dict(), partial)
    result: dict[str, Any] = {"dataset": data.describe("test"), "models": {}}
    for split in ("train", "valid", "test"):
        chosen = data.store.indices(split)[:800]
        real = data.sequences(split, chosen)
        result[split] = error_rate(model.read(real), decode(real.text))
    for run in map(load_run, options.runs):
        name = run.checkpoint.parents[1].name.rpartition("-")[0] or run.checkpoint.parents[1].name
        result["models"][name] = {}
        for strength in track(options.bias, name):
            drawn, _ = draw(run, options.num, seed=options.seed, **bias(strength))
            found = error_rate(model.read(drawn), decode(drawn.text))
            result["models"][name][f"{strength:g}"] = found
    command = shlex.join(["python", "recipes/handwriting/recogniser.py", *words])
    result |= provenance(torch.device("cpu"), command)
    save_json(options.out, result)
    print(markdown(result))


if __name__ == "__main__":
    main(sys.argv[1:])
