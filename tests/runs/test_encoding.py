"""A store of frames becomes the store of their latents."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.data import GaussianLatents, SequenceDataModule, Store, StoreWriter, file_sha256
from seqmdn.models import encoder_sha256
from seqmdn.runs import Run, encode_frames, load_run, require_vae
from tests.frames import ACTIONS, write_frames


@pytest.fixture
def run(vae_run: Path) -> Run:
    return load_run(vae_run)


def encoded(run: Run, out: Path, **options: int) -> Store:
    encode_frames(run, out, command="seqmdn encode", **options)
    assert [path.name for path in out.parent.iterdir() if path.suffix != ".h5"] == []
    return Store(out)


def test_latents_are_those_of_the_encoder_standardised_by_training(
    run: Run, tmp_path: Path
) -> None:
    model = require_vae(run)
    found, frames = encoded(run, tmp_path / "a.h5"), run.data.store
    with torch.no_grad():
        own = [model.encode(torch.from_numpy(frames.read(i)[0])) for i in range(len(frames))]
    seen = torch.cat([own[i][0] for i in frames.indices("train")]).double()
    mean, std = seen.mean(0), seen.std(0, correction=0)
    np.testing.assert_allclose(found.attributes["latent_mean"], mean, atol=1e-5)
    np.testing.assert_allclose(found.attributes["latent_std"], std, rtol=1e-4)
    for index, (mu, logvar) in enumerate(own):
        values, context = found.read(index)
        rows, known = values[:, :6], frames.read(index)[1]
        expected = torch.cat(((mu - mean) / std, logvar - 2 * std.log()), dim=1)
        np.testing.assert_allclose(rows, expected, atol=2e-4)
        assert known is not None and context is not None
        np.testing.assert_array_equal(values[:, 6:], known[:, 3:])
        np.testing.assert_array_equal(context, known[:, :3])
    assert found.lengths.tolist() == frames.lengths.tolist()
    assert found.splits.tolist() == frames.splits.tolist()


def test_a_draw_can_be_decoded_with_what_the_store_says(run: Run, tmp_path: Path) -> None:
    model = require_vae(run)
    found, frames = encoded(run, tmp_path / "a.h5"), run.data.store
    rows = found.read(0)[0][:, :6].copy()
    rows[:, 3:] = -60  # next to no noise
    z = GaussianLatents().draw(rows, np.random.default_rng(0))
    z = z * found.attributes["latent_std"] + found.attributes["latent_mean"]
    with torch.no_grad():
        decoded = model.decode(torch.from_numpy(z).float())
        expected = model.reconstruct(torch.from_numpy(frames.read(0)[0]))
    torch.testing.assert_close(decoded, expected, atol=0.05, rtol=0)


def test_the_store_says_where_it_comes_from(run: Run, vae_run: Path, tmp_path: Path) -> None:
    found = encoded(run, tmp_path / "a.h5")
    latents = [f"{name} {i}" for name in ("mu", "logvar") for i in range(3)]
    assert found.names == [*latents, "reward", "end"] and found.context_names == ACTIONS
    said = found.attributes
    assert said["encoder"] == encoder_sha256(require_vae(run))
    assert (said["kind"], said["sequence"], said["world"]) == ("series", "episode", "flat")
    assert (said["step"], said["licence"]) == ("environment step", "none")
    assert said["command"] == "seqmdn encode" and not {"height", "channels"} & set(said)
    assert said["source"] == [
        {"file": "run/checkpoints/best.ckpt", "sha256": file_sha256(run.checkpoint)},
        {"file": "frames.h5", "sha256": file_sha256(vae_run.parent / "frames.h5")},
    ]


def test_any_number_of_frames_at_a_time_gives_the_same(run: Run, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    whole = encoded(run, tmp_path / "a.h5", batch_size=100)
    encode_frames(
        run, tmp_path / "b.h5", batch_size=2, encoded=lambda done, of: told.append((done, of))
    )
    with Store(tmp_path / "b.h5") as parts:
        for index in range(len(parts)):
            np.testing.assert_allclose(parts.read(index)[0], whole.read(index)[0], atol=2e-4)
    total = whole.frames
    assert told[-1] == (total, total) and told[0] == (2, total)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_frames_without_answers_give_latents_without(vae_run: Path, tmp_path: Path) -> None:
    store = write_frames(tmp_path / "frames.h5", answers=())
    found = encoded(load_run(vae_run, store), tmp_path / "a.h5")
    assert found.names[-1] == "logvar 2" and found.context_names == ACTIONS
    data = SequenceDataModule(found.path, noise=GaussianLatents())
    data.setup()
    assert (data.features, data.context) == (3, 3) and data.limit("test") is not None


def test_a_failure_leaves_nothing(run: Run, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_frames(run, tmp_path / "a.h5", encoded=stop)
    assert not list(tmp_path.iterdir())


def test_a_latent_that_does_not_vary_is_refused(run: Run, tmp_path: Path) -> None:
    with torch.no_grad():
        output = require_vae(run).encoder.output
        output.weight[1], output.bias[1] = 0, 0.5
    with pytest.raises(ValueError, match="every latent to vary .* found latent 1 constant: train"):
        encode_frames(run, tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())


def test_what_holds_no_frames_is_refused(vae_run: Path, small_run: Path, tmp_path: Path) -> None:
    def refused(message: str, run: Run, **options: int) -> None:
        before = sorted(tmp_path.iterdir())
        with pytest.raises(ValueError, match=message):
            encode_frames(run, tmp_path / "a.h5", **options)
        assert sorted(tmp_path.iterdir()) == before

    run = load_run(vae_run)
    refused("expected the run of a FrameVAE, found one of a SequenceModel", load_run(small_run))
    refused("a batch of 1 frame or more, found 0", run, batch_size=0)
    for name, message, options in [
        ("half", "reward and end in the context, or neither, found reward alone", ("reward",)),
        ("none", "split 'train' to standardise latents by, found none", {"test": 1}),
    ]:
        key = "answers" if isinstance(options, tuple) else "episodes"
        store = write_frames(tmp_path / f"{name}.h5", **{key: options})  # type: ignore[arg-type]
        refused(message, load_run(vae_run, store))
    with StoreWriter(
        tmp_path / "plain.h5", run.data.store.names, name="plain", unit="pixel level"
    ) as writer:
        writer.append(np.zeros((2, 12288)), "train")
        writer.append(np.zeros((2, 12288)), "test")
    refused(
        "store of frames with the attributes .*'height': 64.* found .*None",
        load_run(vae_run, tmp_path / "plain.h5"),
    )
    with pytest.raises(ValueError, match="another file than that of the frames"):
        encode_frames(run, run.data.path)
