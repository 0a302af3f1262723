"""What the README shows works."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from stemsplit.cli.app import app
from stemsplit.errors import ConfigError
from stemsplit.training.distributed import Processes
from stemsplit.training.recipe_files import load_recipe, recipe_of_network
from stemsplit.training.setup import check_shares, plan_training

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


def shown_commands() -> list[list[str]]:
    """The words after `stemsplit` of every command that the README shows."""
    text = README.replace("\\\n", " ")
    found = re.findall(r"(?:`|^(?:\$ )?|-m |&& )stemsplit (?=[^`\n])([^`\n]*)", text, re.MULTILINE)
    return [shlex.split(words) for words in found]


def test_every_command_that_is_shown_is_understood() -> None:
    shown = shown_commands()
    assert len(shown) > 30
    for words in shown:
        command: Any = get_command(app)
        rest = words
        while rest and rest[0] in getattr(command, "commands", {}):
            command, rest = command.commands[rest[0]], rest[1:]
        if command.name == "stemsplit" or command is get_command(app):
            command = vars(command)["commands"]["separate"]
        assert not hasattr(command, "commands"), f"{words} names no command of its group"
        parser = command.make_parser(command.context_class(command))
        parser.parse_args(list(rest))  # raises where an option does not exist or lacks its value


def test_the_processes_of_the_cluster_can_share_the_batch() -> None:
    shown = r"srun torchrun --nnodes (\d+) --nproc-per-node (\d+).*?```"
    found = re.search(shown, README, re.DOTALL)
    assert found is not None
    settings = re.findall(r"--set (\S+)", found[0])
    (network,) = re.findall(r"--network (\S+)", found[0])
    recipe = load_recipe(recipe_of_network(network) or "", settings)
    world = int(found[1]) * int(found[2])
    check_shares(plan_training(recipe), Processes(world=world))
    with pytest.raises(ConfigError, match="cannot be shared by 8 processes"):
        check_shares(plan_training(load_recipe("htdemucs_nn")), Processes(world=world))


def test_the_two_commands_are_there() -> None:
    assert "pip install . && stemsplit demo" in README
    assert "\nstemsplit song.mp3\n" in README
    assert re.search(r"## Tests\n\n```sh\n.*pytest -n auto\n```", README)
