"""The promises of the package as a whole."""

import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import stemsplit

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(stemsplit.__path__, "stemsplit.")
    if not module.name.endswith("__main__")
)
TORCH_FREE = [
    "stemsplit",
    "stemsplit.errors",
    "stemsplit.audio.formats",
    "stemsplit.models.base",
    "stemsplit.models.registry",
    "stemsplit.checkpoints.catalog",
    "stemsplit.separation.options",
    "stemsplit.separation.events",
    "stemsplit.evaluation",
    "stemsplit.evaluation.report",
    "stemsplit.evaluation.summary",
    "stemsplit.cli.app",
]


def test_the_public_names_are_these() -> None:
    assert stemsplit.__all__ == [
        "Separation",
        "SeparationOptions",
        "Separator",
        "StemsplitError",
        "__version__",
    ]
    assert set(stemsplit.__all__) <= set(dir(stemsplit))
    for name in stemsplit.__all__:
        assert getattr(stemsplit, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = stemsplit.nothing_of_the_kind


@pytest.mark.parametrize("name", MODULES)
def test_every_module_imports(name: str) -> None:
    assert importlib.import_module(name).__name__ == name


@pytest.mark.parametrize("name", TORCH_FREE)
def test_what_the_command_line_imports_leaves_torch_alone(name: str) -> None:
    code = f"import sys, {name}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("package", "allowed"), [("ffmpeg", {"ffmpeg.py"}), ("torchaudio", set()), ("demucs", set())]
)
def test_replaceable_packages_are_imported_in_one_file_at_most(
    package: str, allowed: set[str]
) -> None:
    pattern = re.compile(rf"^\s*(import|from) {package}\b", re.MULTILINE)
    users = [
        path.name for path in ROOT.glob("stemsplit/**/*.py") if pattern.search(path.read_text())
    ]
    assert set(users) == allowed


def test_nothing_but_the_agreed_names_lies_at_the_top() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    tops = {line.split("/")[0] for line in listed.stdout.splitlines()}
    agreed = {"stemsplit", "tests", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"}
    assert {name for name in tops if not name.startswith(".")} <= agreed


def test_the_version_stands_on_top_of_the_changelog() -> None:
    found = re.search(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert found is not None
    assert found.group(1) == stemsplit.__version__


def test_the_distribution_is_not_called_like_somebody_elses() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == "stemsplit-torch"
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"pip install (-\S+ )*stemsplit(?!-torch)\b", text) is None
