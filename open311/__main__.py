"""`python -m open311` is `open311`."""

if __name__ == "__main__":  # not for a process that this one has started, which looks here for what it may need
    from open311.cli import main

    main()
