"""The page's half of a dashboard: draws what it is told, answers clicks without asking a kernel."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from wfnb.widgets.mailbox import Mailbox, Message
from wfnb.widgets.telling import looks

STATIC = Path(__file__).parent / "static"
PARTS = ("page", "told", "log", "graph", "inspector", "timeline", "workers", "panels", "companion")
"""One module for a page, which has no address to import others from."""


def module() -> str:
    return "\n".join((STATIC / f"{part}.js").read_text() for part in PARTS)


class Companion(anywidget.AnyWidget):
    """Holds no picture itself: whoever opens a page is sent the mailbox's."""

    _esm = module()
    _css = STATIC / "companion.css"
    _uid = traitlets.Unicode().tag(sync=True)
    """The page's store is found by it: `initialize` and `render` get different model objects."""
    _graph = traitlets.Unicode().tag(sync=True)
    _looks: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _snapshot = traitlets.Dict().tag(sync=True, to_json=lambda _, self: self.mailbox.whole())

    def __init__(self, graph_model: str, *, heard: Callable[[Message], None]) -> None:
        self.mailbox = Mailbox(self.send)
        self._heard = heard
        super().__init__(_uid=secrets.token_hex(8), _graph=graph_model, _looks=looks())
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        return "<companion>"  # the inherited one has an address in it, which nbval would compare

    def finish(self) -> None:
        """Send everything once more, as state: that is what a saved notebook keeps."""
        self.mailbox.flush()
        self.send_state("_snapshot")

    def close(self) -> None:
        self.mailbox.close()
        if self.layout is not None:
            self.layout.close()
        super().close()

    def _on_message(self, _: object, content: Any, __: object) -> None:
        # It may come in the main thread, in a subshell's, or late: hence only data is changed.
        if not isinstance(content, dict):
            return
        if content.get("t") == "resync":
            self.send(self.mailbox.whole())
        else:
            self._heard(content)
