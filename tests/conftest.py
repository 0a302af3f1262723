"""What holds for all tests."""

import os

# The networks here are small: a second thread costs more than it brings, most of all on a machine
# that is busy. Set before torch is imported, and passed on to the programs that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
