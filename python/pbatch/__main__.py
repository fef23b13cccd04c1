"""``python -m pbatch``: the command line."""

from ._program import main

main()
