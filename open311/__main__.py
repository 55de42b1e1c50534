"""`python -m open311` is `open311`."""

from open311.cli import main

if __name__ == "__main__":  # not where a process that this one has started looks for what to do
    main()
