"""The latents store: what is drawn from it, what leads to what, and the known limit."""

import io
from pathlib import Path

import numpy as np
import pytest

from data_prep.carracing_latents import main, prepare
from seqmdn.data import GaussianLatents, SequenceDataModule, Store, file_sha256

ROLLOUTS, STEPS, LATENTS = 12, 6, 4


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small series in the layout of the real one."""
    folder = tmp_path / "carracing"
    folder.mkdir()
    rng = np.random.default_rng(0)
    shape = (ROLLOUTS, STEPS, LATENTS)
    np.savez(
        folder / "series.npz",
        mu=(3 + 2 * rng.normal(size=shape)).astype(np.float16),
        logvar=rng.normal(size=shape).astype(np.float16),
        action=rng.uniform(-1, 1, (ROLLOUTS, STEPS, 3)).astype(np.float16),
    )
    return folder


@pytest.fixture(scope="module")
def real(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("carracing") / "latents.h5"
    prepare(data_root / "carracing", out)
    return out


def test_rows_are_standardised_and_can_be_decoded(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    raw = np.load(source / "series.npz")
    mean, std = store.attributes["latent_mean"], store.attributes["latent_std"]
    assert store.splits.tolist() == [0] * 5 + [1] * 2 + [2] * 5
    rows = np.stack([store.read(index)[0] for index in range(ROLLOUTS)])
    mu, logvar = rows[..., :LATENTS], rows[..., LATENTS:]
    np.testing.assert_allclose(mu * std + mean, raw["mu"], rtol=1e-5, atol=1e-5)
    scale = raw["logvar"].astype(float)
    np.testing.assert_allclose(std * np.exp(0.5 * logvar), np.exp(0.5 * scale), rtol=1e-5)
    # The last five rollouts have no say in the scale.
    seen = mu[:-5].reshape(-1, LATENTS)
    np.testing.assert_allclose(seen.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(seen.std(0), 1, rtol=1e-6)


def test_the_context_is_the_action_before(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "a.h5")
    action = np.load(source / "series.npz")["action"].astype(np.float32)
    for rollout in range(ROLLOUTS):
        context = Store(tmp_path / "a.h5").read(rollout)[1]
        assert context is not None
        np.testing.assert_array_equal(context[0], np.zeros(3))
        np.testing.assert_array_equal(context[1:], action[rollout, :-1])


def test_the_store_says_what_it_is(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    assert store.names[0] == "mu 0" and store.names[-1] == "logvar 3"
    assert store.context_names == ["previous steer", "previous gas", "previous brake"]
    assert store.attributes["sequence"] == "rollout"
    sha256 = file_sha256(source / "series.npz")
    assert store.attributes["source"] == [{"file": "series.npz", "sha256": sha256}]
    assert store.attributes["command"].endswith("--source $SEQMDN_DATA/carracing")
    assert str(tmp_path).encode() not in store.path.read_bytes()


def test_the_command_finds_the_folder(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SEQMDN_DATA", str(source.parent))
    main(["--out", str(tmp_path / "a.h5")])
    assert "5/2/5 sequences" in capsys.readouterr().out
    monkeypatch.delenv("SEQMDN_DATA")
    with pytest.raises(SystemExit, match="--source FOLDER .*found neither"):
        main(["--out", str(tmp_path / "b.h5")])
    main(["--source", str(source), "--out", str(tmp_path / "b.h5")])
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def one_array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones(3))
    return file.getvalue()


def unknown_compression(source: Path) -> None:
    """Names a way to compress that nobody has, in the first array's header and in the list."""
    content = bytearray((source / "series.npz").read_bytes())
    for header, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(header) + place] = 77
    (source / "series.npz").write_bytes(content)


def rewrite(source: Path, **arrays: np.ndarray | None) -> None:
    before = dict(np.load(source / "series.npz"))
    after = {name: array for name, array in {**before, **arrays}.items() if array is not None}
    np.savez(source / "series.npz", **after)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: (s / "series.npz").unlink(), "series at .*series.npz, found no such file: rec"),
        (lambda s: (s / "series.npz").write_bytes(b"PK\x03\x04"), "expected an npz archive"),
        (lambda s: (s / "series.npz").write_text("<html>"), "expected an npz archive"),
        (lambda s: (s / "series.npz").write_bytes(b""), "expected an npz archive"),
        (lambda s: (s / "series.npz").write_bytes(one_array()), "expected an npz archive"),
        (unknown_compression, "expected members that are stored or deflated, found 'mu.npy'"),
        (lambda s: rewrite(s, logvar=None), "expected an npz archive .*logvar"),
        (
            lambda s: rewrite(s, mu=np.array([{}, None], dtype=object)),
            "expected an npz archive .*[Oo]bject",
        ),
        (lambda s: rewrite(s, mu=np.zeros((3, 4))), r"more than 7 rollouts, found .*\(3, 4\)"),
        (lambda s: rewrite(s, action=np.zeros((12, 6, 2))), r"found .*\(12, 6, 2\)"),
        (
            lambda s: rewrite(s, **dict.fromkeys(["mu", "logvar"], np.zeros((12, 6, 4)))),
            "every latent to vary, found latent 0 constant",
        ),
        (
            lambda s: rewrite(s, logvar=np.full((12, 6, 4), np.nan)),
            "sequence 0: expected finite .*nan at frame 0, feature 'logvar 0'",
        ),
    ],
)
def test_another_source_is_one_line(
    source: Path, tmp_path: Path, edit: object, message: str
) -> None:
    edit(source)
    with pytest.raises(SystemExit, match=f"^data_prep.carracing_latents: .*{message}") as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    assert "\n" not in str(error.value)
    assert not (tmp_path / "a.h5").exists()


def test_real_latents_have_the_known_limit(real: Path) -> None:
    module = SequenceDataModule(real, noise=GaussianLatents())
    module.setup()
    assert (module.features, module.context, module.unit) == (32, 3, "nats/frame")
    assert module.limit("test") == pytest.approx(73.13, abs=0.005)
    described = module.describe("test")
    assert (described["sequences"], described["frames"]) == (5, 5000)
    assert [len(module.store.indices(split)) for split in ("train", "valid")] == [38, 2]


def test_real_draws_have_the_moments_of_posterior_and_data(real: Path) -> None:
    module = SequenceDataModule(real, noise=GaussianLatents(), window=100, batch_size=32)
    module.setup()
    rows = np.concatenate([module.store.read(i)[0] for i in module.store.indices("train")])
    expected = rows[:, :32].var(0) + np.exp(rows[:, 32:]).mean(0)
    frames = module.sample_frames().numpy()
    assert frames.shape == (38_000, 32)
    np.testing.assert_allclose(frames.var(0), expected, rtol=0.05)
