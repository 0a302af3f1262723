"""Ends a download once the work is called off. Imports no torch."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from stemsplit.errors import Cancelled

if TYPE_CHECKING:
    from stemsplit.checkpoints.download import DownloadProgress


def stopping(
    cancel: threading.Event,
    on_download: Callable[["DownloadProgress"], None] = lambda _: None,
) -> Callable[["DownloadProgress"], None]:
    """What is told of a download, and ends it with `Cancelled` once `cancel` is set.

    What has arrived is kept, so that the next download goes on from there.
    """

    def tell(progress: "DownloadProgress") -> None:
        if cancel.is_set():
            raise Cancelled("Stopped.")
        on_download(progress)

    return tell
