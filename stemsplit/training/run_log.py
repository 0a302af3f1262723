"""The log of a training run as it is read again. Imports no torch."""

import json
from collections.abc import Iterator
from typing import Any


def log_entries(text: bytes) -> Iterator[dict[str, Any]]:
    """The entries of a log, in their order; lines that a crash cut short are left out.

    Args:
        text: whole lines of the file that `RunFolder.log` writes.
    """
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and "kind" in entry:
            yield entry
