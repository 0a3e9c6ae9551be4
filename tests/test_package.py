"""The package as a whole: versions, public names, floors, and what must not be in the tree."""

import ast
import importlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import seqmdn

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "seqmdn").rglob("*.py"))
MODULES = [path for path in SOURCES if path.name != "__main__.py"]  # importing that one runs it
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Top to bottom; a file imports only from floors below its own.
FLOORS = [
    "__main__",
    "cli",
    "compare",
    "comparison",
    "report",
    "exporting",
    "drawings",
    "worlds",
    "environments",
    "runs",
    "transfer",
    "sklearn",
    "configuration",
    "weight_noise",
    "training",
    "precision",
    "nonfinite",
    "sharding",
    "generation",
    "forecasting",
    "scoring",
    "adaptation",
    "checkpoints",
    "weight_files",
    "models",
    "heads",
    "backbones",
    "metrics",
    "flows",
    "distributions",
    "clustering",
    "linalg",
    "data",
    "plotting",
    "processes",
    "provenance",
    "files",
    "reading",
]


def test_one_version_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert seqmdn.__version__ == PROJECT["version"] == str(citation["version"])
    assert citation["license"] == PROJECT["license"]


def test_changelog_has_a_place_for_the_next_line() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    assert headings[0] == "Unreleased"


def test_contributing_is_read_in_one_sitting() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) < 60


@pytest.mark.parametrize("source", MODULES, ids=lambda path: _module(path))
def test_public_names_exist(source: Path) -> None:
    module = importlib.import_module(_module(source))
    names = getattr(module, "__all__", None)
    assert names is not None, f"{module.__name__} has no __all__"
    assert len(set(names)) == len(names)
    missing = [name for name in names if not hasattr(module, name)]
    assert not missing, f"{module.__name__}.__all__ names what is not there: {missing}"
    assert not [name for name in names if name.startswith("_") and name != "__version__"]


def test_every_module_stands_on_a_floor() -> None:
    found = {_floor(_module(source)) for source in SOURCES} - {None}
    assert found <= set(FLOORS), f"not in the map: {sorted(found - set(FLOORS))}"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: _module(path))
def test_imports_go_down(source: Path) -> None:
    assert _upward(_module(source), source.name == "__init__.py", source.read_text()) == []


@pytest.mark.parametrize(
    ("module", "text", "wrong"),
    [
        ("seqmdn.heads", "from seqmdn.distributions import Mixture", []),
        ("seqmdn.heads", "from seqmdn.models.sequence import X", ["seqmdn.models.sequence"]),
        ("seqmdn.heads", "from .models.sequence import X", ["seqmdn.models.sequence"]),
        ("seqmdn.heads", "from seqmdn import models", ["seqmdn.models"]),
        ("seqmdn.heads", "def f():\n    import seqmdn.training", ["seqmdn.training"]),
        ("seqmdn.heads", "from seqmdn import __version__", []),
        ("seqmdn.models.vrnn", "from seqmdn.models.sequence import X", []),
        ("seqmdn.models.vrnn", "from .sequence import X", []),
        ("seqmdn.models.vrnn", "from ..compare import X", ["seqmdn.compare"]),
        ("seqmdn", "from .heads import X", ["seqmdn.heads"]),
    ],
)
def test_an_import_that_goes_up_is_seen(module: str, text: str, wrong: list[str]) -> None:
    assert _upward(module, module == "seqmdn", text) == wrong


@pytest.mark.parametrize(
    "source", [s for s in MODULES if s.name != "__init__.py"], ids=lambda path: _module(path)
)
def test_every_source_file_has_its_test_file(source: Path) -> None:
    inside = source.relative_to(ROOT / "seqmdn")
    expected = ROOT / "tests" / inside.parent / f"test_{inside.name}"
    assert expected.is_file(), f"{expected.relative_to(ROOT)} is missing"


def test_constraints_pin_every_requirement_within_its_range() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    versions = {}
    for pin in pins:
        (specifier,) = pin.specifier
        assert specifier.operator == "==" and "+" not in specifier.version, str(pin)
        versions[canonicalize_name(pin.name)] = specifier.version
    extras = PROJECT["optional-dependencies"]
    for text in [*PROJECT["dependencies"], *(line for extra in extras.values() for line in extra)]:
        wanted = Requirement(text)
        if wanted.name == "seqmdn":
            continue
        version = versions.get(canonicalize_name(wanted.name))
        assert version is not None, f"constraints.txt has no line for {wanted.name}"
        assert version in wanted.specifier, f"{wanted} does not admit {version}"


def test_ci_runs_targets_that_make_knows() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111, ".ci/run is not executable"
    called = re.findall(r"^make (\S+)$", script.read_text(), flags=re.M)
    assert called == ["lint", "test"]
    for target in [*called, "run", "test-long", "format", "clean", "help"]:
        plan = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert plan.returncode == 0, plan.stderr


def test_nothing_names_a_place_on_one_machine() -> None:
    folder = re.compile(r"(?<![\w./~$}{-])/(?:work|farm|root|home|tmp|Users|mnt|opt)/[\w.]")
    beside = "../" + "shared"
    wrong = []
    for path in _tree():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a picture
            continue
        name = path.relative_to(ROOT).as_posix()
        for number, line in enumerate(text.splitlines(), start=1):
            if folder.search(line) or (beside in line and name != ".ci/run"):
                wrong.append(f"{name}:{number}: {line.strip()[:80]}")
    assert not wrong, "\n".join(wrong)


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _floor(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def _imported(module: str, is_package: bool, text: str) -> list[str]:
    """List what a module imports of seqmdn, relative imports resolved."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                package = module.split(".")
                keep = len(package) - node.level + is_package
                origin = ".".join([*package[:keep], *filter(None, [node.module])])
            if origin == "seqmdn":
                found += [f"seqmdn.{alias.name}" for alias in node.names]
            else:
                found.append(origin)
    return [name for name in found if name.startswith("seqmdn.") and "__" not in name]


def _upward(module: str, is_package: bool, text: str) -> list[str]:
    own = _floor(module)
    allowed = set(FLOORS[FLOORS.index(own) :]) if own is not None else set()
    return [name for name in _imported(module, is_package, text) if _floor(name) not in allowed]


def _tree() -> list[Path]:
    """List the files of the tree, those not yet added included."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout: this copy has no .git")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    files = [ROOT / name for name in listing.split("\0") if name]
    assert files, "git lists no file"
    return [path for path in files if path.is_file()]
