"""``python -m pinnersage`` is ``pinnersage``."""

from pinnersage.cli.app import main

if __name__ == "__main__":
    main()
