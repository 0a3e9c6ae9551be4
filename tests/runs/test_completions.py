"""Completions: what is given, what is expected of the rest, and draws that go together."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from seqmdn.cli import main
from seqmdn.data import GivenPoints
from seqmdn.generation import generate
from seqmdn.runs import load_run, look_completions
from tests.images import HEIGHT, WIDTH, train_images, write_images

CHANNELS = 3


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("places")
    config = {
        "data": {
            "class_path": "seqmdn.data.SequenceDataModule",
            "init_args": {
                "path": str(write_images(folder / "images.h5", CHANNELS)),
                "scan": "place",
                "points": {"least": 2, "most": 9, "asked": 4},
                "noise": "seqmdn.data.UniformDequantise",
                "batch_size": 8,
            },
        },
        "model": {
            "class_path": "seqmdn.models.MixtureProcess",
            "init_args": {
                "encoder": {
                    "class_path": "seqmdn.models.AttentionEncoder",
                    "init_args": {"hidden": 8},
                },
                "head": {
                    "class_path": "seqmdn.heads.FlooredMixtureHead",
                    "init_args": {"components": 2, "narrowest": 0.01},
                },
                "weights": "deterministic",
                "transform": "seqmdn.data.Range",
            },
        },
        "trainer": {"max_steps": 3},
    }
    (folder / "base.yaml").write_text(yaml.safe_dump(config))
    main(["fit", "-c", str(folder / "base.yaml"), "--out", str(folder / "run")])
    return folder / "run"


def pixels(images: torch.Tensor) -> torch.Tensor:
    return images.reshape(len(images), HEIGHT * WIDTH, CHANNELS)


def test_given_pixels_are_real_ones_and_stay(source: Path) -> None:
    run = load_run(source)
    found = look_completions(run, 3)
    assert list(found.of) == ["2 pixels", "9 pixels", "upper half"]
    images = pixels(found.images)
    index = run.data.store.indices("test")[:3]
    stored = torch.stack([torch.tensor(run.data.store.read(i)[0]) for i in index.tolist()])
    assert torch.equal(images.floor(), stored), "the images as they are"
    for name, count in {"2 pixels": 2, "9 pixels": 9, "upper half": 12}.items():
        each = found.of[name]
        given = pixels(each.given)
        seen = ~given.isnan().any(-1)
        assert (seen.sum(1) == count).all()
        for part in (given, pixels(each.mean), pixels(each.drawn)):
            assert torch.equal(part[seen], images[seen])
        assert (pixels(each.deviation)[seen] == 0).all()
        assert (pixels(each.deviation)[~seen] > 0).all()
        assert (pixels(each.drawn)[~seen] != images[~seen]).any()
    assert not pixels(found.of["upper half"].given)[:, :12].isnan().any()
    few, many = (pixels(found.of[name].given) for name in ("2 pixels", "9 pixels"))
    assert not many[~few.isnan()].isnan().any()


def test_draws_are_chains_as_long_as_training_gave_pixels(source: Path) -> None:
    run = load_run(source)
    batch = run.data.sequences("test", run.data.store.indices("test")[:2], GivenPoints(2, 9))
    assert batch.context is not None
    found = pixels(look_completions(run, 2, seed=3).of["2 pixels"].drawn)
    place = run.data.store.pixels(batch.context).unsqueeze(-1).expand(-1, -1, CHANNELS)
    found = found.gather(1, place)
    given = {"context": batch.context[:, :9], "prime": batch.values[:, :2], "seed": 3}
    assert torch.equal(generate(run.model, 2, 9, chain=9, **given).values, found[:, :9])
    assert not torch.equal(generate(run.model, 2, 9, chain=7, **given).values, found[:, :9])
    # What is behind them is drawn by itself, given all of these.
    known = batch._replace(
        values=torch.cat((found[:, :9], batch.values[:, 9:]), 1), start=torch.full((2,), 9)
    )
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(3)
        density = run.model.distributions(known)[0]
        rest = 256 * density.sample(torch.Size([1]))[0]
    torch.testing.assert_close(found[:, 9:], rest[:, 9:])


def test_a_chain_goes_on_as_far_as_it_is_asked_to(source: Path) -> None:
    run = load_run(source)
    batch = run.data.sequences("test", run.data.store.indices("test")[:2], GivenPoints(2, 9))
    assert batch.context is not None
    count = batch.values.shape[1]
    found = pixels(look_completions(run, 2, seed=3, chain=count + 1).of["9 pixels"].drawn)
    place = run.data.store.pixels(batch.context).unsqueeze(-1).expand(-1, -1, CHANNELS)
    given = {"context": batch.context, "prime": batch.values[:, :9], "seed": 3}
    drawn = generate(run.model, 2, count, chain=count, **given).values
    assert torch.equal(drawn, found.gather(1, place))


def test_means_and_deviations_are_the_densitys(source: Path) -> None:
    run = load_run(source)
    found = look_completions(run, 2)
    batch = run.data.sequences("test", run.data.store.indices("test")[:2], GivenPoints(2, 9))
    batch = batch._replace(start=torch.full((2,), 9))
    density = run.model.distributions(batch)[0]
    deviation = 256 * density.variance.sqrt()
    whole = run.data.whole(batch._replace(values=256 * density.mean)).values
    spread = run.data.whole(batch._replace(values=deviation)).values
    each = found.of["9 pixels"]
    hidden = each.given.isnan()
    apart = ((each.mean - whole) / spread)[hidden]
    assert apart.abs().max() < 5 / 400**0.5
    torch.testing.assert_close(each.deviation[hidden], spread[hidden], rtol=0.3, atol=0)


def test_the_command_writes_the_picture_and_images_of_its_own(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, path = tmp_path / "own.h5", tmp_path / "a.png"
    main(["sample", str(source), "--num", "4", "--chain", "5", "--out", str(own)])
    capsys.readouterr()
    words = ["--data", str(own), "--show", "completions", "--num", "5", "--out", str(path)]
    words += ["--chain", "11"]
    main(["sample", str(source), *words])
    assert capsys.readouterr().out == f"completions of 5 images: {path}\n"
    with Image.open(path) as picture:
        assert picture.format == "PNG"
    with pytest.raises(SystemExit):
        main(["sample", str(source), *words, "--prime", "3"])
    assert "expected no --prime where completions are shown" in capsys.readouterr().err


def test_a_chain_changes_what_is_drawn(source: Path, tmp_path: Path) -> None:
    found: list[Any] = []
    for number, words in enumerate([[], ["--chain", "9"]]):
        path = tmp_path / f"{number}.npz"
        main(["sample", str(source), "--num", "2", *words, "--out", str(path)])
        with np.load(path) as arrays:
            found.append(arrays["values"])
    assert found[0].shape == (2, HEIGHT, WIDTH * CHANNELS) and np.isfinite(found[0]).all()
    assert (found[0] != found[1]).any()


def test_what_completes_nothing_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 image or more, found 0"):
        look_completions(load_run(source), 0)
    with pytest.raises(ValueError, match="chain of 1 pixel or more, found 0"):
        look_completions(load_run(source), 1, chain=0)
    other = train_images(tmp_path, write_images(tmp_path / "images.h5"))
    with pytest.raises(ValueError, match="beside their places, found a SequenceModel of images"):
        look_completions(other, 1)
