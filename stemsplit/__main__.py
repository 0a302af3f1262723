"""Run the command line with ``python -m stemsplit``."""

from stemsplit.cli.app import main

main()
