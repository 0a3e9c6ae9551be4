"""Several processes: what they know of each other, and runs of two that are the run of one."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import start_processes

from seqmdn.data import StoreWriter
from seqmdn.processes import (
    check_started,
    count_and_rank,
    first_on_node,
    first_process,
    gathered,
    in_turn,
    of_first,
    share_loss,
)
from seqmdn.runs import evaluate, load_run, score
from tests.small import (
    checkpoint,
    corrupting,
    differing,
    losses,
    metrics,
    train,
    words,
    write_recipe,
)

ROOT = Path(__file__).parents[1]
ALONE = ["--trainer.accelerator=cpu", "--trainer.devices=1"]
FORKED = ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp_fork"]
TWO = ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp"]
# Each process draws its own dropout, so that what is to be the same has none.
PLAIN = ["--model.backbone.dropout=0", "--trainer.log_every_n_steps=1"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sequences of 1 to 20 frames, an odd number of them in each part."""
    folder = tmp_path_factory.mktemp("processes")
    rng = np.random.default_rng(3)
    with StoreWriter(folder / "walks.h5", ["x", "y"], name="walks", unit="m") as writer:
        for split, count in {"train": 25, "valid": 7, "test": 9}.items():
            for _ in range(count):
                length = int(rng.integers(1, 21))
                writer.append(np.round(3 * rng.standard_normal((length, 2)).cumsum(axis=0)), split)
    return write_recipe(folder, folder / "walks.h5", batch_size=6, eval_batch_size=2)


def in_two(folder: Path, function: Callable[[int], Any]) -> list[Any]:
    """Run a function of the rank in two processes that know each other."""
    start_processes(_run, (folder, function), nprocs=2, start_method="fork")
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in (0, 1)]


def _run(rank: int, folder: Path, function: Callable[[int], Any]) -> None:
    meet = f"file://{folder}/meet"
    distributed.init_process_group("gloo", init_method=meet, rank=rank, world_size=2)
    torch.save(function(rank), folder / f"{rank}.pt")
    distributed.destroy_process_group()


def command(*arguments: object, launcher: str = "seqmdn") -> list[str]:
    """The command line of ``python -m``."""
    return [sys.executable, "-m", *launcher.split(), *map(str, arguments)]


