"""Nats of each pixel: exact where the head has them, and always those of the image together."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqmdn.data import Scan, UniformDequantise
from seqmdn.runs import Run, load_run, look_surprise
from tests.images import train_images, write_images

MIXTURE = {"class_path": "seqmdn.heads.MixtureHead", "init_args": {"components": 2}}
LOWRANK: dict[str, Any] = {
    "class_path": "seqmdn.heads.MixtureHead",
    "init_args": {"components": 2, "covariance": "lowrank", "rank": 2},
}
TURNS = {"class_path": "seqmdn.heads.AutoregressiveHead", "init_args": {"components": 2}}
FLOW = {"class_path": "seqmdn.heads.FlowMixtureHead", "init_args": {"components": 2}}
LEVELS = {"class_path": "seqmdn.heads.DiscretisedMixtureHead", "init_args": {"hidden": 4}}
OF_LEVELS = {"transform": {"class_path": "seqmdn.data.Levels"}, "noise": None}
CASES: list[tuple[dict[str, Any], Any, int, bool, dict[str, Any]]] = [
    (MIXTURE, "row", 1, True, {}),
    (LOWRANK, None, 3, True, {}),
    (LOWRANK, 2, 1, True, {}),
    (TURNS, "row", 3, True, {}),
    (MIXTURE, "pixel", 1, True, {}),
    (LEVELS, "pixel", 3, True, OF_LEVELS),
    (LEVELS, "row", 1, True, OF_LEVELS),
    (FLOW, "row", 3, False, {}),
    (FLOW, 2, 1, False, {}),
]


def reference(run: Run, channels: int) -> torch.Tensor:
    """Each image's nats from the frames' densities alone, conditioned feature by feature."""
    batch = run.data.sequences("test", run.data.store.indices("test"))
    density, _ = run.model.distributions(batch)
    z, _ = run.model.transform.call_and_ladj(batch.values)
    size = z.shape[-1]
    nats = torch.empty_like(z)
    for d in range(size):
        place = torch.arange(size)
        given = density if d == 0 else density.condition(z, place < d)
        own = given.log_prob(z[..., d:], torch.arange(size - d) < 1)
        nats[..., d] = -own - run.model.transform.call_and_ladj(batch.values, place == d)[1]
    scan = Scan(4, 6, channels, run.data.scan or "row")
    return scan.restore(nats).view(len(nats), 4, 6, channels).sum(-1)


@pytest.mark.parametrize(("head", "scan", "channels", "exact", "options"), CASES)
def test_it_is_that_of_each_pixel_given_those_before(
    tmp_path: Path,
    head: dict[str, Any],
    scan: Any,
    channels: int,
    exact: bool,
    options: dict[str, Any],
) -> None:
    store = write_images(tmp_path / "images.h5", channels)
    run = train_images(tmp_path, store, head, scan=scan, **options)
    found = look_surprise(run, 8)
    assert found.exact is exact and found.nats.shape == (8, 4, 6)
    with torch.no_grad():
        batch = run.data.sequences("test", run.data.store.indices("test"))
        whole = -run.model.log_prob(batch)
        torch.testing.assert_close(found.nats.sum((1, 2)), whole, rtol=1e-4, atol=1e-3)
        assert torch.equal(found.images, run.data.whole(batch).values)
        if exact:
            expected = reference(run, channels)
            torch.testing.assert_close(found.nats, expected, rtol=1e-3, atol=1e-3)
            assert found.nats.std((1, 2)).min() > 0.01
        else:
            frames = -run.model.frame_log_prob(batch)
            shares = frames.unsqueeze(-1).expand_as(batch.values) / batch.values.shape[-1]
            back = Scan(4, 6, channels, scan).restore(shares)
            torch.testing.assert_close(found.nats, back.view(8, 4, 6, channels).sum(-1))


def test_what_shows_no_surprise_is_refused(tmp_path: Path, small_run: Path) -> None:
    with pytest.raises(ValueError, match="whole images without gaps, found walks, of the kind 's"):
        look_surprise(load_run(small_run), 2)
    run = train_images(tmp_path, write_images(tmp_path / "images.h5"))
    with pytest.raises(ValueError, match="1 image or more, found 0"):
        look_surprise(run, 0)
    assert isinstance(run.data.noise, UniformDequantise)
    run.data.mark_end = True
    with pytest.raises(ValueError, match="SequenceModel of pixels and nothing else, found a Seq"):
        look_surprise(run, 2)


def test_images_are_taken_again_where_more_are_asked_for(tmp_path: Path) -> None:
    run = train_images(tmp_path, write_images(tmp_path / "images.h5"))
    found = look_surprise(run, 10, "valid")
    assert torch.equal(found.nats[:4], found.nats[6:]) and len(np.unique(found.nats[:6])) > 100
