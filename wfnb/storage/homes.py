"""Where a run's code finds the modules and files of the client that started it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wfnb import luggage
from wfnb.codec import Encoded
from wfnb.signing import Signer
from wfnb.storage.constants import load_constant


@dataclass(frozen=True, slots=True)
class Home:
    """Signed with the graph."""

    folder: str = ""
    """Empty where workers do not see the client's files."""
    path: tuple[str, ...] = ()
    luggage: str = ""
    """Names what such workers get instead: the modules that are the user's own, packed."""

    @classmethod
    def here(cls) -> Home:
        folder = _folder()
        return cls(folder, tuple(entry or folder for entry in sys.path))

    @classmethod
    def packed(
        cls, pickles: Sequence[Encoded], constants: Mapping[str, bytes], signer: Signer
    ) -> tuple[Home, Mapping[str, bytes]]:
        """For workers that see no files: with what these need, as one more of the constants."""
        apart = [load_constant(blob, signer, content) for content, blob in constants.items()]
        content, modules = luggage.packed(luggage.modules_in([*pickles, *apart]), signer)
        return cls(luggage=content), {**constants, content: modules} if content else constants


def _folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return "/"  # the folder that the client was started in has been deleted
