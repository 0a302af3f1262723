"""What the README shows works."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from stemsplit.cli.app import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TORCHRUN = {"--nnodes", "--nproc-per-node", "--max-restarts", "--rdzv-backend", "--rdzv-endpoint"}
SLURM = {"--nodes", "--ntasks-per-node", "--gpus-per-node"}
ELSEWHERE = {"--help", *TORCHRUN, *SLURM}


def test_the_python_example_runs(tmp_path: Path) -> None:
    material = pytest.importorskip("tests.benchmarks.material")
    pytest.importorskip("demucs", reason="the reference makes the checkpoint")
    material.write_checkpoint(tmp_path, "tiny", material.TINY)
    material.write_song(tmp_path / "song.wav", 1.5)
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found is not None
    example = found.group(1)
    assert 'Separator("htdemucs"' in example
    code = example.replace('"htdemucs"', '"tiny.th"')
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "STEMSPLIT_CACHE": str(tmp_path / "cache"), "PATH": ""},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1].startswith("0 torch.Size([2, ")


def test_every_option_that_is_named_exists() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", README))
    assert len(named) > 15
    assert named - set(options_of(get_command(app))) <= ELSEWHERE


def options_of(command: Any) -> Iterator[str]:
    """All options of a command and of those below it."""
    for parameter in command.params:
        yield from parameter.opts
    for part in getattr(command, "commands", {}).values():
        yield from options_of(part)


def test_every_command_that_is_named_exists() -> None:
    groups: dict[str, Any] = vars(get_command(app))["commands"]
    for name, group in groups.items():
        if hasattr(group, "commands"):
            named = re.findall(rf"stemsplit {name} ([a-z]+)", README)
            assert set(named) <= set(group.commands), name


def test_the_two_commands_are_there() -> None:
    assert "pip install . && stemsplit demo" in README
    assert "\nstemsplit song.mp3\n" in README
    assert re.search(r"## Tests\n\n```sh\n.*pytest -n auto\n```", README)
