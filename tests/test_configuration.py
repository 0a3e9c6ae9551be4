"""What a run is made of: which file wins, and what is said of a mistake."""

import inspect
import json
import re
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from jsonargparse import Namespace

from seqmdn.compare import recipe_models
from seqmdn.configuration import ConfigurationError, fit_parser, model_parser
from seqmdn.heads import FlowMixtureHead
from tests.small import parse, words, write_recipe, write_store

ROOT = Path(__file__).parents[1]
RECIPES = sorted(path.parent for path in ROOT.glob("recipes/*/*/base.yaml"))
MODELS = [(recipe, model) for recipe in RECIPES for model in recipe_models(recipe)]
HEAD = "--model.init_args.head"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    return write_recipe(folder, write_store(folder / "walks.h5"))


def refused(recipe: Path, *more: str, model: str = "rmdn") -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse(recipe, *more, model=model)
    message = str(caught.value)
    assert "\n" not in message and "usage" not in message and "Namespace(" not in message
    return message


def values(config: Namespace) -> dict[str, object]:
    return {key: value for key, value in config.items() if key != "config"}


# --------------------------------------------------------------------------------------------------
# What counts
# --------------------------------------------------------------------------------------------------


def test_later_files_override_earlier_ones_and_options_override_files(
    recipe: Path, tmp_path: Path
) -> None:
    hidden = "model.init_args.backbone.init_args.hidden"
    more = tmp_path / "more.yaml"
    content = {"model": {"init_args": {"backbone": {"init_args": {"hidden": 5}}}}}
    more.write_text(yaml.safe_dump(content | {"trainer": {"max_steps": 7}}))
    plain = parse(recipe)
    assert (plain[hidden], plain.trainer.max_steps, plain.seed) == (8, 12, 0)
    config = parse(recipe, "-c", str(more))
    assert (config[hidden], config.trainer.max_steps) == (5, 7)
    assert config["model.init_args.backbone.init_args.dropout"] == 0.3, "what is not said stays"
    config = parse(recipe, "-c", str(more), f"--{hidden}=6", "--seed", "9")
    assert (config[hidden], config.trainer.max_steps, config.seed) == (6, 7, 9)


def test_another_class_takes_its_own_options(recipe: Path) -> None:
    config = parse(recipe, f"{HEAD}=seqmdn.heads.FlowMixtureHead", f"{HEAD}.conditional=true")
    assert config.model.init_args.head.class_path.endswith(FlowMixtureHead.__name__)
    assert config.model.init_args.head.init_args.conditional is True
    assert config.model.init_args.head.init_args.components == 2


def test_the_words_class_and_arguments_may_be_left_out(recipe: Path) -> None:
    short = ["--model.head.components=7", "--model.transform=seqmdn.data.Standardise"]
    short += ["--data.path=a.h5", "--data.noise=null", "--training.optimizer.lr=0.5"]
    long = ["--model.init_args.head.init_args.components=7"]
    long += ["--model.init_args.transform.class_path=seqmdn.data.Standardise"]
    long += ["--data.init_args.path=a.h5", "--data.init_args.noise=null"]
    long += ["--training.optimizer.init_args.lr=0.5"]
    config = parse(recipe, *short)
    assert values(config) == values(parse(recipe, *long))
    assert config["model.init_args.head.init_args.components"] == 7
    assert config.training.optimizer.init_args.lr == 0.5
    assert config.data.init_args.noise is None and str(config.data.init_args.path) == "a.h5"


def test_defaults_are_those_of_a_run(recipe: Path) -> None:
    trainer = parse(recipe).trainer
    assert trainer.num_sanity_val_steps == 0 and trainer.enable_model_summary is False
    assert trainer.use_distributed_sampler is False  # it would pad the test set
    assert trainer.check_val_every_n_epoch is None  # the interval counts steps, over epochs


