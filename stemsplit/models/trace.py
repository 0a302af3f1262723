"""What a network does with a mix, step by step, seen while it does it.

The network runs once on the `meta` device, which computes nothing but shapes. Every tensor is
followed from the step that made it to the steps that use it, through whatever lies between. So
shapes and connections are those of the network that runs, and not of a description of it.

A step is a level of a U-Net, a transformer, a fusion or whatever else the network is made of, or a
Fourier transform. Numbers that summarise the whole mix, such as its mean, are not followed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from stemsplit.layers.bands import BandedDecoderLevel, BandedEncoderLevel
from stemsplit.layers.conv import DecoderLevel, EncoderLevel
from stemsplit.models.base import ModelConfig
from stemsplit.models.custom import NamedNetwork
from stemsplit.models.meta import META, build_on_meta, running
from stemsplit.models.tfswa.blocks import StageLayers

MIX, STEMS = "mix", "stems"

_BLOCKS = (
    BandedEncoderLevel,
    BandedDecoderLevel,
    EncoderLevel,
    DecoderLevel,
    StageLayers,
)
"""Modules that are one step, and make steps of their neighbours in whatever holds them."""

_Convolution = nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d

_RENAMED = {
    "wave": "waveform",
    "time": "waveform",
    "sites": "attention",
    "downs": "down",
    "ups": "up",
    "joins": "join",
}
"""Words of module names that are shorter, or more of them, than a reader needs."""

Output = tuple[int, int]
"""The number of a step, and the number of one of its outputs."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that takes tensors and gives tensors."""

    name: str
    what: str
    """What it does, in words; may be empty."""
    inputs: tuple[Output, ...]
    """What it was made from, in order of the steps."""
    shapes: tuple[tuple[int, ...], ...]
    """Of every output, without the batch axis."""
    parameters: int
    """Numbers that training changes; 0 for weights that an earlier step has used already."""
    times: int = 1
    """How often it was done in a row, on parts of the same input."""


def trace_network(network: NamedNetwork, num_samples: int | None = None) -> tuple[Step, ...]:
    """The steps of a forward pass: the first is the mix, the last are the stems.

    Args:
        network: what to build.
        num_samples: length of the mix; None for a segment.

    Raises:
        ConfigError: the network cannot be built, or cannot take a mix of this length.
    """
    config = network.config
    model = build_on_meta(network)
    mix = torch.empty(1, config.channels, num_samples or config.segment_samples, device=META)
    for module in model.modules():
        if isinstance(module, nn.LSTM):
            setattr(module, "forward", partial(_repeat_first, module))  # noqa: B010
    recorder = _Recorder(config)
    recorder.watch(model)
    recorder.add(MIX, "", mix)
    with running(network, mix), torch.no_grad(), _Provenance(recorder), _Transforms(recorder):
        stems = model(mix)
    recorder.add(STEMS, ", ".join(config.stems), stems)
    return tuple(recorder.steps)


@dataclass
class _Recorder:
    """Notes the steps, and for every memory of a tensor what outputs it was made from."""

    config: ModelConfig
    steps: list[Step] = field(default_factory=list)
    _origins: dict[int, frozenset[Output]] = field(default_factory=dict)
    _kept: list[Any] = field(default_factory=list)  # so that no address is used twice
    _counted: set[int] = field(default_factory=set)  # parameters
    _depth: int = 0

    def origins(self, *values: Any) -> frozenset[Output]:
        """The outputs that tensors were made from."""
        found = (self._origins.get(_address(tensor), frozenset()) for tensor in _tensors(values))
        return frozenset().union(*found)

    def derive(self, tensor: Tensor, origins: frozenset[Output]) -> None:
        """Note that a tensor, and what shares its memory, was made from these outputs too."""
        if tensor.numel() > 1:
            self._kept.append(tensor)
            address = _address(tensor)
            self._origins[address] = self._origins.get(address, frozenset()) | origins

    def add(
        self,
        name: str,
        what: str,
        outputs: Any,
        *,
        shape: tuple[int, ...] = (),
        parameters: int = 0,
    ) -> None:
        """Add a step whose outputs are these tensors.

        Args:
            name: of the step.
            what: it does.
            outputs: tensors, perhaps in lists and tuples.
            shape: what to show of a single output, if not its own.
            parameters: numbers that training changes.
        """
        own = tuple(tuple(tensor.shape[1:]) for tensor in _tensors(outputs))
        step = Step(
            name=name,
            what=what,
            inputs=tuple(sorted(self.origins(outputs))),
            shapes=(shape,) if shape else own,
            parameters=parameters,
        )
        if self.steps and shape and replace(self.steps[-1], times=1) == step:
            self.steps[-1] = replace(self.steps[-1], times=self.steps[-1].times + 1)
        else:
            self.steps.append(step)
        for index, tensor in enumerate(_tensors(outputs)):
            self._kept.append(tensor)
            self._origins[_address(tensor)] = frozenset({(len(self.steps) - 1, index)})

    def watch(self, model: nn.Module) -> None:
        """Make steps of the parts of a network."""
        for path, module in _parts(model, ""):
            if type(module).forward is not nn.Module.forward:
                self._watch_call(module, "forward", path)
                continue
            for name in vars(type(module)):  # used through its methods
                if not name.startswith("_") and callable(getattr(module, name)):
                    self._watch_call(module, name, f"{path}.{name}")

    def _watch_call(self, module: nn.Module, method: str, path: str) -> None:
        function = getattr(module, method)
        name, what = _name(path, self.config), _what(module)

        def watched(*args: Any, **kwargs: Any) -> Any:
            self._depth += 1
            outputs = function(*args, **kwargs)
            self._depth -= 1
            if self._depth or not self.origins(outputs):  # part of a step, or of weights alone
                return outputs
            # What is given back as it came is no output. All else is copied, since it may share
            # memory with an input; on this device a copy takes nothing.
            given = {id(tensor) for tensor in _tensors((args, kwargs))}
            new = [tensor.clone() for tensor in _tensors(outputs) if id(tensor) not in given]
            self.add(name, what, new, parameters=self._count(module))
            copies = iter(new)
            return tree_map_only(
                Tensor, lambda one: one if id(one) in given else next(copies), outputs
            )

        setattr(module, method, watched)

    def transform(self, name: str, what: str, output: Tensor, shown: Tensor) -> None:
        """Add a Fourier transform, unless it is inside of a step.

        Args:
            name: what it is.
            what: its settings.
            output: what came out.
            shown: the spectrogram, (*, F, T).
        """
        if self._depth:
            return
        self.add(name, what, output, shape=(self.config.channels, *shown.shape[-2:]))

    def _count(self, module: nn.Module) -> int:
        new = [one for one in module.parameters() if id(one) not in self._counted]
        self._counted |= {id(one) for one in new}
        return sum(one.numel() for one in new)


