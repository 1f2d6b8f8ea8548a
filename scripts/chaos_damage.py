"""What a power cut, or a bad disk, does to the files of a model."""

from __future__ import annotations

import os
import random
from pathlib import Path

import lmdb


def last_commit(file: Path) -> int:
    """Return the number of the last transaction in a data file."""
    env = lmdb.open(str(file), subdir=False, readonly=True, lock=False)
    number = int(env.info()["last_txnid"])
    env.close()
    return number


def tear(file: Path, rng: random.Random) -> None:
    """Cut a file short somewhere, or garble its last pages."""
    size, content = file.stat().st_size, bytearray(file.read_bytes())
    if rng.random() < 0.5:
        file.write_bytes(content[: rng.randrange(size)])
    else:
        n = 4_096 * rng.randint(1, 4)
        content[-n:] = rng.randbytes(n)
        file.write_bytes(content)


def drop_unfinished(file: Path, how: str, noise: bytes) -> None:
    """Cut off, or garble, all pages behind the last commit: nothing says that they were written."""
    env = lmdb.open(str(file), subdir=False, readonly=True, lock=False)
    n_used = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    env.close()
    size = file.stat().st_size
    if size > n_used and how == "cut":
        os.truncate(file, n_used)
    if size > n_used and how == "garble":
        with file.open("r+b") as opened:
            opened.seek(n_used)
            opened.write((noise * ((size - n_used) // len(noise) + 1))[: size - n_used])


def undo_last_commit(file: Path) -> None:
    """Put the older of the two meta pages in the place of the newer one, which was written last."""
    env = lmdb.open(str(file), subdir=False, readonly=True, lock=False)
    newest, psize = env.info()["last_txnid"] & 1, env.stat()["psize"]
    env.close()
    with file.open("r+b") as opened:
        pages = [opened.read(psize), opened.read(psize)]
        opened.seek(newest * psize)
        number = pages[newest][:8]
        opened.write(number + pages[1 - newest][8:])
