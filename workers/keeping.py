"""Values that later runs may reuse, kept as soon as they are computed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from wfnb import codec
from wfnb.codec import Encoded
from wfnb.errors import SerialisationError, SignatureError, StoreError
from wfnb.modules import were_edited_since
from wfnb.provenance import fingerprint_of_item
from wfnb.signing import Signer
from wfnb.storage.graphs import Stored
from wfnb.storage.reuse import Reusable, Reusables, keep_value, kept_as, read_kept
from wfnb.workers.call import Outcome
from wfnb.workers.inputs import Inputs

_EDIT_SECONDS = 1.0
"""Before a graph was written its fingerprints were made, and file systems round times."""


class Keeping:
    """Keeps what tasks of known provenance return."""

    def __init__(self, store: Reusables, signer: Signer, stored: Stored) -> None:
        self._store = store
        self._signer = signer
        self._graph = stored.graph
        self._fingerprints = dict(stored.kept.tasks)
        self._of_maps = stored.kept.items
        self._written_seconds = stored.written_seconds
        self.reused: set[int] = set()
        """Items that were known."""

    def known(self, at: int, args: Sequence[Any]) -> Outcome | None:
        """What an item returns that was computed before, of the same element by the same code."""
        of_map = self._of_maps.get(self._graph.base(at))
        if of_map is None or self._graph.base(at) == at or self._is_doubtful():
            return None
        fingerprint = fingerprint_of_item(of_map, args[0])
        if fingerprint is None:
            return None
        self._fingerprints[at] = fingerprint
        with suppress(StoreError, SerialisationError, SignatureError):
            found = self._store.find_reusables([fingerprint]).get(fingerprint)
            if found is not None and kept_as(found) == fingerprint:
                value = codec.decode(read_kept(self._store, self._signer, found))
                self.reused.add(at)
                return Outcome(value, None, 0.0, 0.0)
        return None

    def keep(self, at: int, encoded: Encoded, inputs: Inputs) -> None:
        """Whether it can be kept or not is nothing to the run."""
        fingerprint = self._fingerprints.get(at)
        if fingerprint is None or at in self.reused or self._is_doubtful():
            return
        graph, task = self._graph, self._graph.ids[at]
        about = Reusable(fingerprint=fingerprint, task=task, function=graph.function_name(task))
        with suppress(StoreError, SerialisationError):
            if at in graph.maps:
                encoded = self._listed(at, inputs)
            keep_value(self._store, self._signer, encoded, about=about)

    def _is_doubtful(self) -> bool:
        """What is called here may not be what fingerprints were made of."""
        return were_edited_since(self._written_seconds - _EDIT_SECONDS)

    def _listed(self, at: int, inputs: Inputs) -> Encoded:
        """A map's value is otherwise put together by those who read it."""
        return codec.encode(inputs.value(at))
