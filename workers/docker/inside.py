"""`python -P -m wfnb.workers.docker.inside`: what runs in a container, a pool of one worker.

It is told who it is by one line on its standard input; see `letter`. After that it is a pool like
any other: its worker takes launches from the store itself, and outlives the one who started it.
"""

from __future__ import annotations

import gc
import os
import select
import sys
import time
from importlib import import_module

from wfnb.errors import BackendError, WfnbError
from wfnb.workers.docker.letter import KEPT_AS, LONGEST_BYTES, Letter

LETTER_SECONDS = 10.0


def main() -> int:
    try:
        # Most of a cold start is imports, and an eighth of that would be collections of no garbage.
        # They come first: the letter is written meanwhile.
        gc.disable()
        live = import_module("wfnb.workers.docker.life").live
        gc.freeze()  # nor is any of it garbage later
        gc.enable()
        code: int = live(_letter())
    except WfnbError as error:
        sys.stderr.write(f"wfnb: {error}\n")
        return 1
    return code


def _letter() -> Letter:
    known = os.environ.get(KEPT_AS)
    line = known.encode() if known else read_line(0, seconds=LETTER_SECONDS)
    try:
        letter = Letter.from_line(line)
        bytes.fromhex(letter.key)
    except (ValueError, TypeError) as error:
        raise BackendError(
            f"what stands on the standard input is no letter ({type(error).__name__}): containers "
            "are started by wfnb, and its image is as new as who starts it"
        ) from error
    return letter


def read_line(descriptor: int, *, seconds: float) -> bytes:
    """Raises BackendError for none within that time, and for what does not end."""
    deadline = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n"):
        left = max(0.0, deadline - time.monotonic())
        if not select.select([descriptor], [], [], left)[0]:
            raise BackendError(f"no letter has come within {seconds:g} s: start me by wfnb")
        piece = os.read(descriptor, LONGEST_BYTES)
        if not piece:
            raise BackendError("standard input has ended before a letter came: start me by wfnb")
        line += piece
        if len(line) > LONGEST_BYTES:
            raise BackendError(f"the letter is longer than {LONGEST_BYTES:,} bytes: it is none")
    return line


if __name__ == "__main__":
    sys.exit(main())
