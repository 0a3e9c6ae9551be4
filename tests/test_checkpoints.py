"""Checkpoints: whole, complete, and read without executing anything in them."""

import copy
import json
import os
import pickle
import resource
import shutil
import sys
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch

from seqmdn.checkpoints import (
    FORMAT,
    LAST,
    PREVIOUS,
    AtomicCheckpointIO,
    check_classes,
    has_checkpoint,
    read_checkpoint,
    read_newest,
)
from seqmdn.data import Store
from seqmdn.runs import load_run
from tests.faults import flip
from tests.small import checkpoint


@pytest.fixture
def good(small_run: Path) -> Path:
    return small_run / "checkpoints" / "best.ckpt"


class Touch:
    """Writes a file when it is unpickled, unless nothing in the pickle is executed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def refused(path: Path) -> str:
    """The message with which a file is refused: one line that names the file and a way out."""
    with pytest.raises(ValueError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and message.endswith("use another one")
    # torch's own words are pages long and advise to give up the protection.
    assert "\n" not in message and "weights_only" not in message and "\x1b" not in message
    return message


@pytest.mark.parametrize("part", [0, 1, 3, 0.001, 0.01, 0.3, 0.5, 0.9, 0.99, 0.999, -1])
def test_a_truncated_checkpoint_is_refused(good: Path, tmp_path: Path, part: float) -> None:
    content = good.read_bytes()
    size = int(part * len(content)) if isinstance(part, float) else part
    path = tmp_path / "a.ckpt"
    path.write_bytes(content[:size])
    assert "damaged or no checkpoint" in refused(path)


@pytest.mark.parametrize("seed", range(20))
def test_damaged_bytes_are_refused_or_harmless(good: Path, tmp_path: Path, seed: int) -> None:
    content = bytearray(good.read_bytes())
    generator = torch.Generator().manual_seed(seed)
    # The end of the file is the list of what is in it.
    for place in torch.randint(len(content) // 2, len(content), (40,), generator=generator):
        content[int(place)] ^= 0xFF
    path = tmp_path / "a.ckpt"
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize(
    "content",
    [b"no checkpoint at all\n", b"\x80\x02.", b"PK\x05\x06" + bytes(18), bytes(1000)],
    ids=["text", "empty pickle", "empty archive", "zeros"],
)
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.ckpt"
    path.write_bytes(content)
    assert "damaged or no checkpoint" in refused(path)


def test_a_store_is_no_checkpoint(small_run: Path) -> None:
    assert "damaged or no checkpoint" in refused(small_run.parent / "walks.h5")


def test_checkpoints_of_other_programs_are_refused(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    weights = torch.nn.Linear(2, 2).state_dict()
    for content in (weights, {"state_dict": weights, "seqmdn": 3}, [1, 2], torch.zeros(3)):
        torch.save(content, path)
        assert f"expected format {FORMAT}, found none" in refused(path)
    torch.save(torch.nn.Linear(2, 2), path)  # a whole module, which is code
    assert "damaged or no checkpoint" in refused(path)


def test_another_format_is_refused(good: Path, tmp_path: Path) -> None:
    content = torch.load(good, weights_only=True)
    content["seqmdn"]["format"] = FORMAT + 1
    torch.save(content, tmp_path / "a.ckpt")
    assert f"expected format {FORMAT}, found {FORMAT + 1}" in refused(tmp_path / "a.ckpt")


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "a.ckpt", tmp_path):
        with pytest.raises(FileNotFoundError, match="train one by `seqmdn fit`"):
            read_checkpoint(path)


def test_a_checkpoint_that_may_not_be_read_is_not_called_damaged(
    good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(good))

    monkeypatch.setattr(torch, "load", refuse)
    with pytest.raises(PermissionError):
        read_checkpoint(good)


def test_nothing_in_a_pickle_is_executed(good: Path, tmp_path: Path) -> None:
    path, trace = tmp_path / "a.ckpt", tmp_path / "executed"
    path.write_bytes(pickle.dumps(Touch(trace)))
    refused(path)
    content = torch.load(good, weights_only=True)
    for place in (content, content["seqmdn"], content["state_dict"]):
        place["evil"] = Touch(trace)
        torch.save(content, path)
        del place["evil"]
        refused(path)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Touch(trace)))  # ... and would have left a trace
    assert trace.exists()


@pytest.mark.parametrize("part", ["model", "transform", "head", "backbone", "noise", "data"])
@pytest.mark.parametrize("command", ["os.popen", "shutil.os.popen"])
def test_nothing_in_a_description_is_executed(
    good: Path, tmp_path: Path, part: str, command: str
) -> None:
    trace = tmp_path / "executed"
    content = torch.load(good, weights_only=True)
    said = content["seqmdn"]
    owner = {"model": said, "data": said, "noise": said["data"]["init_args"]}
    evil = {"class_path": command, "init_args": {"cmd": f"mkdir {trace}", "mode": "r"}}
    owner.get(part, said["model"]["init_args"])[part] = evil
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=f"{command}, which is no class"):
        load_run(tmp_path / "a.ckpt")
    assert not trace.exists()


def test_nothing_in_a_list_of_a_description_is_executed(tmp_path: Path) -> None:
    said = {"transforms": [1, {"class_path": "os.popen"}]}
    with pytest.raises(ValueError, match=r"os\.popen, which is no class"):
        check_classes(said, tmp_path / "a.ckpt")


def test_a_model_comes_back_from_the_file_alone(good: Path, tmp_path: Path) -> None:
    shutil.copy(good, tmp_path / "alone.ckpt")
    run = load_run(tmp_path / "alone.ckpt")
    here = load_run(good.parents[1])
    assert not run.model.training
    batch = run.data.sequences("test", [30, 31, 32])
    with torch.no_grad():
        found = run.model.log_prob(batch)
        assert found.std() > 0.1 and torch.equal(found, here.model.log_prob(batch))
    assert json.loads(json.dumps(run.description)) == run.description  # plain values only


def test_a_checkpoint_holds_every_tensor_once(small_run: Path) -> None:
    weights = checkpoint(small_run)["state_dict"]
    model = load_run(small_run).model
    kept = [
        buffer
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
        if name not in module._non_persistent_buffers_set  # which follows from the arguments
    ]
    own = [*model.parameters(), *kept]
    assert sum(t.numel() for t in weights.values()) == sum(t.numel() for t in own)
    assert len(weights) == len(own) == len({t.data_ptr() for t in weights.values()})
    assert all(name.startswith("model.") for name in weights)


def test_a_checkpoint_holds_the_standardiser(small_run: Path) -> None:
    weights = checkpoint(small_run, "best")["state_dict"]
    with Store(small_run.parent / "walks.h5") as store:
        frames = torch.cat([torch.from_numpy(store.read(i)[0]) for i in store.indices("train")])
    # Dequantisation adds 1/2 on average, and 1/12 to the variance.
    torch.testing.assert_close(
        weights["model.transform.mean"], frames.mean(0) + 0.5, atol=0.1, rtol=0
    )
    torch.testing.assert_close(
        weights["model.transform.std"], (frames.var(0) + 1 / 12).sqrt(), rtol=0.02, atol=0
    )


def test_weights_of_another_model_are_refused_in_a_line(good: Path, tmp_path: Path) -> None:
    content = torch.load(good, weights_only=True)
    original = copy.deepcopy(content)
    content["seqmdn"]["model"]["init_args"]["backbone"]["init_args"]["hidden"] = 9
    torch.save(content, tmp_path / "a.ckpt")
    original["state_dict"]["model.more"] = original["state_dict"].pop("model.start")
    torch.save(original, tmp_path / "b.ckpt")
    for name, words in {"a.ckpt": "size mismatch for backbone", "b.ckpt": "Missing key"}.items():
        with pytest.raises(
            ValueError, match=f"{name} holds the weights of another model"
        ) as caught:
            load_run(tmp_path / name)
        assert words in str(caught.value) and "\n" not in str(caught.value)


def test_an_interrupted_checkpoint_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, save = tmp_path / "a.ckpt", AtomicCheckpointIO().save_checkpoint
    save({"step": 1}, path)

    def half(content: Any, target: BinaryIO) -> None:
        target.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(KeyboardInterrupt):
        save({"step": 2}, path)
    assert torch.load(path, weights_only=True) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_one_bit_of_a_weight_is_noticed(good: Path, tmp_path: Path) -> None:
    """torch would read another weight and say nothing."""
    path = Path(shutil.copy(good, tmp_path / "a.ckpt"))
    flip(path)
    assert "damaged or no checkpoint" in refused(path)


def test_the_last_becomes_the_previous_one(good: Path, tmp_path: Path) -> None:
    content = torch.load(good, weights_only=True)
    for step in (1, 2, 3):
        content["seqmdn"]["steps"] = step
        AtomicCheckpointIO().save_checkpoint(content, tmp_path / LAST)
        AtomicCheckpointIO().save_checkpoint(content, tmp_path / "best.ckpt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.ckpt", LAST, PREVIOUS]
    steps = [read_checkpoint(tmp_path / name)["seqmdn"]["steps"] for name in (LAST, PREVIOUS)]
    assert steps == [3, 2] and has_checkpoint(tmp_path) and not has_checkpoint(tmp_path / "none")
    assert read_newest(tmp_path)[0] == tmp_path / LAST


def test_a_checkpoint_that_finds_no_room_names_its_file(good: Path, tmp_path: Path) -> None:
    content = torch.load(good, weights_only=True)
    path = tmp_path / LAST
    AtomicCheckpointIO().save_checkpoint(content, path)
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: .*\.partial\.ckpt'"):
            AtomicCheckpointIO().save_checkpoint(content, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", None),
        ("model", "os.kill"),
        ("data", {}),
        ("features", 0),
        ("features", "2"),
        ("features", True),
        ("context", -1),
        ("dataset", {"sha256": 3}),
    ],
)
def test_a_description_that_says_too_little_is_refused(
    good: Path, tmp_path: Path, key: str, value: object
) -> None:
    content = torch.load(good, weights_only=True)
    content["seqmdn"][key] = value
    torch.save(content, tmp_path / "a.ckpt")
    assert f"found no {key} that is right" in refused(tmp_path / "a.ckpt")
    del content["seqmdn"][key]
    torch.save(content, tmp_path / "a.ckpt")
    assert f"found no {key} that is right" in refused(tmp_path / "a.ckpt")


@pytest.mark.parametrize("weights", [None, [1], {3: torch.zeros(1)}])
def test_a_checkpoint_without_weights_is_refused(
    good: Path, tmp_path: Path, weights: object
) -> None:
    content = torch.load(good, weights_only=True)
    content["state_dict"] = weights
    torch.save(content, tmp_path / "a.ckpt")
    assert "has no weights" in refused(tmp_path / "a.ckpt")


def test_a_model_far_larger_than_its_weights_is_not_made(good: Path, tmp_path: Path) -> None:
    content = torch.load(good, weights_only=True)
    content["seqmdn"]["model"]["init_args"]["backbone"]["init_args"]["hidden"] = 20_000
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=r"a\.ckpt describes a model .* 1600160000 parameters"):
        load_run(tmp_path / "a.ckpt")


@pytest.mark.parametrize(
    "path", ["subprocess.Popen", "functools.partial", "antigravity.fly", "torch.nn.Linear", "a.B"]
)
def test_a_class_that_is_no_part_of_a_model_is_refused_by_the_files_name(
    good: Path, tmp_path: Path, path: str
) -> None:
    content = torch.load(good, weights_only=True)
    content["seqmdn"]["model"]["init_args"]["head"] = {"class_path": path, "init_args": {}}
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(ValueError) as caught:
        load_run(tmp_path / "a.ckpt")
    assert str(caught.value).startswith(str(tmp_path / "a.ckpt"))
    assert "antigravity" not in sys.modules, "importing it opens a browser"


def test_a_trainer_reads_nothing_but_tensors(good: Path, tmp_path: Path) -> None:
    found = AtomicCheckpointIO().load_checkpoint(good, map_location="cpu", weights_only=False)
    assert found["seqmdn"]["format"] == FORMAT
    torch.save({"weights": Touch(tmp_path / "ran")}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="is damaged or holds more than tensors"):
        AtomicCheckpointIO().load_checkpoint(tmp_path / "a.ckpt", weights_only=False)
    assert not (tmp_path / "ran").exists()
