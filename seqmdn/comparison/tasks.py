"""What a comparison trains: each model of a recipe, once a seed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from jsonargparse import Namespace

from seqmdn.configuration import fit_parser

__all__ = [
    "Cell",
    "Task",
    "cells_of",
    "first_tasks",
    "fit_arguments",
    "model_file",
    "plan",
    "recipe_models",
]


@dataclass(frozen=True)
class Cell:
    """One line of a comparison: a model, and what it is given beyond the recipe.

    Attributes:
        name: Its name in tables, pictures and folders.
        model: The model, as :func:`model_file` takes it.
        words: Options of ``seqmdn fit`` that only this cell has.
        settings: What a sweep has set, short key and value, for its table.
    """

    name: str
    model: str
    words: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()

    def given(self, *words: str) -> "Cell":
        """Return the same cell with more options."""
        return replace(self, words=(*self.words, *words))


@dataclass(frozen=True)
class Task:
    """One training of a comparison.

    Attributes:
        model: Name of the model, the stem of its file in the recipe, or of a cell of a sweep.
        seed: Seed of the run.
        arguments: Command line of ``seqmdn fit``, without ``--out``.
        out: The run's folder.
        parsed: What the arguments say, where that is known already.
    """

    model: str
    seed: int
    arguments: tuple[str, ...]
    out: Path
    parsed: Namespace | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        return f"{self.model}, seed {self.seed}"

    @property
    def config(self) -> Namespace:
        """What the arguments say, for the caller to change."""
        if self.parsed is not None:
            return self.parsed.clone()
        return fit_parser().parse_args(list(self.arguments))


def first_tasks(tasks: Iterable[Task]) -> dict[str, Task]:
    """Return the first training of each model by the model's name, models in their order.

    Example:
        >>> tasks = [Task(model, seed, (), Path()) for model in ("b", "a") for seed in (0, 1)]
        >>> [task.name for task in first_tasks(tasks).values()]
        ['b, seed 0', 'a, seed 0']
    """
    found: dict[str, Task] = {}
    for task in tasks:
        found.setdefault(task.model, task)
    return found


def recipe_models(recipe: Path) -> list[str]:
    """Return the models of a recipe, the RMDNs first: every YAML file beside ``base.yaml``.

    Raises:
        FileNotFoundError: If the folder is not a recipe.
    """
    if not (recipe / "base.yaml").is_file():
        raise FileNotFoundError(
            f"{recipe} is not a recipe: expected a folder with base.yaml and a YAML file a model"
        )
    names = [path.stem for path in recipe.glob("*.yaml") if path.stem != "base"]
    return sorted(names, key=lambda name: (not name.startswith("rmdn"), name))


def model_file(recipe: Path, model: str) -> Path:
    """Return the file of a model: one of the recipe's, by its name, or any other, by its path.

    Raises:
        FileNotFoundError: If there is no file at that path.
        ValueError: If the recipe has no such model.
    """
    if model.endswith(".yaml"):
        if not Path(model).is_file():
            raise FileNotFoundError(f"{model} is not there: expected a YAML file with a model")
        return Path(model)
    known = recipe_models(recipe)
    if model not in known:
        raise ValueError(
            f"{recipe} has no model {model!r}: choose among {', '.join(known)}, or name a YAML file"
        )
    return recipe / f"{model}.yaml"


def cells_of(models: Sequence[str]) -> list[Cell]:
    """Return a cell for each model, each named as its file is.

    Raises:
        ValueError: If two files have one name.

    Example:
        >>> [cell.name for cell in cells_of(["rmdn", "recipes/study/maf.yaml", "rmdn"])]
        ['rmdn', 'maf']
    """
    cells = [Cell(Path(m).stem if m.endswith(".yaml") else m, m) for m in dict.fromkeys(models)]
    names = [cell.name for cell in cells]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two models are named {twice[0]!r}: rename one of the files")
    return cells


def fit_arguments(recipe: Path, model: str, overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the command line of ``seqmdn fit`` for one model on the data of a recipe.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the recipe has no such model.
    """
    return ("-c", f"{recipe}/base.yaml", "-c", str(model_file(recipe, model)), *overrides)


def plan(
    recipe: Path, models: Sequence[str | Cell], seeds: int, out: Path, overrides: Sequence[str]
) -> list[Task]:
    """Return the trainings of a comparison, every configuration checked before any starts."""
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, found {seeds}")
    cells = [each for each in models if isinstance(each, Cell)]
    cells += cells_of([each for each in models if isinstance(each, str)])
    commands = {cell: fit_arguments(recipe, cell.model, overrides) for cell in cells}
    tasks = []
    for cell, arguments in commands.items():
        config = fit_parser().parse_args([*arguments, *cell.words])
        for seed in range(seeds):
            words = (*arguments, *cell.words, "--seed", str(seed))
            config["seed"] = seed
            folder = out / "runs" / f"{cell.name}-{seed}"
            tasks.append(Task(cell.name, seed, words, folder, config.clone()))
    return tasks
