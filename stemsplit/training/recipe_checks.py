"""The check that the sections of a recipe share."""

from stemsplit.errors import ConfigError


def require(holds: bool, message: str) -> None:
    """Refuse a value that a recipe cannot have.

    Args:
        holds: whether all is well.
        message: which field is wrong, what it takes, and what it got.

    Raises:
        ConfigError: `holds` is false.
    """
    if not holds:
        raise ConfigError(message)
