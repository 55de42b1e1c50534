"""`python -m open311` does the same as the command `open311`."""

if __name__ == "__main__":  # a process that multiprocessing spawns imports this module and must not run it
    from open311.cli import main

    main()
