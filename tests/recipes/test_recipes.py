"""Every recipe runs; every table in a recipe's README is what its committed results say."""

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml

from data_prep import accent, blizzard, iam_ondb, timit
from data_prep.gaussian_process import write_tasks
from seqmdn.cli import main
from seqmdn.compare import markdown_table, recipe_models
from seqmdn.comparison import grid_tables
from seqmdn.data import Store
from seqmdn.data.preparation import prepare_store
from tests.data_prep import sounds
from tests.data_prep.test_iam_ondb import write_tree
from tests.frames import write_frames
from tests.small_worlds import write_worlds

ROOT = Path(__file__).parents[2]
RECIPES = sorted(path.parent for path in ROOT.glob("recipes/*/*/base.yaml"))
MODELS = [(recipe, model) for recipe in RECIPES for model in recipe_models(recipe)]
# A recipe whose raw data are not in an installed package needs the folder with real data.
NEEDS_DATA = {
    "carracing_latents",
    "omniglot",
    "omniglot_words",
    "kanji",
    "quickdraw",
    "pendigits",
    "kathleen",
    "fsdd",
    "fsdd_labels",
    "mnist",
    "cifar10",
    "apparent_temperature",
    "multi_target",
    "sarcos",
    "wq",
    "rf1",
}
FEW = {"train": 12, "valid": 2, "test": 4}  # sequences of real data that are enough to run on
ASKED_FOR = {"omniglot_words": " --count 24 --valid 4 --test 8"}  # as many as are written
# Their corpora are for who registers: what prepares a made-up tree, and what makes one.
MADE_UP = {
    "iam_ondb": (iam_ondb.prepare, write_tree),
    "timit": (timit.prepare, sounds.timit),
    "blizzard": (blizzard.prepare, sounds.blizzard),
    "accent": (accent.prepare, sounds.accent),
}
# What is collected or encoded for them stands here for what makes it.
STORES = {
    "car_racing_frames": "car_racing_record",
    "car_racing": "car_racing_latents",
    "super_mario": "super_mario_latents",
}
OF_FRAMES = {"car_racing_frames"}  # models of single frames, without a backbone and a head
OF_TASKS = [recipe for recipe in RECIPES if recipe.parent.name == "neural_process"]
ADAPTED = {"maml", "cavia"}  # models of tasks that have no encoder
OF_CIRCUITS = {"iris", "digits_generative"}  # joint densities of rows, without a backbone
OF_BACKBONES = [  # compared by them
    recipe for recipe in RECIPES if recipe.parent.name == "ugmm" and recipe.name not in OF_CIRCUITS
]
OF_ROWS = [
    recipe
    for recipe in RECIPES
    if recipe.parent.name == "regression"
    or (recipe in OF_BACKBONES and recipe.name.startswith("mnist"))
]


def named(recipe: Path) -> str:
    return recipe.relative_to(ROOT / "recipes").as_posix()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder from which recipes run as from a clone, their stores prepared once."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("recipes", "data_prep"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def write_few(whole: Path, out: Path) -> None:
    """Write a store of the first sequences of each part of another one."""
    out.parent.mkdir(exist_ok=True)
    with Store(whole) as store, h5py.File(whole, locking=False) as file, h5py.File(out, "w") as few:
        kept = np.concatenate([store.indices(split)[:count] for split, count in FEW.items()])
        ends = file["offsets"][:]
        frames = np.concatenate([np.arange(ends[i], ends[i + 1]) for i in kept])
        for key, value in file.attrs.items():
            few.attrs[key] = value
        for key in ("values", "context"):
            if key in file:
                few[key] = file[key][:][frames]
        for key in ("split", "text"):
            if key in file:
                few[key] = file[key][:][kept]
        few["offsets"] = np.cumsum([0, *store.lengths[kept]])


def known(recipe: Path, model: str) -> bool:
    """Whether a recipe before this one runs a model of that name, and this one runs another."""
    before = RECIPES[: RECIPES.index(recipe)]
    others = [each for recipe in before for each in recipe_models(recipe)]
    return model != recipe_models(recipe)[0] and model in others