@pytest.mark.parametrize("name", ["logger", "plugins", "default_root_dir"])
def test_what_a_run_decides_itself_is_no_option(recipe: Path, name: str) -> None:
    assert f"there is no option --trainer.{name}" in refused(recipe, f"--trainer.{name}=x")


@pytest.mark.parametrize(
    ("folder", "model"), MODELS, ids=[f"{f.parent.name}/{f.name}/{m}" for f, m in MODELS]
)
def test_a_configuration_written_down_is_the_same_again(
    folder: Path, model: str, tmp_path: Path
) -> None:
    parser = fit_parser()
    config = parser.parse_args(words(folder, model=model))
    saved = tmp_path / "config.yaml"
    parser.save(config, saved, skip_unset=False)
    again = fit_parser().parse_args(["-c", str(saved)])
    assert values(again) == values(config)
    assert again.trainer.max_steps > 0
    # Every default stands in it, so that another version's defaults change nothing.
    kept = yaml.safe_load(saved.read_text())
    module, _, kind = kept["model"]["class_path"].rpartition(".")
    arguments = inspect.signature(getattr(import_module(module), kind)).parameters
    assert set(kept["model"]["init_args"]) == set(arguments) - {"features", "context"}
    assert kept["training"]["schedule"] and "precision" in kept["trainer"]
    if "head" not in arguments:  # an autoencoder of frames
        return
    inner = kept["model"]["init_args"]["head"]["init_args"]
    # That of a pen's offsets, or of the samples of a frame, beside the bits.
    inner = inner.get("offsets", inner.get("continuous", {"init_args": inner}))["init_args"]
    assert {"components", "classes"} & set(inner) or not inner  # a squared error has none


def test_a_checkpoints_words_make_data_and_model(recipe: Path) -> None:
    parser = fit_parser()
    said = json.loads(parser.dump(parse(recipe), format="json", skip_unset=False))
    made = model_parser().parse_object({key: said[key] for key in ("data", "model")})
    made = model_parser().instantiate(made)
    assert made.data.batch_size == 5
    model = made.model(2, 0)
    assert model.features == 2 and model.backbone.hidden == 8


