"""Which key is meant."""

import pytest

from seqmdn.comparison.keys import resolve, resolve_each, settable, short
from seqmdn.configuration import ConfigurationError, fit_parser
from tests.small import words, write_recipe, write_store

KNOWN = ["model.head", "model.head.rank", "model.head.flow.hidden", "model.backbone.hidden"]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("head.rank", "model.head.rank"),
        ("rank", "model.head.rank"),
        ("--model.init_args.head.init_args.rank", "model.head.rank"),
        ("head", "model.head"),
        ("backbone.hidden", "model.backbone.hidden"),
    ],
)
def test_a_key_may_be_short_or_full(asked: str, meant: str) -> None:
    assert resolve(asked, KNOWN) == meant


def test_a_key_that_may_be_two_is_refused_with_both() -> None:
    with pytest.raises(ConfigurationError, match=r"backbone.hidden, model.head.flow.hidden: name"):
        resolve("hidden", KNOWN)


def test_a_key_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"no model has a key 'head.rnak': .*head.rank$"):
        resolve("head.rnak", KNOWN)
    with pytest.raises(ConfigurationError, match="no model has a key 'zzz': `seqmdn fit --help`"):
        resolve("zzz", KNOWN)
    with pytest.raises(ConfigurationError, match="no model has a key 'ank'"):
        resolve("ank", KNOWN)  # not a part of a word


def test_every_key_can_be_given_on_the_command_line(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("keys")
    recipe = write_recipe(folder / "recipe", write_store(folder / "walks.h5"))
    command = words(recipe, model="frmdn")
    known = settable(fit_parser().parse_args(command))
    assert {"model.head", "model.head.flow.transforms", "training.optimizer.lr"} < set(known)
    assert "seed" not in known and all(short(full) == key for key, full in known.items())
    values = {"model.head.components": 7, "training.optimizer.lr": 0.5, "trainer.max_steps": 3}
    options = [f"--{known[key]}={value}" for key, value in values.items()]
    config = fit_parser().parse_args([*command, *options])
    assert {key: config[known[key]] for key in values} == values


def test_a_key_that_lies_deeper_in_some_models_is_the_one_of_each() -> None:
    ensemble = [key.replace("model.", "model.model.") for key in KNOWN]
    known = {"mdn": KNOWN, "five": ensemble, "other": ["model.size"]}
    deep = {"mdn": "model.head.rank", "five": "model.model.head.rank"}
    assert resolve_each("head.rank", known) == deep
    assert resolve_each("--head.init_args.rank", known) == deep
    # One that is named whole is no other.
    assert resolve_each("model.head.rank", known) == {"mdn": "model.head.rank"}
    assert resolve_each("head.rank", {"five": ensemble}) == {"five": "model.model.head.rank"}
    assert resolve_each("size", known) == {"other": "model.size"}


def test_keys_of_several_meanings_are_refused_still() -> None:
    with pytest.raises(ConfigurationError, match=r"'hidden' may be any of .*backbone.hidden"):
        resolve_each("hidden", {"mdn": KNOWN, "five": KNOWN})
    apart = {"mdn": ["model.backbone.hidden"], "flow": ["model.head.flow.hidden"]}
    with pytest.raises(ConfigurationError, match="'hidden' may be any of"):
        resolve_each("hidden", apart)
    with pytest.raises(ConfigurationError, match="no model has a key 'rnak'"):
        resolve_each("rnak", {"mdn": KNOWN})
