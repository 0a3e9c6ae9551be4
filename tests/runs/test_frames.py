"""Frames that are drawn and reconstructed, beside real ones."""

from pathlib import Path

import pytest
import torch

from seqmdn.data import Store
from seqmdn.runs import Run, draw_frames, load_run, reconstruct_frames, require_vae


@pytest.fixture(scope="module")
def run(vae_run: Path) -> Run:
    return load_run(vae_run)


def test_real_frames_are_those_of_the_split_and_always_the_same(run: Run) -> None:
    with Store(run.data.path) as store:
        whole = torch.cat([torch.from_numpy(store.read(i)[0]) for i in store.indices("test")])
    total = len(whole)
    assert torch.equal(reconstruct_frames(run, total)[1], whole)
    some = draw_frames(run, 4)[1]
    places = [(whole == frame).all(1).nonzero().item() for frame in some]
    assert places == sorted(set(places))
    assert torch.equal(some, reconstruct_frames(run, 4)[1])
    assert len(draw_frames(run, 3 * total)[1]) == 3 * total
    assert not torch.equal(draw_frames(run, 1, "valid")[1], whole[:1])


def test_reconstructions_are_those_of_the_model(run: Run) -> None:
    made, real = reconstruct_frames(run, 4)
    with torch.no_grad():
        torch.testing.assert_close(made, require_vae(run).reconstruct(real))
    assert made.dtype == torch.float32 and made.shape == (4, 12288)


def test_draws_follow_the_seed_and_touch_no_other(run: Run) -> None:
    before = torch.get_rng_state()
    first, again, other = (draw_frames(run, 3, seed=seed)[0] for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.min() >= 0 and first.max() <= 255 and not torch.equal(first[0], first[1])


def test_what_has_no_frames_is_refused(run: Run, small_run: Path) -> None:
    for make in (draw_frames, reconstruct_frames):
        with pytest.raises(ValueError, match="run of a FrameVAE, found one of a SequenceModel"):
            make(load_run(small_run), 3)
        with pytest.raises(ValueError, match="expected 1 frame or more, found 0"):
            make(run, 0)
        with pytest.raises(ValueError, match="expected a split of"):
            make(run, 1, "tests")
