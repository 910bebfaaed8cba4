"""Values that later runs may reuse, kept as soon as they are computed."""

from __future__ import annotations

from contextlib import suppress

from wfnb import codec
from wfnb.codec import Encoded
from wfnb.errors import SerialisationError, StoreError
from wfnb.modules import were_edited_since
from wfnb.signing import Signer
from wfnb.storage.graphs import Stored
from wfnb.storage.reuse import Reusable, Reusables, keep_value
from wfnb.workers.inputs import Inputs

_EDIT_SECONDS = 1.0
"""Before a graph was written its fingerprints were made, and file systems round times."""


class Keeping:
    """Keeps what tasks of known provenance return."""

    def __init__(self, store: Reusables, signer: Signer, stored: Stored) -> None:
        self._store = store
        self._signer = signer
        self._graph = stored.graph
        self._fingerprints = stored.fingerprints
        self._written_seconds = stored.written_seconds

    def keep(self, at: int, encoded: Encoded, inputs: Inputs) -> None:
        """Whether it can be kept or not is nothing to the run."""
        fingerprint = self._fingerprints.get(at)
        if fingerprint is None or were_edited_since(self._written_seconds - _EDIT_SECONDS):
            return  # what was called may not be what the fingerprint was made of
        graph, task = self._graph, self._graph.ids[at]
        about = Reusable(fingerprint=fingerprint, task=task, function=graph.function_name(task))
        with suppress(StoreError, SerialisationError):
            if at in graph.maps:
                encoded = self._listed(at, inputs)
            keep_value(self._store, self._signer, encoded, about=about)

    def _listed(self, at: int, inputs: Inputs) -> Encoded:
        """A map's value is otherwise put together by those who read it."""
        return codec.encode(inputs.value(at))
