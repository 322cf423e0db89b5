"""``python -m funcnn``: the command line."""

from funcnn.cli import main

main()
