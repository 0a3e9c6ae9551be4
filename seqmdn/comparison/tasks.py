"""What a comparison trains: each model of a recipe, once a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqmdn.configuration import fit_parser

__all__ = ["Task", "plan", "recipe_models"]


@dataclass(frozen=True)
class Task:
    """One training of a comparison.

    Attributes:
        model: Name of the model, the stem of its file in the recipe.
        seed: Seed of the run.
        arguments: Command line of ``seqmdn fit``, without ``--out``.
        out: The run's folder.
    """

    model: str
    seed: int
    arguments: tuple[str, ...]
    out: Path

    @property
    def name(self) -> str:
        return f"{self.model}, seed {self.seed}"


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


def plan(
    recipe: Path, models: Sequence[str], seeds: int, out: Path, overrides: Sequence[str]
) -> list[Task]:
    """Return the trainings of a comparison, every configuration checked before any starts."""
    known = recipe_models(recipe)
    unknown = [name for name in models if name not in known]
    if unknown:
        raise ValueError(f"{recipe} has no model {unknown[0]!r}: choose among {', '.join(known)}")
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, found {seeds}")
    tasks = []
    for model in dict.fromkeys(models):
        for seed in range(seeds):
            arguments = ("-c", f"{recipe}/base.yaml", "-c", f"{recipe}/{model}.yaml", *overrides)
            task = Task(
                model, seed, (*arguments, "--seed", str(seed)), out / "runs" / f"{model}-{seed}"
            )
            fit_parser().parse_args(list(task.arguments))
            tasks.append(task)
    return tasks
