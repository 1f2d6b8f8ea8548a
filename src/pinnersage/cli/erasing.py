"""The verb ``erase``."""

from __future__ import annotations

from pinnersage.cli import options
from pinnersage.cli.output import configure_log, console, write_json


def erase(
    directory: options.Directory,
    user: options.User,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Remove everything the model holds of a user, and print a receipt."""
    configure_log(verbose=verbose)
    from pinnersage.model import PinnerSage

    with PinnerSage.open(directory) as model:
        receipt = model.erase(user)
    if as_json:
        write_json(receipt)
        return
    from pinnersage.cli.reports import erasure_receipt

    console().print(erasure_receipt(receipt))
