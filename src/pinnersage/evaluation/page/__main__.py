"""Makes the page of a kept report anew: ``python -m pinnersage.evaluation.page REPORT``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pinnersage.errors import PinnerSageError
from pinnersage.evaluation.page.writing import rewrite_page


def main(arguments: list[str] | None = None) -> int:
    """Write the page and print its path; return the exit code.

    Parameters
    ----------
    arguments
        Of the command line; None: the process's own.
    """
    parser = argparse.ArgumentParser(
        prog="python -m pinnersage.evaluation.page",
        description="Make report.html anew from the metrics.json of a report, measuring nothing.",
    )
    parser.add_argument("report", type=Path, metavar="REPORT", help="directory of the report")
    try:
        print(rewrite_page(parser.parse_args(arguments).report))
    except PinnerSageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
