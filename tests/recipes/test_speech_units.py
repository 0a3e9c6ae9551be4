"""What a number of nats means in the recipes of speech: that of a source whose nats are known."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from data_prep.wav_folder import prepare
from seqmdn.cli import main
from tests.data_prep.sounds import write

SIGMA = 500.0  # steps of 16 bits
FRAMES, SIZE = 5, 200


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_a_gaussian_source_has_its_analytic_nats(tmp_path: Path, rate: int) -> None:
    rng = np.random.default_rng(0)
    length = FRAMES * SIZE + 57  # what is behind the last whole frame is not scored
    recordings = {
        f"{split}/{place}.wav": np.rint(SIGMA * rng.standard_normal(length)).astype(np.int16)
        for split, count in (("train", 40), ("valid", 2), ("test", 30))
        for place in range(count)
    }
    for name, samples in recordings.items():
        write(tmp_path / "mine" / name, samples, rate)
    prepare(tmp_path / "mine", tmp_path / "mine.h5")
    run = tmp_path / "run"
    recipe = "recipes/speech/kathleen"
    # Untrained: one Gaussian with the training samples' mean and deviation, which is the source.
    words = ["-c", f"{recipe}/base.yaml", "-c", f"{recipe}/rnn_gauss.yaml", "--out", str(run)]
    words += ["--data.path", str(tmp_path / "mine.h5"), "--data.prepare", "null"]
    words += ["--model.backbone.hidden", "2", "--training.optimizer.init_args.lr", "0"]
    main(["fit", *words, "--trainer.max_steps", "1", "--trainer.val_check_interval", "1"])
    found = json.loads((run / "metrics.json").read_text())
    assert (found["unit"], found["frame_unit"]) == (
        "nats/recording",
        "nats/frame of 200 samples",
    )
    # Spread over a step, a sample has its variance and that of the step.
    nats = stats.norm.entropy(scale=math.sqrt(SIGMA**2 + 1 / 12))
    error = 4 * math.sqrt(0.5 / (30 * FRAMES * SIZE))  # of the mean over the test's samples
    samples = FRAMES * SIZE
    assert found["nll"] / samples == pytest.approx(nats, abs=error)
    assert found["nll_per_frame"] == pytest.approx(found["nll"] / FRAMES)
    assert found["bits_per_dim"] == pytest.approx(nats / math.log(2), abs=error / math.log(2))
    # In units of the source's deviation, whatever that is.
    standard = stats.norm.entropy()
    assert found["normalised"]["nll"] / samples == pytest.approx(standard, abs=2 * error)
