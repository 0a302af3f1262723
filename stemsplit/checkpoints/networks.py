"""From a checkpoint's contents to a network that is ready to run."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from stemsplit.errors import CheckpointError, KeyMismatchError
from stemsplit.models import registry
from stemsplit.models.base import ModelConfig

_MAX_NAMED = 10


def build(
    architecture: str, config: ModelConfig, state: Mapping[str, Tensor], *, name: str
) -> nn.Module:
    """A network with the given weights, in eval mode, float32, on the CPU.

    Args:
        architecture: a name of the registry.
        config: its configuration.
        state: all its parameters, in any floating type.
        name: what to call the checkpoint in messages.

    Raises:
        KeyMismatchError: the parameters are not exactly those of the network.
        CheckpointError: the network is too large for this machine, or cannot be.
    """
    # Every parameter is overwritten, so drawing initial ones would waste most of the time.
    try:
        with _SkipInit():
            network = registry.build_network(architecture, config)
    except (RuntimeError, MemoryError) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{name}: its network cannot be built: {reason}.") from error
    _check_keys(network.state_dict(), state, name)
    network.load_state_dict(state)
    return network.eval()


def _check_keys(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], name: str) -> None:
    missing = [key for key in wanted if key not in given]
    unexpected = [key for key in given if key not in wanted]
    reshaped = [
        f"{key} {tuple(given[key].shape)} instead of {tuple(tensor.shape)}"
        for key, tensor in wanted.items()
        if key in given and given[key].shape != tensor.shape
    ]
    groups = {"missing": missing, "unexpected": unexpected, "of another shape": reshaped}
    parts = [f"{what}: {_some(keys)}" for what, keys in groups.items() if keys]
    if parts:
        raise KeyMismatchError(
            f"{name} does not hold the weights of the network it names; {'; '.join(parts)}. "
            "The file is of another version or another network."
        )


def _some(keys: Iterable[str]) -> str:
    keys = list(keys)
    rest = len(keys) - _MAX_NAMED
    return ", ".join(keys[:_MAX_NAMED]) + (f" and {rest} more" if rest > 0 else "")


class _SkipInit(TorchFunctionMode):
    """Leaves parameters as allocated: the functions of `torch.nn.init` return at once."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)
