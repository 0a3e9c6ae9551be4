"""Which batches a model gets to see, under any number of workers, ranks and restarts."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser

from seqmdn.data import (
    SPLITS,
    GaussianLatents,
    SequenceDataModule,
    Store,
    StoreWriter,
    UniformDequantise,
)
from tests.data.numbers import TEST, equal, make, seen, write


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("store"))


# One pass.


def test_setup_describes_the_data(path: Path) -> None:
    module = make(path)
    assert (module.features, module.context, module.name) == (2, 1, "numbers")
    assert module.unit == "nats/frame" and make(path, per="sequence").unit == "nats/walk"
    assert len(module.store) == 15
    assert make(path, noise=GaussianLatents()).features == 1
    assert module.describe("test") == {
        "name": "numbers",
        "sha256": Store(path).sha256,
        "sequences": len(TEST),
        "frames": sum(TEST),
    }


def test_whole_sequences_are_the_stored_ones(path: Path) -> None:
    module = make(path)
    batches = list(module.train_dataloader())
    assert len(batches) == len(module.train_dataloader()) == 2
    for batch in batches:
        assert batch.start is None and batch.context is not None
        for row, (sequence, begin, _, stop) in enumerate(seen(batch)):
            values, context = module.store.read(sequence)
            assert (begin, stop) == (0, len(values))
            np.testing.assert_array_equal(batch.values[row, :stop], values)
            np.testing.assert_array_equal(batch.context[row, :stop], context)


# Same seed, same batches.

WAYS = {
    "whole": {},
    "windows": {"window": 5, "burn_in": 2},
    "noise": {"window": 5, "noise": UniformDequantise()},
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> dict:
    return WAYS[request.param]


def test_batches_follow_from_the_seed(path: Path, way: dict) -> None:
    first, again, other = (list(make(path, seed=s, **way).train_dataloader()) for s in (3, 3, 4))
    assert all(map(equal, first, again))
    assert not all(map(equal, first, other))


def test_nothing_else_draws_on_the_batches(path: Path, way: dict) -> None:
    first = list(make(path, **way).train_dataloader())
    torch.manual_seed(5)
    np.random.seed(5)
    module = make(path, **way)
    list(module.val_dataloader())
    module.sample_frames()
    assert all(map(equal, first, module.train_dataloader()))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(path: Path, way: dict, workers: int) -> None:
    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        alone, shared = (getattr(make(path, workers=n, **way), name)() for n in (0, workers))
        for _ in range(2):
            first, second = list(alone), list(shared)
            assert len(first) == len(second) > 0
            assert all(map(equal, first, second))


def test_spawned_workers_change_nothing(path: Path) -> None:
    alone, shared = (make(path, workers=n, **WAYS["noise"]).train_dataloader() for n in (0, 1))
    shared._loader.multiprocessing_context = "spawn"
    assert all(map(equal, list(alone), list(shared)))


def test_noise_differs_from_pass_to_pass_and_item_to_item(path: Path) -> None:
    loader = make(path, noise=UniformDequantise(), batch_size=7).train_dataloader()
    draws = [batch.values[:, 0].frac().flatten() for _ in range(3) for batch in loader]
    assert len(torch.cat(draws).unique()) > 35  # of 42 draws of 2 ** 15 cells


# Scoring.


def test_scoring_takes_each_sequence_once_in_store_order(path: Path) -> None:
    module = make(path, eval_batch_size=2, window=3)
    loaders = {"valid": module.val_dataloader(), "test": module.test_dataloader()}
    for split, loader in loaders.items():
        batches = list(loader)
        assert len(batches) == len(loader) and all(batch.start is None for batch in batches)
        rows = [row for batch in batches for row in seen(batch)]
        indices = module.store.indices(split).tolist()
        assert rows == [(i, 0, 0, int(module.store.lengths[i])) for i in indices]


@pytest.mark.parametrize("split", SPLITS)
def test_scores_depend_on_neither_seed_nor_batch_size(path: Path, split: str) -> None:
    noise = UniformDequantise()
    first = make(path, noise=noise, seed=0, eval_batch_size=1)
    second = make(path, noise=noise, seed=9, eval_batch_size=100, window=2, per="sequence")
    (together,) = second.batches(split)
    for row, alone in enumerate(first.batches(split)):
        length = int(together.lengths[row])
        assert torch.equal(alone.values[0], together.values[row, :length])
    again = second.sequences(split, second.store.indices(split)[[1, 0]].tolist())
    length = int(again.lengths[0])
    assert torch.equal(again.values[0, :length], together.values[1, :length])
    assert again.start is None


def test_splits_have_noise_of_their_own(path: Path, tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["x"], "a", "m") as writer:
        for split in (*SPLITS, "test"):
            writer.append(np.zeros((50, 1)), split)
    module = make(tmp_path / "a.h5", noise=UniformDequantise())
    draws = [values for split in SPLITS for batch in module.batches(split) for values in batch[0]]
    assert len(torch.stack(draws).unique(dim=0)) == 4


def test_batches_and_loaders_score_the_same(path: Path) -> None:
    module = make(path, noise=UniformDequantise(), eval_batch_size=2)
    assert all(map(equal, module.batches("valid"), module.val_dataloader()))
    assert all(map(equal, module.batches("test"), module.test_dataloader()))


# Several ranks.


def ranks(path: Path, world_size: int, **options: object) -> list[SequenceDataModule]:
    modules = []
    for rank in range(world_size):
        module = make(path, **options)
        module.trainer = SimpleNamespace(
            world_size=world_size, global_rank=rank, global_step=0, accumulate_grad_batches=1
        )
        modules.append(module)
    return modules


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_ranks_share_each_batch(path: Path, way: dict, world_size: int) -> None:
    whole = list(make(path, **way).train_dataloader())
    shares = [list(m.train_dataloader()) for m in ranks(path, world_size, **way)]
    assert all(len(share) == len(whole) for share in shares)
    for step, batch in enumerate(whole):
        rows = [row for share in shares for row in seen(share[step])]
        assert sorted(rows) == sorted(seen(batch))
        assert all(len(share[step].lengths) == 4 // world_size for share in shares)


def test_what_a_batch_is_made_of_can_be_asked_later(path: Path, way: dict) -> None:
    whole, shares = make(path, **way), ranks(path, 2, **way)
    for number, batch in enumerate(whole.train_dataloader()):
        keys = whole.training_keys(number)
        assert [(k.sequence, k.begin, k.stop) for k in keys] == [
            (row[0], row[1], row[3]) for row in seen(batch)
        ]
        assert [share.training_keys(number) for share in shares] == [keys[::2], keys[1::2]]


def test_batches_are_dealt_out_in_turn(path: Path) -> None:
    module = make(path, eval_batch_size=1)
    whole = list(module.batches("valid"))
    for place in range(2):
        assert all(map(equal, module.batches("valid", dealt=(2, place)), whole[place::2]))


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_ranks_score_each_sequence_once(path: Path, world_size: int, size: int) -> None:
    modules = ranks(path, world_size, eval_batch_size=size, batch_size=6)
    for split, name in (("valid", "val_dataloader"), ("test", "test_dataloader")):
        rows = [row for m in modules for batch in getattr(m, name)() for row in seen(batch)]
        assert sorted(row[0] for row in rows) == modules[0].store.indices(split).tolist()


def test_ranks_that_cannot_share_are_told(path: Path) -> None:
    with pytest.raises(ValueError, match="batch_size that 3 ranks can share evenly, found 4"):
        ranks(path, 3)[0].train_dataloader()
    with pytest.raises(ValueError, match="at least 4 sequences of split 'test'.*found 3"):
        ranks(path, 4)[0].test_dataloader()


def test_the_limit_is_the_entropy_of_the_noise(tmp_path: Path) -> None:
    path = tmp_path / "latents.h5"
    logvar = [np.array([[0.0], [2.0]]), np.array([[-1.0]] * 6), np.array([[9.0]] * 2)]
    with StoreWriter(path, ["mu", "logvar"], "a", "m") as writer:
        for rows, split in zip(logvar, ["test", "test", "train"], strict=True):
            writer.append(np.concatenate([np.zeros_like(rows), rows], axis=1), split)
    constant = 0.5 * np.log(2 * np.pi * np.e)
    frame = make(path, noise=GaussianLatents()).limit("test")
    assert frame == pytest.approx(constant + 0.5 * (1 - 1) / 2)
    sequence = make(path, noise=GaussianLatents(), per="sequence").limit("test")
    assert sequence == pytest.approx(((2 * constant + 1) + (6 * constant - 3)) / 2)
    assert make(path).limit("test") is None
    assert make(path, noise=UniformDequantise()).limit("test") is None


def test_the_limit_of_rows_is_what_their_store_says(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    known = {"limit_valid": 1.5, "limit_test": -0.25}
    with StoreWriter(path, ["y", "z"], "a", "m", attributes=known) as writer:
        writer.append_rows(np.eye(6, 2), ["train", "valid", "test"] * 2)
    for options, expected in (
        ({}, (None, 1.5, -0.25)),
        ({"per": "sequence"}, (None, 1.5, -0.25)),
        ({"given": ["y"]}, (None, None, None)),
        ({"mark_end": True}, (None, None, None)),
        ({"noise": UniformDequantise()}, (None, None, None)),
    ):
        module = SequenceDataModule(path, **options)
        module.setup()
        assert tuple(module.limit(split) for split in SPLITS) == expected


def test_without_preparation_a_missing_store_is_an_error(tmp_path: Path) -> None:
    module = SequenceDataModule(tmp_path / "a.h5")
    module.prepare_data()
    with pytest.raises(FileNotFoundError, match="no such file: write it with"):
        module.setup()


# Arguments.


def test_a_config_makes_it(path: Path) -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(SequenceDataModule, "data")
    noise = {"class_path": "seqmdn.data.UniformDequantise", "init_args": {"width": 0.5}}
    config = {"path": str(path), "noise": noise, "window": 3, "per": "sequence"}
    module = parser.instantiate(parser.parse_object({"data": config})).data
    module.setup()
    assert module.noise.width == 0.5 and module.unit == "nats/walk"
    with pytest.raises(Exception, match="widht"):
        parser.parse_object({"data": {**config, "noise": {**noise, "init_args": {"widht": 1}}}})
    help_text = " ".join(parser.format_help().split())
    assert "as far as there are any, that a model sees and is not scored on" in help_text


def test_a_split_that_is_missing_is_named(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["x"], "a", "m") as writer:
        writer.append([[0], [1]], "train")
    module = make(tmp_path / "a.h5")
    for call in (module.val_dataloader, lambda: module.describe("valid")):
        with pytest.raises(ValueError, match="sequences of split 'valid', found none"):
            call()
    with pytest.raises(ValueError, match="expected a split of train, valid, test, found 'dev'"):
        list(module.batches("dev"))


def test_noise_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["x"], "a", "m") as writer:
        writer.append([[0], [1]], "train")
    with pytest.raises(ValueError, match="found 1 columns: choose the noise"):
        make(tmp_path / "a.h5", noise=GaussianLatents())


def test_setup_comes_first(path: Path) -> None:
    with pytest.raises(ValueError, match=r"setup\(\) to be called before"):
        SequenceDataModule(path).train_dataloader()
