"""BSS Eval v4 by museval itself, for those who want the reference implementation.

Only its file of metrics is loaded: importing the package would need ffprobe on the path.
"""

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stemsplit.errors import ConfigError


@lru_cache(maxsize=1)
def museval_metrics() -> Any:
    """The module `museval.metrics`.

    Raises:
        ConfigError: museval is not installed.
    """
    package = importlib.util.find_spec("museval")
    folders = package.submodule_search_locations if package else None
    if not folders:
        raise ConfigError(
            "Cannot use museval: it is not installed. Install it with `pip install museval`, or "
            "leave out the engine: ours agrees with it."
        )
    file = Path(folders[0]) / "metrics.py"
    spec = importlib.util.spec_from_file_location("stemsplit_museval_metrics", file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"Cannot use museval: {file} cannot be loaded. Install it again.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bss_eval_by_museval(
    references: Tensor,
    estimates: Tensor,
    *,
    window_samples: int,
    hop_samples: int,
    filter_taps: int = 512,
) -> dict[str, Tensor]:
    """SDR, ISR, SIR and SAR of (S, C, N) estimates, each (S, W) in dB, computed by museval.

    Raises:
        ConfigError: museval is not installed.
    """
    arrays = [signal.detach().cpu().double().mT.numpy() for signal in (references, estimates)]
    *rows, _ = museval_metrics().bss_eval(
        *arrays, window=window_samples, hop=hop_samples, filters_len=filter_taps
    )
    names = ("sdr", "isr", "sir", "sar")
    return {name: torch.from_numpy(row) for name, row in zip(names, rows, strict=True)}
