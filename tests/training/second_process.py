"""The second of two processes that train together; the first is the test itself.

Arguments: the folder of `tests.training.runs.tiny_recipe`, and JSON with a port, the overrides and
the folder of every run.
"""

import json
import os
import sys
from pathlib import Path

from tests.training.runs import run, tiny_recipe

if __name__ == "__main__":
    folder, runs = sys.argv[1:]
    os.environ.update(RANK="1", LOCAL_RANK="1", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1")
    for port, settings, out in json.loads(runs):
        os.environ["MASTER_PORT"] = str(port)
        run(tiny_recipe(Path(folder), *settings), Path(out))