class _Provenance(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Hands origins on from the inputs of every operation to its outputs."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._recorder = recorder

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is torch.ops.aten.equal.default:
            return False  # no answer is known where nothing is computed; istft asks for a failure
        result = func(*args, **(kwargs or {}))
        origins = self._recorder.origins(args, kwargs)
        if origins:
            for tensor in _tensors(result):
                self._recorder.derive(tensor, origins)
        return result


class _Transforms(TorchFunctionMode):
    """Makes steps of Fourier transforms."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.stft:
            what = f"frames of {args[1]}, one every {(kwargs or {})['hop_length']}"
            self._recorder.transform("Fourier transform", what, result, result)
        elif func is torch.istft:
            what = f"frames of {args[1]}"
            self._recorder.transform("inverse transform", what, result, args[0])
        elif func is torch.fft.irfft:
            rows = args[0].transpose(-2, -1)
            what = f"frames of {result.shape[-1]}"
            self._recorder.transform("inverse transform", what, result, rows)
        return result


def _parts(module: nn.Module, path: str) -> list[tuple[str, nn.Module]]:
    """The parts of a module that are steps, with their paths."""
    parts: list[tuple[str, nn.Module]] = []
    for name, child in module.named_children():
        inner = f"{path}.{name}" if path else name
        holds_blocks = any(isinstance(part, _BLOCKS) for part in child.modules())
        is_list = isinstance(child, nn.ModuleList | nn.ModuleDict)
        if not isinstance(child, _BLOCKS) and (holds_blocks or is_list):
            parts += _parts(child, inner)
        else:
            parts.append((inner, child))
    return parts


def _name(path: str, config: ModelConfig) -> str:
    """A path through the modules in words."""
    words = path.replace("_", ".").split(".")
    resolutions = getattr(config, "resolutions", ())
    if "spectra" in words:
        at = words.index("spectra")
        number = int(words[at + 1])
        single = len(resolutions) == 1
        words[at : at + 2] = ["spectrogram" if single else str(resolutions[number].n_fft)]
    return " ".join(_RENAMED.get(word, word) for word in words if word not in ("unet", "tower"))


def _what(module: nn.Module) -> str:
    """The settings of a module in words."""
    level, layers = getattr(module, "level", None), getattr(module, "layers", None)
    if level is not None:
        over = "bins" if getattr(module, "over_bins", True) else "time"
        return f"kernel {level.kernel}, stride {level.stride} over {over}"
    conv = module if isinstance(module, _Convolution) else getattr(module, "conv", None)
    if isinstance(conv, _Convolution):
        sizes = (" x ".join(map(str, size)) for size in (conv.kernel_size, conv.stride))
        return "kernel {}, stride {}".format(*sizes)
    if not isinstance(layers, nn.ModuleList):
        return ""
    heads = next((part.heads for part in module.modules() if hasattr(part, "heads")), None)
    number = "1 layer" if len(layers) == 1 else f"{len(layers)} layers"
    return number if heads is None else f"{number}, {heads} heads"


def _repeat_first(self: nn.LSTM, x: Tensor) -> tuple[Tensor, None]:
    """What an LSTM gives, as far as its shape goes, without going through the sequence."""
    width = self.hidden_size * (2 if self.bidirectional else 1)
    return x[..., :1].repeat(1, 1, width), None


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


def _address(tensor: Tensor) -> int:
    address: int = tensor.untyped_storage()._cdata
    return address