def run(words: list[str], status: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=ROOT, env=os.environ | more, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def assert_the_same_run(first: Path, second: Path) -> None:
    """What differs is the order in which numbers of float32 are added up."""
    one, other = losses(first), losses(second)
    for name, values in one.items():
        assert len(values) > 2 and other[name] == pytest.approx(values, rel=1e-5), name
    weights, others = (checkpoint(each)["state_dict"] for each in (first, second))
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(others[name], tensor, rtol=1e-4, atol=1e-5, msg=name)
    known, found = metrics(first), metrics(second)
    assert found["nll_per_sequence"] == pytest.approx(known["nll_per_sequence"], rel=1e-5)


def test_one_process_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_process() and first_on_node() and count_and_rank() == (1, 0)
    loss = torch.tensor(3.0, requires_grad=True)
    own, whole = share_loss(loss, torch.tensor(7))
    assert own is loss and whole == 3 and not whole.requires_grad
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"):
        monkeypatch.setenv(name, "0")
        assert first_process()
        with monkeypatch.context() as told:
            told.setenv(name, "1")
            assert not first_process()
    monkeypatch.setenv("RANK", "8")
    assert first_on_node()


def test_processes_that_would_not_know_of_each_other_are_refused(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    check_started(2)
    with pytest.raises(ValueError, match="expected 1 process, found 2 that were started: train by"):
        train(recipe, tmp_path, *ALONE)


@pytest.mark.parametrize("parts", [[[0, 2, 4], [1, 3]], [[0, 1]], [[0], [1], []]])
def test_what_was_dealt_out_is_put_together(parts: list[list[int]]) -> None:
    assert in_turn(parts) == list(range(sum(map(len, parts))))


def test_two_processes_know_each_other(tmp_path: Path) -> None:
    def known(rank: int) -> tuple[Any, ...]:
        weight = torch.tensor(float(rank), requires_grad=True)
        # Of 3 frames one process has 1, the other 2.
        own, whole = share_loss(5.0 * (rank + 1) + 0 * weight, torch.tensor(rank + 1))
        nan = share_loss(torch.tensor([1.0, torch.nan][rank]), torch.tensor(1))[1]
        empty = share_loss(torch.tensor(0.0), torch.tensor(0.0))[1]
        return (
            count_and_rank(),
            gathered(f"of {rank}"),
            of_first(rank),
            own.item(),
            whole,
            nan,
            empty,
        )

    for rank, found in enumerate(in_two(tmp_path, known)):
        assert found[:3] == ((2, rank), ["of 0", "of 1"], 0)
        assert found[4] == pytest.approx((1 * 5 + 2 * 10) / 3)
        assert found[3] == pytest.approx(2 * (rank + 1) * 5 * (rank + 1) / 3)
        assert found[5].isnan() and found[6] == 0


def test_two_processes_score_each_sequence_once(small_run: Path, tmp_path: Path) -> None:
    loaded = load_run(small_run)
    loaded.data.eval_batch_size = 3  # 10 sequences make 4 batches
    alone = score(loaded, "test", frames=tmp_path / "alone.npz")
    for found in in_two(tmp_path, lambda rank: score(loaded, "test")):
        del found["device"]
        assert found == {key: alone[key] for key in found}


def test_two_processes_train_what_one_trains(recipe: Path, tmp_path: Path) -> None:
    windows = ["--data.window=6", "--data.burn_in=2"]
    train(recipe, tmp_path / "one", *ALONE, *PLAIN, *windows)
    train(recipe, tmp_path / "two", *FORKED, *PLAIN, *windows)
    assert_the_same_run(tmp_path / "one", tmp_path / "two")


def test_random_numbers_are_those_of_the_process_and_the_run(recipe: Path, tmp_path: Path) -> None:
    dropping = ["--model.backbone.dropout=0.5", "--trainer.max_steps=4"]
    for name in ("first", "again"):
        train(recipe, tmp_path / name, *FORKED, *dropping)
    first, again = (checkpoint(tmp_path / name)["state_dict"] for name in ("first", "again"))
    assert differing(first, again) == []
    # Of two processes with the same numbers and the same sequence, the mean would be that of one.
    run = load_run(tmp_path / "first")
    run.model.train()
    batch = run.data.sequences("test", run.data.store.indices("test")[:1])

    def dropped(rank: int) -> Tensor:
        torch.manual_seed(hash((0, 5, rank)) % 2**63)
        return run.model.loss(batch).detach()

    one, other = (dropped(rank) for rank in (0, 1))
    assert one != other and one == dropped(0)


def test_the_command_trains_in_two_processes(recipe: Path, tmp_path: Path) -> None:
    given = words(recipe, *PLAIN)
    train(recipe, tmp_path / "one", *ALONE, *PLAIN)
    done = run(command("fit", *given, *TWO, "--out", tmp_path / "two"))
    assert_the_same_run(tmp_path / "one", tmp_path / "two")
    *steps, last = done.stdout.splitlines()
    assert [line.split(",")[0] for line in steps] == [f"step {s} of 12" for s in (4, 8, 12)]
    assert last.startswith(f"{tmp_path / 'two'}: test NLL") and done.stderr == ""
    names = sorted(str(path.relative_to(tmp_path / "one")) for path in tmp_path.rglob("one/**/*"))
    found = sorted(str(path.relative_to(tmp_path / "two")) for path in tmp_path.rglob("two/**/*"))
    assert [n for n in found if "events" not in n] == [n for n in names if "events" not in n]
    # What two processes have scored together, one scores alike, to the last bit.
    together = metrics(tmp_path / "two")["nll_per_sequence"]
    assert len(together) == 9
    assert evaluate(tmp_path / "two")["nll_per_sequence"] == together


# --------------------------------------------------------------------------------------------------
# Other launchers, and what goes wrong
# --------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.long
def test_two_nodes_of_torchrun(recipe: Path, tmp_path: Path) -> None:
    train(recipe, tmp_path / "one", *ALONE, *PLAIN)
    meet = [f"--rdzv-endpoint=127.0.0.1:{free_port()}", "--rdzv-backend=c10d", "--rdzv-id=walks"]
    launched = ["--nnodes=2", "--nproc-per-node=1", *meet, "-m", "seqmdn", "fit"]
    fit = [*words(recipe, *PLAIN), *TWO[:1], "--trainer.strategy=ddp", "--trainer.devices=1"]
    fit += ["--trainer.num_nodes=2", "--out", str(tmp_path / "two")]
    nodes = [
        subprocess.Popen(
            command(*launched, *fit, launcher="torch.distributed.run"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
        )
        for _ in range(2)
    ]
    said = [node.communicate()[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said
    assert_the_same_run(tmp_path / "one", tmp_path / "two")
    assert sorted("test NLL" in each for each in said) == [False, True]


@pytest.mark.long
def test_evaluation_under_torchrun(small_run: Path, tmp_path: Path) -> None:
    shutil.copytree(small_run, tmp_path / "run")
    alone = evaluate(tmp_path / "run", "valid", draws=20)
    launched = ["--nproc-per-node=2", f"--master-port={free_port()}", "-m", "seqmdn", "evaluate"]
    words = [tmp_path / "run", "--split=valid", "--scores", "--draws=20"]
    done = run(command(*launched, *words, launcher="torch.distributed.run"))
    found = metrics(tmp_path / "run")
    assert found["nll_per_sequence"] == alone["nll_per_sequence"]
    assert (found["nll"], found["crps"]) == (alone["nll"], alone["crps"])
    assert done.stdout.count("NLL") == 1


@pytest.mark.long
def test_comparisons_of_two_processes_each(recipe: Path, tmp_path: Path) -> None:
    given = ["--jobs=2", "--trainer.max_steps=4", *TWO, "--out", tmp_path]
    run(command("compare", recipe, *given))
    result = json.loads((tmp_path / "compare.json").read_text())
    assert set(result["models"]) == {"rmdn", "frmdn"}


@pytest.mark.long
def test_the_console_script(recipe: Path, tmp_path: Path) -> None:
    script = tmp_path / "seqmdn"
    script.write_text("import sys\nfrom seqmdn.cli import main\n\nsys.exit(main())\n")
    given = words(recipe, *TWO, "--trainer.max_steps=2")
    run(
        [sys.executable, str(script), "fit", *given, "--out", str(tmp_path / "run")],
        PYTHONPATH=ROOT.as_posix(),
    )
    assert metrics(tmp_path / "run")["steps"] == 2


@pytest.mark.long
@pytest.mark.parametrize("on_nan", ["stop", "skip"])
def test_a_loss_of_one_process_that_is_nan(recipe: Path, tmp_path: Path, on_nan: str) -> None:
    given = [*words(recipe), *TWO, *corrupting(5, rank=1), f"--on-nan={on_nan}"]
    done = run(
        command("fit", *given, "--out", tmp_path / "run"), status=1 if on_nan == "stop" else 0
    )
    if on_nan == "stop":
        (line,) = done.stderr.splitlines()
        assert "the loss at step 5 is nan, of sequence" in line and "of the store" in line
        return
    found = metrics(tmp_path / "run")["not_finite"]
    assert (found["left_out"], [each["step"] for each in found["first"]]) == (1, [5])
    assert done.stdout.count("left out: 1 step") == 1


@pytest.mark.long
def test_ctrl_c_of_the_first_process_stops_both(recipe: Path, tmp_path: Path) -> None:
    given = words(recipe, *TWO, "--trainer.max_steps=100000")
    process = subprocess.Popen(
        command("fit", *given, "--out", tmp_path, "--progress=json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["nll"] is not None:
            process.send_signal(signal.SIGINT)
            break
    _, error = process.communicate()
    assert process.returncode == 130 and "go on by: seqmdn fit --resume" in error
    step = checkpoint(tmp_path)["global_step"]
    run(command("fit", "--resume", tmp_path, f"--trainer.max_steps={step + 2}"))
    assert metrics(tmp_path)["steps"] <= step + 2
