import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stemsplit.cli.app import app


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSPLIT_CACHE", str(tmp_path / "cache"))


def test_a_machine_that_can_separate_gives_status_0() -> None:
    result = CliRunner().invoke(app, ["doctor", "--offline"])
    assert result.exit_code == 0
    assert "ok       ffmpeg: ffmpeg version" in result.stdout
    assert "songs are separated on" in result.stdout


def test_something_broken_gives_status_1_and_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSPLIT_FFMPEG", "/no/such/program")
    result = CliRunner().invoke(app, ["doctor", "--offline"])
    assert result.exit_code == 1
    assert "BROKEN   ffmpeg: " in result.stdout
    assert "         -> " in result.stdout


def test_json_is_one_list_of_findings() -> None:
    result = CliRunner().invoke(app, ["doctor", "--offline", "--json"])
    findings = {finding["name"]: finding for finding in json.loads(result.stdout)}
    assert findings["torch"]["verdict"] == "ok"
    assert set(findings["torch"]) == {"name", "verdict", "detail", "advice"}
