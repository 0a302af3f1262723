"""stemsplit: a song in, its stems out.

The public names are resolved on first use, so that ``import stemsplit`` costs nothing.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stemsplit.errors import StemsplitError as StemsplitError
    from stemsplit.separation.options import SeparationOptions as SeparationOptions
    from stemsplit.separation.separator import Separation as Separation
    from stemsplit.separation.separator import Separator as Separator

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())  # a program says what it will hear

_HOMES = {
    "Separation": "stemsplit.separation.separator",
    "SeparationOptions": "stemsplit.separation.options",
    "Separator": "stemsplit.separation.separator",
    "StemsplitError": "stemsplit.errors",
}

__all__ = ["Separation", "SeparationOptions", "Separator", "StemsplitError", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'stemsplit' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
