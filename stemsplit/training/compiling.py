"""torch.compile for networks that are trained."""

import logging
import warnings
from typing import cast

import torch
from torch import nn

_FROM = ("torch._dynamo", "torch._inductor")  # not imported, which takes a second


def compiled(network: nn.Module) -> nn.Module:
    """The network, compiled at its first step; its parameters stay those of `network`.

    What torch warns of meanwhile is kept back where it says nothing to who trains: that it does not
    compile complex numbers, which spectrograms have, and that there is no GPU.
    """
    warnings.filterwarnings("ignore", message="Torchinductor does not support code generation for")
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    return cast("nn.Module", torch.compile(network))


def compile_fault(error: RuntimeError) -> str | None:
    """What to tell of an error that came of compiling; None for any other error."""
    if not type(error).__module__.startswith(_FROM):
        return None
    # The first line names the compiler, the second what it says.
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = " ".join(lines[:2]).rstrip(".") or type(error).__name__
    return (
        f"The network cannot be compiled here: {reason}. Train without that, by --set "
        "compile=false."
    )
