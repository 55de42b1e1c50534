"""`python -m open311` does the same as the command `open311`."""

if __name__ == "__main__":  # child processes of multiprocessing import this module too
    from open311.cli import main

    main()
