"""What a saved notebook shows of a panel: a picture beside it, seen only where the panel is not.

Without its kernel a front end writes "model not found" in place of a widget, whatever else the same
output holds. So the picture is an output of its own, and a style in it hides one of the two. Of
what front ends leave in a notebook that nobody has trusted yet, an <img> is all that still draws.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from html import escape
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

_OUTPUT = ".jp-OutputArea-child"
_STYLE = (
    f"{_OUTPUT}:not(:has(.wfnb)):has(+ {_OUTPUT} .wfnb-saved),"
    f"{_OUTPUT}:has(.wfnb) + {_OUTPUT}:has(.wfnb-saved){{display:none}}"
    # While a page opens the panel nothing is to be seen: else the picture would flash.
    # A delay, not a long animation: that would be sixty frames a second.
    "@keyframes wfnb-late{from{max-height:0;overflow:hidden;opacity:0}}"
    ".wfnb-saved{animation:wfnb-late 1ms 0.7s backwards}"
    ".wfnb-saved img{max-width:100%}"
)


class Keepsake:
    """Two outputs, a live view and the picture; the latter may be replaced from any thread."""

    def __init__(self) -> None:
        self._id = ""

    @property
    def is_shown(self) -> bool:
        return bool(self._id)

    def show(self, view: dict[str, Any], svg: str, text: str) -> None:
        # A page that can show no widget shows the empty text; nbconvert would warn without one.
        _publish({**view, "text/html": ""})
        self._id = secrets.token_hex(8)
        _publish(_bundle(svg, text), display=self._id)

    def replace(self, svg: str, text: str) -> None:
        if self._id:
            _publish(_bundle(svg, text), display=self._id, is_update=True)


def _bundle(svg: str, text: str) -> dict[str, str]:
    source = b64encode(svg.encode()).decode()
    # Lazy: where the panel is seen instead, a page does not even decode it.
    image = f'<img loading="lazy" alt="{escape(text)}" src="data:image/svg+xml;base64,{source}">'
    html = f'<div class="wfnb-saved"><style>{_STYLE}</style>{image}</div>'
    return {"text/html": html, "text/plain": text}


def _publish(data: dict[str, Any], *, display: str = "", is_update: bool = False) -> None:
    transient = {"display_id": display} if display else {}
    shell = InteractiveShell.instance()
    shell.display_pub.publish(data, transient=transient, update=is_update)
