"""`python -m open311` is `open311`."""

from open311.cli import main

main()