@pytest.mark.parametrize(
    ("recipe", "model"),
    [
        pytest.param(
            *pair,
            id=f"{named(pair[0])}-{pair[1]}",
            marks=[pytest.mark.long] if known(*pair) else [],
        )
        for pair in MODELS
    ],
)
def test_fits_evaluates_and_samples(
    recipe: Path,
    model: str,
    clone: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    if recipe.name in NEEDS_DATA:
        request.getfixturevalue("data_root")
    monkeypatch.chdir(clone)
    of_frames = recipe.name in OF_FRAMES
    data = yaml.safe_load((recipe / "base.yaml").read_text())["data"]["init_args"]
    store = clone / (f"data/{STORES[recipe.name]}.h5" if recipe.name in STORES else data["path"])
    if recipe.name in STORES and not store.exists():
        write_frames(store, ()) if of_frames else write_worlds(store, latents=32)
    if recipe.name in MADE_UP and not store.exists():
        prepare, make = MADE_UP[recipe.name]
        prepare(make(tmp_path / "raw"), store)
    if recipe.name in NEEDS_DATA and not store.exists():
        prepare_store(tmp_path / "whole.h5", data["prepare"] + ASKED_FOR.get(recipe.name, ""))
        write_few(tmp_path / "whole.h5", store)
    folder = f"recipes/{named(recipe)}"
    run = tmp_path / "run"
    files = ["-c", f"{folder}/base.yaml", "-c", f"{folder}/{model}.yaml"]
    small = ["--trainer.max_steps", "2", "--trainer.val_check_interval", "2"]
    if recipe in OF_TASKS and not store.exists():
        write_tasks(store, tuple(FEW.values()))
    hidden = "[8]" if recipe in OF_ROWS else "8"
    part = "encoder." if recipe in OF_TASKS else "backbone."
    if model in ADAPTED:
        part = ""
    size = ["--model.width", "2"] if of_frames else [f"--model.{part}hidden", hidden]
    if recipe.name in OF_CIRCUITS:
        size = ["--model.head.components", "10"]  # one for each class
    small += [*size, "--data.batch_size", "4"]
    main(["fit", *files, *small, "--out", str(run), "--debug"])
    assert json.loads((run / "metrics.json").read_text())["split"] == "test"  # fit has scored it
    optimizer = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["optimizer_states"][0]
    every = {number for group in optimizer["param_groups"] for number in group["params"]}
    # Several processes would wait for the gradient of a parameter that never has one.
    assert optimizer["state"].keys() == every
    if model == recipe_models(recipe)[0]:  # the command does no more: once for each recipe
        main(["evaluate", str(run), "--split", "valid", "--debug"])
        assert json.loads((run / "metrics.json").read_text())["split"] == "valid"
    begun = ["--show", "reconstructed"] if of_frames else ["--prime", "2"]
    alone = recipe in OF_ROWS or recipe.name in OF_CIRCUITS  # each row is drawn by itself
    begun = [] if alone else begun
    drawn = "s.png"
    if data.get("scan") == "place" or recipe.parent.name in ("speech", "world_model"):
        begun += [] if of_frames else ["--length", "6"]  # as good as a whole recording
    elif recipe in OF_TASKS:  # points in no order show nothing as a sequence
        drawn = "s.npz"
    main(["sample", str(run), "--num", "2", *begun, "--out", f"{run}/{drawn}", "--debug"])
    assert (run / drawn).stat().st_size > 1000


@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_base_and_models_split_the_configuration(recipe: Path) -> None:
    assert "head:" not in (recipe / "base.yaml").read_text()
    for model in recipe_models(recipe):
        text = (recipe / f"{model}.yaml").read_text()
        keys = re.findall(r"^ {0,5}(\w+):", text, flags=re.MULTILINE)
        of_another_kind = keys[1:2] == ["class_path"]  # of model: what is around the head, too
        del keys[1 : 1 + of_another_kind]
        if recipe.name in OF_FRAMES:
            assert set(yaml.safe_load(text)) == {"model"}
            continue
        if recipe in OF_TASKS:  # what is given, and how a task's weights are found, as well
            own = {"encoder", "head", "weights", "proposal", "control_variate", "informed"}
            if model in ADAPTED:
                own = {"head", "adapts", "hidden", "layers", "size", "steps", "rate"}
            rate = ["training", "optimizer", "init_args"]  # of another encoder, if it has its own
            if keys[-3:] == rate:
                training = yaml.safe_load(text)["training"]
                assert set(training["optimizer"]["init_args"]) == {"lr"}
                del keys[-3:]
            assert keys[:2] == ["model", "init_args"] and "head" in keys and set(keys[2:]) <= own
            continue
        if recipe in OF_BACKBONES:
            assert keys == ["model", "init_args", "backbone", "head"], model
            continue
        assert keys == ["model", "init_args", "head"], f"{model}.yaml holds more than a head"


@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_another_optimiser_than_the_default_says_its_weight_decay(recipe: Path) -> None:
    """Where it does not, AdamW's own is carried over to it, where it is another penalty."""
    optimizer = yaml.safe_load((recipe / "base.yaml").read_text())["training"]["optimizer"]
    if optimizer["class_path"] != "torch.optim.AdamW":
        assert "weight_decay" in optimizer["init_args"]


# What is no comparison has a test of its own.
OTHERS = (
    *("legibility.json", "heard.json", "open_loop.json", "scores.json", "metrics.json"),
    *("modes.json", "oracle.json", "task_map.json", "splits.json", "completions.json"),
)
RESULTS = sorted(
    path for recipe in RECIPES for path in recipe.glob("*.json") if path.name not in OTHERS
)


@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_a_table_is_of_all_models_or_there_is_none(recipe: Path) -> None:
    if (recipe / "results.json").exists():
        results = json.loads((recipe / "results.json").read_text())
        assert set(results["models"]) == set(recipe_models(recipe))
        return
    readme = (recipe / "README.md").read_text()  # a figure stands nowhere without its file
    if (recipe / "metrics.json").exists():
        found = json.loads((recipe / "metrics.json").read_text())
        tighter = found["bounds"]["importance-weighted, 16 draws"]
        for bound in (found, tighter):
            assert f"{bound['nll']:,.1f} ± {bound['stderr']:.1f}" in readme
        assert f"{found['bits_per_dim']:.3f}" in readme and found["device"] in readme
        assert f"{found['seconds']:,.0f} s" in readme and f"{found['steps']:,} steps" in readme
        return
    assert "**No table yet.**" in readme and "NLL," not in readme and "±" not in readme


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: f"{named(file.parent)}-{file.stem}")
def test_readme_shows_the_committed_results(file: Path) -> None:
    readme = (file.parent / "README.md").read_text()
    results = json.loads(file.read_text())
    assert markdown_table(results).strip() in readme
    assert results["command"] in readme
    assert results["command"].startswith("seqmdn compare")
    assert results["device"]
    assert results["device"] in readme
    for name in ("seqmdn", "torch", "lightning", "zuko", "python", "git"):
        assert results["versions"][name], f"{name} is missing among the versions"
    assert not results["versions"]["git"].endswith("-dirty")


