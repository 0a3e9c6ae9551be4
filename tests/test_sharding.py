"""Weights that are dealt out to two processes on this machine's CPUs."""

from pathlib import Path

import pytest
from lightning.pytorch.strategies import DDPStrategy

from seqmdn.sharding import ShardedStrategy, sharded_options
from tests.small import checkpoint, train, write_recipe, write_store
from tests.test_processes import ALONE, PLAIN, assert_the_same_run, command, run


def test_others_are_left_to_lightning() -> None:
    strategy = DDPStrategy()
    for options in ({"strategy": strategy}, {"strategy": "auto"}, {}):
        assert sharded_options(options) == options
    found = sharded_options({"strategy": "fsdp", "devices": 2})
    assert isinstance(found["strategy"], ShardedStrategy) and found["devices"] == 2


@pytest.mark.long
def test_shares_of_a_model_are_trained_as_the_whole(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, write_store(tmp_path / "walks.h5"), batch_size=6)
    files = ["-c", f"{recipe}/base.yaml", "-c", f"{recipe}/rmdn.yaml", *PLAIN]
    train(recipe, tmp_path / "one", *ALONE, *PLAIN)
    two = ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=fsdp"]
    run(command("fit", *files, *two, "--out", tmp_path / "two"))
    assert_the_same_run(tmp_path / "one", tmp_path / "two")
    shapes = [
        {name: each.shape for name, each in checkpoint(tmp_path / name)["state_dict"].items()}
        for name in ("one", "two")
    ]
    assert shapes[0] == shapes[1]
    run(command("fit", "--resume", tmp_path / "two", "--trainer.max_steps=14"))
    assert checkpoint(tmp_path / "two")["global_step"] == 14
