"""The names that `stemsplit.evaluation` offers."""

import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from torch import Tensor

import stemsplit.evaluation
from tests.evaluation.data_sets import song, write_song


def test_every_public_name_is_there_whatever_was_imported_before() -> None:
    for module in pkgutil.walk_packages(stemsplit.evaluation.__path__, "stemsplit.evaluation."):
        importlib.import_module(module.name)
    for name in stemsplit.evaluation.__all__:
        found = getattr(stemsplit.evaluation, name)
        assert found is not None
        assert not isinstance(found, ModuleType), f"a module hides {name}"
        assert found.__doc__
    assert dir(stemsplit.evaluation) == stemsplit.evaluation.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = stemsplit.evaluation.nothing_of_the_kind


@pytest.mark.parametrize("name", ["", ".options", ".scores", ".aggregation"])
def test_what_the_command_line_imports_leaves_torch_alone(name: str) -> None:
    code = f"import sys, stemsplit.evaluation{name}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_example_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = re.search(r"```python\n(.*?)```", stemsplit.evaluation.__doc__ or "", re.DOTALL)
    assert code is not None
    for name in ("a", "b"):
        write_song(tmp_path / name, song(2.0))
    names: dict[str, object] = {"separate": lambda mix: {"vocals": 0.9 * mix, "bass": 0.1 * mix}}
    exec(code[1].replace('"musdb"', repr(str(tmp_path))), names)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["vocals", "bass"]
    assert isinstance(names["loss"], Tensor)
    assert names["loss"].isfinite()
