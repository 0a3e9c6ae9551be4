"""Several models, one data set, one budget: one table."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import seqmdn
from seqmdn.configuration import fit_parser
from seqmdn.files import save_json, save_text
from seqmdn.plotting import comparison_figure
from seqmdn.runs import Interrupted, draw, learning_curve, load_run

__all__ = [
    "Task",
    "check_resumable",
    "compare",
    "markdown_table",
    "plan",
    "recipe_models",
    "summarise",
    "train_all",
]

Report = Callable[..., None]


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


def check_resumable(tasks: Sequence[Task]) -> None:
    """Raise ValueError unless what is there already was begun under the same configuration."""
    for task in tasks:
        begun = task.out / "config.yaml"
        if not begun.exists():
            continue
        wanted = fit_parser().parse_args(list(task.arguments))
        found = fit_parser().parse_args(["-c", str(begun)])
        for key, value in wanted.items():
            if key != "config" and found.get(key) != value:
                raise ValueError(
                    f"{task.out} was begun under another configuration: expected {key} {value}, "
                    f"found {found.get(key)}; repeat its options, or choose another --out"
                )


def train_all(
    tasks: Sequence[Task], jobs: int, resume: bool = False, report: Report | None = None
) -> None:
    """Run the trainings, ``jobs`` at a time, each as a ``seqmdn fit`` of its own.

    With more than one job each training has one thread. Finished runs are kept when ``resume`` is
    set.

    Raises:
        Interrupted: After Ctrl-C, once every training under way has written its checkpoint.
        RuntimeError: If a training failed; the message ends with its last words.
    """
    environment = dict(os.environ) if jobs == 1 else os.environ | {"OMP_NUM_THREADS": "1"}
    processes: list[subprocess.Popen[str]] = []
    stopping = threading.Event()

    def train(task: Task) -> None:
        if resume and (task.out / "metrics.json").exists():
            return
        started = resume and (task.out / "checkpoints" / "last.ckpt").exists()
        task.out.mkdir(parents=True, exist_ok=True)
        target = ("--resume", str(task.out)) if started else ("--out", str(task.out))
        fit = [sys.executable, "-m", "seqmdn", "fit", *task.arguments, *target]
        with (
            (task.out / "log.txt").open("a") as log,
            subprocess.Popen(
                [*fit, "--progress", "json"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
                # Ctrl-C is for the comparison, which hands it on once.
                start_new_session=True,
            ) as process,
        ):
            processes.append(process)
            if stopping.is_set():  # started while the others were being told
                process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            for line in process.stdout:
                if report is not None and line.startswith("{"):
                    report(task.name, **json.loads(line))
        if process.returncode != 0:
            words = (task.out / "log.txt").read_text().strip().splitlines()[-3:]
            raise RuntimeError(f"the training of {task.name} failed: " + " ".join(words))

    pool = ThreadPoolExecutor(jobs)
    running = [pool.submit(train, task) for task in tasks]
    try:
        for future in as_completed(running):
            future.result()
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        stopping.set()
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        pool.shutdown(wait=True)
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted("every training under way has written a checkpoint") from error
        raise
    pool.shutdown()


def compare(
    recipe: Path,
    tasks: Sequence[Task],
    out: Path,
    command: str,
) -> dict[str, Any]:
    """Gather finished runs into one table: ``compare.json``, ``compare.md`` and ``compare.png``.

    Args:
        recipe: The recipe's folder.
        tasks: The finished trainings.
        out: Where the three files go.
        command: The command that did it, for the record.

    Returns:
        What ``compare.json`` holds.

    Raises:
        ValueError: If the runs were not scored on the same data.
    """
    metrics = {task: json.loads((task.out / "metrics.json").read_text()) for task in tasks}
    # Each split has a limit of its own; the runs know that of the test split.
    limit_valid = load_run(tasks[0].out).data.limit("valid")
    result = summarise(recipe, metrics, command, limit_valid)
    save_json(out / "compare.json", result)
    save_text(out / "compare.md", markdown_table(result))
    _draw(tasks, result, out / "compare.png")
    return result


def summarise(
    recipe: Path,
    metrics: Mapping[Task, Mapping[str, Any]],
    command: str,
    limit_valid: float | None = None,
) -> dict[str, Any]:
    """Return the content of ``compare.json`` from each run's metrics and the validation limit."""
    first = next(iter(metrics.values()))
    for task, found in metrics.items():
        if found["split"] != "test":
            raise ValueError(
                f"{task.name} was last scored on the split {found['split']!r}: score it again by "
                f"`seqmdn evaluate {task.out}`"
            )
        if found["dataset"] != first["dataset"] or found["unit"] != first["unit"]:
            raise ValueError(
                f"{task.name} was scored on other data: expected {first['dataset']} in "
                f"{first['unit']}, found {found['dataset']} in {found['unit']}"
            )
    models = list(dict.fromkeys(task.model for task in metrics))
    runs = {name: [(t, m) for t, m in metrics.items() if t.model == name] for name in models}
    values = {
        name: np.array([found["nll_per_sequence"] for _, found in runs[name]]) for name in models
    }  # (seeds, sequences)
    data = first["dataset"]
    return {
        "recipe": recipe.as_posix(),
        "dataset": {
            "name": data["name"],
            "sha256": data["sha256"],
            "test_sequences": data["sequences"],
            "test_frames": data["frames"],
        },
        "unit": first["unit"],
        **({"limit": first["limit"]} if "limit" in first else {}),
        **({} if limit_valid is None else {"limit_valid": limit_valid}),
        "models": {
            name: _entry(values[name], [found for _, found in runs[name]]) for name in models
        },
        "paired": {
            f"{b} - {a}": _paired(values[b], values[a])
            for i, a in enumerate(models)
            for b in models[i + 1 :]
        },
        "versions": first["versions"] | {"git": _git_revision()},
        "device": first["device"],
        "command": command,
    }