def test_the_readme_of_the_project_shows_the_main_job() -> None:
    results = json.loads((ROOT / "recipes/pixels/digits/results.json").read_text())
    assert markdown_table(results).strip() in (ROOT / "README.md").read_text()
    assert (ROOT / "recipes/pixels/digits/compare.png").is_file()


STUDIES = sorted((ROOT / "recipes/study").glob("*.json"))


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.stem)
def test_the_study_shows_its_committed_results(study: Path) -> None:
    results = json.loads(study.read_text())
    readme = (ROOT / "recipes/README.md").read_text()
    likelihoods, gains = grid_tables(results).strip().split("\n\n")
    assert likelihoods in readme and gains in readme
    assert results["device"] in readme
    assert not results["versions"]["git"].endswith("-dirty")
    models = {cell["model"] for cell in results["sweep"]["cells"].values()}
    assert models == {path.stem for path in study.parent.glob("*.yaml")}
    steps = results["budget"]["steps"]
    recipe = next(r for r in RECIPES if named(r) in results["recipe"])
    assert f"recipes/{named(recipe)}" in readme and f"--trainer.max_steps {steps}" in readme


@pytest.mark.parametrize(
    "model", sorted((ROOT / "recipes/study").glob("*.yaml")), ids=lambda p: p.stem
)
def test_a_model_of_the_study_fits(
    model: Path, clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone)
    files = ["-c", "recipes/pixels/digits/base.yaml", "-c", f"recipes/study/{model.name}"]
    small = ["--trainer.max_steps", "2", "--trainer.val_check_interval", "2"]
    small += ["--model.backbone.hidden", "8", "--data.batch_size", "4"]
    main(["fit", *files, *small, "--out", str(tmp_path / "run"), "--debug"])
    assert json.loads((tmp_path / "run/metrics.json").read_text())["steps"] == 2


def test_errors_of_the_temperature_are_those_of_the_results() -> None:
    recipe = ROOT / "recipes/regression/apparent_temperature"
    results, readme = json.loads((recipe / "results.json").read_text()), recipe / "README.md"
    for name, found in results["models"].items():
        words = f"{name} R² {found['r2']:.4f}, mean absolute error {found['mae']:.3f} °C"
        assert words in readme.read_text()
