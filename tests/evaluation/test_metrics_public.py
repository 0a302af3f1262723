"""The names that `stemsplit.evaluation` offers."""

import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import stemsplit.evaluation


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
