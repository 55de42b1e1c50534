"""The command `open311`. `python -m open311` does the same."""

from open311.starting import prepare_process


def main() -> None:
    """Run the command line."""
    prepare_process()
    from open311.cli import main as command_line  # imported here, so that Ctrl-C during the import prints one line

    command_line(prog_name="open311")


if __name__ == "__main__":  # child processes of multiprocessing import this module too
    main()
