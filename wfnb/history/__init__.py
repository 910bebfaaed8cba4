"""What past runs have shown of functions, of transfers and of starts."""

from __future__ import annotations

from wfnb.history.reading import History, Move, Past, Taken, history_of
from wfnb.history.recorder import Recorder
from wfnb.history.upload import Upload

__all__ = ["History", "Move", "Past", "Recorder", "Taken", "Upload", "history_of"]