# --------------------------------------------------------------------------------------------------
# What is said
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "--trainer.max_stepz=3",
            "there is no option --trainer.max_stepz: did you mean --trainer.max_steps?",
        ),
        (
            "--training.warmupp=3",
            "there is no option --training.warmupp: did you mean --training.warmup?",
        ),
        ("--sed=3", "there is no option --sed: did you mean --seed?"),
        ("--modle.x=3", "there is no option --modle.x: did you mean --model?"),
        ("--zzzzz", "there is no option --zzzzz: see seqmdn fit --help"),
        ("word", "there is no option word: see seqmdn fit --help"),
        (
            "--model.init_args.backbone.init_args.hiddn=3",
            "seqmdn.backbones.LSTMBackbone has no option 'hiddn': did you mean hidden?",
        ),
        (
            "--model.init_args.feature=3",
            "seqmdn.models.SequenceModel has no option 'feature': did you mean features?",
        ),
        (
            f"{HEAD}.init_args.rankk=3",
            "seqmdn.heads.MixtureHead has no option 'rankk': did you mean rank?",
        ),
        (
            "--training.optimizer.init_args.lrr=3",
            "torch.optim.AdamW has no option 'lrr': did you mean lr?",
        ),
        (
            "--data.init_args.batch_sise=3",
            "seqmdn.data.SequenceDataModule has no option 'batch_sise': did you mean batch_size?",
        ),
        (
            "--data.init_args.noise.init_args.widht=3",
            "seqmdn.data.UniformDequantise has no option 'widht': did you mean width?",
        ),
    ],
)
def test_a_misspelt_option(recipe: Path, option: str, message: str) -> None:
    assert refused(recipe, option) == message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"trainr": {"max_steps": 3}}, "there is no key 'trainr.max_steps': did you mean trainer"),
        ({"sed": 3}, "there is no key 'sed': did you mean seed?"),
        (
            {"trainer": {"max_stepz": 3}},
            "there is no key 'trainer.max_stepz': did you mean trainer.max_steps?",
        ),
        (
            {"data": {"init_args": {"batch_sise": 3}}},
            "seqmdn.data.SequenceDataModule has no option 'batch_sise': did you mean batch_size?",
        ),
        (
            {"model": {"init_argz": {"head": 3}}},
            "seqmdn.models.SequenceModel has no option 'init_argz.head': did you mean init_args?",
        ),
        (
            {"model": {"init_args": {"hed": 3}}},
            "seqmdn.models.SequenceModel has no option 'hed': did you mean head?",
        ),
        (
            {"model": {"init_args": {"head": {"init_args": {"flow": {"init_args": {"tran": 3}}}}}}},
            "seqmdn.flows.AffineCoupling has no option 'tran'",
        ),
    ],
    ids=["section", "top", "trainer", "data", "init_args", "model", "flow"],
)
def test_a_misspelt_key(
    recipe: Path, tmp_path: Path, content: dict[str, object], message: str
) -> None:
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(content))
    assert refused(recipe, "-c", f"{tmp_path}/more.yaml", model="frmdn").startswith(message)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--model=seqmdn.models.Modell", "model: module 'seqmdn.models' has no attribute 'Modell'"),
        (f"{HEAD}=seqmdn.heads.Hat", "model.head: module 'seqmdn.heads' has no attribute 'Hat'"),
        (f"{HEAD}=nowhere.Head", "model.head: No module named 'nowhere'"),
        (f"{HEAD}=Head", "model.head: Expected a dot import path string: Head"),
        ("--data.init_args.noise=seqmdn.data.Rain", "data.noise: module 'seqmdn.data' has no attr"),
        ("--training.optimizer=torch.optim.Adamm", "training.optimizer: module 'torch.optim' has "),
        (
            "--data.init_args.noise=seqmdn.data.Store",
            "data.noise: Import path does not correspond to a subclass of Noise, found seq",
        ),
        (
            "--model=torch.nn.Linear",
            "model: Expected 'torch.nn.Linear' to be a subclass of <class 'DensityModel'>.",
        ),
        (f"{HEAD}=seqmdn{'.heads' * 1000}", "expected class paths and values of a few levels, fou"),
    ],
)
def test_an_unknown_class(recipe: Path, option: str, message: str) -> None:
    assert refused(recipe, option).startswith(message)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--trainer.max_steps=many", "trainer.max_steps: expected int, found many"),
        ("--seed=x", "seed: expected int, found x"),
        (f"{HEAD}.init_args.components=five", "model.head.components: expected int, found five"),
        ("--data.init_args.batch_size=1.5", "data.batch_size: expected int, found 1.5"),
        (
            "--training.schedule=linear",
            "training.schedule: expected one of 'constant', 'cosine', found linear",
        ),
        (
            f"{HEAD}.init_args.covariance=round",
            "model.head.covariance: expected one of 'spherical', 'diagonal', 'lowrank', 'full', "
            "found round",
        ),
        ("--data.init_args.per=row", "data.per: expected one of 'frame', 'sequence', found row"),
        ("--trainer.precision=17", "trainer.precision: expected one of 64, 32, 16, "),
    ],
)
def test_a_value_of_the_wrong_kind(recipe: Path, option: str, message: str) -> None:
    assert refused(recipe, option).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trainer: {max_steps: 3\n", "is no YAML: expected ',' or '}', but got '<stream end>', li"),
        ("a: b: c\n", "is no YAML: mapping values are not allowed here, line 1"),
        ("seed: 1\n\t- x\n", "is no YAML: .*line 2"),
        ("", "expected keys such as data and model, found nothing"),
        ("# to do\n", "expected keys such as data and model, found nothing"),
        ("- 1\n- 2\n", r"expected keys such as data and model, found \[1, 2\]"),
        ("words\n", "expected keys such as data and model, found 'words'"),
    ],
)
def test_a_broken_file(recipe: Path, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "more.yaml"
    path.write_text(text)
    for option in (["-c", str(path)], [f"--config={path}"]):
        found = refused(recipe, *option)
        assert found.startswith(str(path)) and re.search(message, found)


def test_bytes_are_no_text(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_bytes(b"\xff\xfe\x00")
    assert "is no YAML: expected text" in refused(recipe, "-c", f"{tmp_path}/more.yaml")


def test_a_missing_file(recipe: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        assert refused(recipe, "-c", str(path)) == f"there is no configuration file {path}"


def test_what_is_missing(recipe: Path) -> None:
    def said(*arguments: str) -> str:
        with pytest.raises(ConfigurationError) as caught:
            fit_parser().parse_args(list(arguments))
        return str(caught.value)

    assert said() == "the following arguments are required: data, model"
    # A file of a head alone has no model to put it into: base.yaml comes first.
    assert said("-c", f"{recipe}/rmdn.yaml").startswith("model: Dict must include a class_path")
    assert "model" in said("--data", "seqmdn.data.SequenceDataModule", "--data.path", "a.h5")
    assert "expected one argument" in said("-c")
    assert "expected one argument" in said("--seed")


# --------------------------------------------------------------------------------------------------
# Files from elsewhere
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["os.system", "os.popen", "subprocess.getoutput"])
@pytest.mark.parametrize("key", ["model", "model.init_args.head", "training.optimizer", "data"])
def test_a_function_in_a_configuration_is_not_called(
    recipe: Path, tmp_path: Path, command: str, key: str
) -> None:
    trace = tmp_path / "executed"
    argument = {"os.system": "command"}.get(command, "cmd")
    content: dict[str, object] = {
        "class_path": command,
        "init_args": {argument: f"mkdir {trace}"},
    }
    for part in reversed(key.split(".")):
        content = {part: content}
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigurationError):
        config = parse(recipe, "-c", str(tmp_path / "more.yaml"))
        fit_parser().instantiate(config)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("os.popen", {"cmd": "mkdir TRACE"}),  # refused by its name
        ("torch.save", {"obj": 1, "f": "TRACE"}),  # as it is no class
    ],
)
def test_a_function_of_the_command_line_is_not_called(
    recipe: Path, tmp_path: Path, path: str, arguments: dict[str, object]
) -> None:
    trace = tmp_path / "executed"
    head = json.dumps({"class_path": path, "init_args": arguments}).replace("TRACE", str(trace))
    with pytest.raises(ConfigurationError, match=re.escape(path)):
        fit_parser().instantiate(parse(recipe, f"{HEAD}={head}"))
    assert not trace.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: 2001-99-99", "month must be in 1..12"),
        ("seed: " + "[" * 5000, "recursion"),
        ("seed: " + "1" * 5000, "limit"),
        ("model: !!python/object/apply:os.system [true]", "could not determine a constructor"),
        ("seed: &a [*a]", "aliases written out"),
        (
            "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 40)),
            "aliases written out",
        ),
        ("# " + "a" * 2**20, "expected at most 1048576 bytes"),
    ],
    ids=["date", "nesting", "digits", "tag", "in itself", "aliases", "size"],
)
def test_a_hostile_file_is_refused_by_its_name(
    recipe: Path, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "more.yaml").write_text(text)
    message = refused(recipe, "-c", str(tmp_path / "more.yaml"))
    assert message.startswith(str(tmp_path / "more.yaml")) and words in message


def test_aliases_of_a_little_are_no_attack(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("seed: &n 7\ntrainer: {max_steps: *n}")
    config = parse(recipe, "-c", str(tmp_path / "more.yaml"))
    assert config.seed == config.trainer.max_steps == 7