def markdown_table(result: Mapping[str, Any]) -> str:
    """Return the table of a comparison, best model in bold, for a README.

    The last but two column is the difference to the best model, paired sequence by sequence.
    """
    models, unit = result["models"], result["unit"]
    best = min(models, key=lambda name: models[name]["nll"])
    limit = result.get("limit")
    head = ["model", f"NLL, {unit}", "bits/dim", f"minus best, {unit}"]
    head += [f"above the limit, {unit}"] if limit is not None else []
    head += ["parameters", "training, s"]
    rows = []
    for name, entry in models.items():
        delta = _difference(result, name, best)
        cells = [
            f"**{name}**" if name == best else name,
            f"{entry['nll']:.3f} ± {entry['stderr']:.3f}",
            f"{entry['bits_per_dim']:.3f}",
            "" if delta is None else f"{delta['delta']:+.3f} ± {delta['stderr']:.3f}",
        ]
        cells += [f"{entry['gap_to_limit']:.3f}"] if limit is not None else []
        cells += [f"{entry['params']:,}", f"{entry['seconds']:.0f}"]
        rows.append(cells)
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    data = result["dataset"]
    words = (
        f"Test part of {data['name']}: {data['test_sequences']:,} sequences, "
        f"{data['test_frames']:,} frames. ± is one standard error; differences are paired, "
        "sequence by sequence; lower is better."
    )
    if limit is not None:
        words += f" No model can be below {limit:.2f} {unit}."
    return f"{table}\n\n{words}\n"


def _entry(values: np.ndarray, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "nll": float(values.mean()),
        "stderr": _standard_error(values),
        "bits_per_dim": float(np.mean([m["bits_per_dim"] for m in found])),
        "params": found[0]["params"],
        "seconds": float(np.mean([m["seconds"] for m in found])),
        "seeds": [
            {key: m[key] for key in ("seed", "nll", "stderr", "bits_per_dim", "seconds", "steps")}
            for m in found
        ],
    }
    if "limit" in found[0]:
        entry["gap_to_limit"] = entry["nll"] - found[0]["limit"]
    return entry


def _standard_error(values: np.ndarray) -> float:
    """Standard error of the mean over (seeds, sequences), both kinds of chance together."""
    squared = values.mean(axis=0).var(ddof=1) / values.shape[1]
    if values.shape[0] > 1:
        squared += values.mean(axis=1).var(ddof=1) / values.shape[0]
    return math.sqrt(squared)


def _paired(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    """Paired difference of two models over (seeds, sequences); negative: the first is better."""
    difference = first - second
    return {
        "delta": float(difference.mean()),
        "stderr": _standard_error(difference),
        "share_of_sequences_better": float((difference.mean(axis=0) < 0).mean()),
    }


def _difference(result: Mapping[str, Any], name: str, best: str) -> dict[str, float] | None:
    """The paired entry of ``name`` minus ``best``, whichever way round it stands."""
    paired = result["paired"]
    if f"{name} - {best}" in paired:
        return paired[f"{name} - {best}"]
    if f"{best} - {name}" in paired:
        turned = paired[f"{best} - {name}"]
        return {"delta": -turned["delta"], "stderr": turned["stderr"]}
    return None


def _git_revision() -> str | None:
    """Name the revision of the code, ``-dirty`` where it was changed since, if it is a clone."""
    folder = Path(seqmdn.__file__).parent

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")  # an installed one may lie in any clone
        return git("describe", "--always", "--dirty", "--abbrev=12")
    except (OSError, subprocess.CalledProcessError):
        return None


def _draw(tasks: Sequence[Task], result: Mapping[str, Any], path: Path) -> None:
    """Draw learning curves, test NLLs and samples of each model beside real sequences."""
    summaries: dict[str, Any] = {}
    real = None
    for name, entry in result["models"].items():
        runs = [task for task in tasks if task.model == name]
        run = load_run(runs[0].out)
        longest = int(run.data.store.lengths[run.data.store.indices("test")].max())
        length = min(200, longest)
        drawn, real = draw(run, num=12, length=length)
        summaries[name] = {
            "nll": entry["nll"],
            "stderr": entry["stderr"],
            "curve": [learning_curve(task.out) for task in runs],
            "samples": drawn.values.cpu().numpy(),
        }
    assert real is not None
    comparison_figure(
        path,
        summaries,
        unit=result["unit"],
        real=real.values[:, :length].numpy(),
        real_lengths=real.lengths.clamp(max=length).numpy(),
        attributes=run.data.store.attributes,
        limit=result.get("limit"),
        limit_valid=result.get("limit_valid"),
    )
