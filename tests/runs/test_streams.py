"""Streams of a run: the frames that its draws have, with contexts, primes and clips."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from seqmdn.runs import Run, Stream, draw, stream_draws
from tests.small import train, write_recipe, write_store

CENTRED = {"class_path": "seqmdn.data.UniformDequantise", "init_args": {"centred": True}}
CLIP = torch.tensor([[1.0, -2.0, 3.0], [4.0, 0.0, -1.0]])


def trained(folder: Path, model: str = "rmdn", context: bool = False, **data: object) -> Run:
    store = write_store(folder / "walks.h5", features=3, context=context)
    recipe = write_recipe(folder / "recipe", store, noise=CENTRED, **data)
    return train(recipe, folder / "run", "--trainer.max_steps=2", model=model)


@pytest.fixture(scope="module", params=["rmdn", "frmdn"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("run"), request.param)


def collected(stream: Stream) -> tuple[Tensor, Tensor]:
    """Values (B, T, D), 0 behind the ends, and lengths (B,)."""
    frames, present = zip(*stream.frames, strict=True)
    mask = torch.stack(present, dim=1)
    return torch.stack(frames, dim=1).where(mask.unsqueeze(-1), 0), mask.sum(1)


@pytest.mark.parametrize("options", [{}, {"prime": 2}, {"prime": 0.5}, {"clip": CLIP}])
@pytest.mark.parametrize("length", [None, 6])
def test_a_stream_is_the_draw(run: Run, options: dict, length: int | None) -> None:
    options = options | {"length": length, "seed": 3, "scale": 0.7, "split": "valid"}
    drawn, _ = draw(run, 4, **options)
    stream = stream_draws(run, 4, **options)
    values, lengths = collected(stream)
    assert torch.equal(values, drawn.values) and torch.equal(lengths, drawn.lengths)
    assert stream.length == drawn.values.shape[1]
    start = torch.zeros(4, dtype=torch.int64) if drawn.start is None else drawn.start
    assert torch.equal(stream.start, start)


@pytest.mark.parametrize("given", [[], ["x1"]])
@pytest.mark.parametrize("prime", [0, 2])
def test_a_stream_goes_no_further_than_its_context(
    tmp_path: Path, given: list[str], prime: int
) -> None:
    run = trained(tmp_path, context=True, given=given)
    drawn, real = draw(run, 6, prime=prime)
    values, lengths = collected(stream_draws(run, 6, prime=prime))
    assert torch.equal(lengths, real.lengths) and len(set(lengths.tolist())) > 1
    # Behind its end a draw holds the given columns of the padding.
    assert torch.equal(values, drawn.values.where(drawn.present().unsqueeze(-1), 0))


def test_a_stream_ends_where_all_contexts_end(tmp_path: Path) -> None:
    run = trained(tmp_path, context=True)
    _, real = draw(run, 2)
    ends = real.lengths.tolist()
    values, lengths = collected(stream_draws(run, 2, length=max(ends)))
    assert values.shape[1] == max(ends) and lengths.tolist() == ends
    with pytest.raises(ValueError, match=f"needs as many frames of context, found {max(ends)}"):
        stream_draws(run, 2, length=max(ends) + 1)


def test_draws_go_on_from_a_clip(run: Run) -> None:
    drawn, real = draw(run, 3, length=5, clip=CLIP)
    assert drawn.values.shape == (3, 7, 3) and drawn.lengths.tolist() == [7] * 3
    assert drawn.start is not None and drawn.start.tolist() == [2] * 3
    given = drawn.values[:, :2]
    assert torch.equal(given.round(), CLIP.expand(3, 2, 3)), "noise as in training, no more"
    assert not torch.equal(given, CLIP.expand(3, 2, 3))
    other = draw(run, 3, length=5, clip=-20 * CLIP)[0].values
    assert (other[:, 2] != drawn.values[:, 2]).any(1).all(), "it decides what follows"
    assert torch.equal(real.values, draw(run, 3)[1].values)
    longest = int(real.lengths.max())
    assert draw(run, 3, clip=CLIP)[0].values.shape[1] == longest + 2
    with pytest.raises(ValueError, match="length must be at least 1, found 0"):
        draw(run, 3, length=0, clip=CLIP)
    with pytest.raises(ValueError, match="expected a style or a prime, found both"):
        draw(run, 3, prime=2, clip=CLIP)


def test_a_clip_has_its_place_in_the_context(tmp_path: Path) -> None:
    run = trained(tmp_path, context=True)
    drawn, real = draw(run, 6, clip=CLIP)
    assert torch.equal(drawn.lengths, real.lengths)
    assert torch.equal(drawn.values[:, :2].round(), CLIP.expand(6, 2, 3))


def test_a_clip_has_no_given_columns(tmp_path: Path) -> None:
    run = trained(tmp_path, given=["x1"])
    with pytest.raises(ValueError, match="found one with given columns, which a clip has none of"):
        draw(run, 3, clip=CLIP)
