import importlib
import shutil
import socket
import sys
import types
from collections import namedtuple
from pathlib import Path

import pytest
import torch

from stemsplit.errors import DeviceError
from stemsplit.separation import device, diagnosis
from stemsplit.separation.diagnosis import diagnose


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEMSPLIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_sound_machine_has_nothing_broken(tmp_path: Path) -> None:
    findings = list(diagnose(output_folder=tmp_path / "out", offline=True))
    assert [f.name for f in findings if f.verdict == "broken"] == []
    assert [f.name for f in findings][:4] == ["system", "ffmpeg", "torch", "torchaudio"]
    assert not (tmp_path / "out").exists()


def fail(name: str, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    real = importlib.import_module

    def import_module(wanted: str) -> types.ModuleType:
        if wanted == name:
            raise error
        return real(wanted)

    monkeypatch.setattr(importlib, "import_module", import_module)


@pytest.mark.parametrize(
    "error", [ImportError("undefined symbol: x\nmore"), OSError("libcudart.so.13: cannot open")]
)
def test_a_torch_that_does_not_load_is_found_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    fail("torch", monkeypatch, error)
    findings = {f.name: f for f in diagnose(output_folder=tmp_path, offline=True)}
    assert findings["torch"].verdict == "broken"
    assert findings["torch"].detail == str(error).splitlines()[0]
    assert "Reinstall" in findings["torch"].advice
    assert {"cache", "disk"} <= set(findings)
    assert "torchaudio" not in findings


def test_a_torchaudio_of_another_torch_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    fail("torchaudio", monkeypatch, OSError("undefined symbol: _ZN3c10"))
    finding = diagnosis.check_torchaudio()
    assert (finding.verdict, "undefined symbol" in finding.detail) == ("warning", True)
    assert f"torchaudio=={torch.__version__[:4]}" in finding.advice


def test_a_missing_torchaudio_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    fail("torchaudio", monkeypatch, ModuleNotFoundError("No module named 'torchaudio'"))
    finding = diagnosis.check_torchaudio()
    assert (finding.verdict, finding.detail) == ("ok", "not installed, and not needed")


def test_versions_that_are_no_pair_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = types.ModuleType("torchaudio")
    stranger.__dict__["__version__"] = "2.1.0"
    monkeypatch.setitem(sys.modules, "torchaudio", stranger)
    assert diagnosis.check_torchaudio().verdict == "warning"


def test_an_ffmpeg_that_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSPLIT_FFMPEG", "/no/such/program")
    finding = diagnosis.check_ffmpeg()
    assert (finding.verdict, "STEMSPLIT_FFMPEG" in finding.detail) == ("broken", True)

    failing = shutil.which("false")
    if failing is not None:
        monkeypatch.setenv("STEMSPLIT_FFMPEG", failing)
        finding = diagnosis.check_ffmpeg()
        assert finding.verdict == "broken"
        assert "it ends with status 1" in finding.detail


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("no kernel image is available for execution on the device", "newest build"),
        ("out of memory", "Another program"),
        ("driver shut down", "Update the driver"),
    ],
)
def test_a_gpu_that_cannot_compute(
    monkeypatch: pytest.MonkeyPatch, reason: str, advice: str
) -> None:
    def refuse(name: str) -> device.DeviceChoice:
        if name == "auto":
            return device.DeviceChoice(torch.device("cpu"))
        raise DeviceError(f"Device {name!r} cannot be used: {reason}")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device, "choose_device", refuse)
    gpu, taken = diagnosis.check_devices()
    assert (gpu.name, gpu.verdict) == ("cuda", "warning")
    assert advice in gpu.advice
    assert taken.detail == "songs are separated on cpu"


@pytest.mark.parametrize("build", ["13.0", None])
def test_a_gpu_that_torch_does_not_see(monkeypatch: pytest.MonkeyPatch, build: str | None) -> None:
    monkeypatch.setattr(torch.version, "cuda", build)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(diagnosis, "_first_of_nvidia_smi", lambda: " (470.1 now)")
    gpu, _ = diagnosis.check_devices()
    assert (gpu.name, gpu.verdict) == ("GPU", "warning")
    expected = "Install a torch with CUDA" if build is None else "driver (470.1 now)"
    assert expected in gpu.advice
    assert "torchaudio" not in gpu.advice


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STEMSPLIT_CACHE", str(tmp_path / "file" / "cache"))
    finding = diagnosis.check_cache()
    assert (finding.verdict, "STEMSPLIT_CACHE" in finding.advice) == ("broken", True)


def test_a_full_disk_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1_500_000_000))
    finding = diagnosis.check_disk(tmp_path / "not" / "there")
    assert (finding.verdict, "1.5 GB free" in finding.detail) == ("warning", True)


def test_the_hub_is_asked_for_a_connection(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        assert diagnosis.check_network().verdict == "ok"
    finding = diagnosis.check_network()
    assert (finding.verdict, "connection refused" in finding.detail) == ("warning", True)
    assert "models add" not in finding.advice  # which refuses the names of the catalogue
    assert str(cache / "incoming") in finding.advice


def test_offline_leaves_the_network_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "check_network", pytest.fail)
    assert list(diagnose(output_folder=tmp_path, offline=True))
