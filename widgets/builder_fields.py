"""The controls of the builder: fields with a place for what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ipywidgets

from wfnb.errors import WfnbError
from wfnb.widgets.ansi import safe_line

Options = Sequence[tuple[str, Any]]
_HIDDEN, _SHOWN = "none", None
_ROUTE = "_reply_subshell_for"


def plain(text: str) -> str:
    """A line of text that a Label shows as it is: it takes dollars and backslashes for LaTeX."""
    return safe_line(text).replace("\\", "\\\u200b").replace("$", "\uff04")


def in_order(widget: Any) -> Any:
    """What a page says of several controls is heard in the order in which it is said.

    ipykernel 7.4 hears each of them in the thread that has written to it last: a click might
    overtake the text that was typed before, or wait for the end of a cell that blocks. Others,
    which know no such routes, hear all in one thread anyway.
    """
    if hasattr(widget.comm, _ROUTE):
        setattr(widget.comm, _ROUTE, lambda data, default: default)
    return widget


class Said:
    """A line below something, not there while there is nothing to say."""

    def __init__(self, *, is_wide: bool = False) -> None:
        self.widget = ipywidgets.Label()
        self.widget.add_class("wfnb-said")
        if is_wide:
            self.widget.add_class("wfnb-wide")
        self.say("")

    @property
    def text(self) -> str:
        return str(self.widget.value)

    def say(self, text: str) -> None:
        self._show(text)
        self.widget.remove_class("wfnb-wrong")

    def complain(self, text: str) -> None:
        """Colour is not the only sign of it."""
        self._show(f"✗ {text}" if text else "")
        self.widget.add_class("wfnb-wrong")

    def _show(self, text: str) -> None:
        self.widget.value = plain(text)
        self.widget.layout.display = _SHOWN if text else _HIDDEN


class Field:
    """Where an argument is written or picked."""

    def __init__(self, check: Callable[[str], object]) -> None:
        self._check = check
        self.entry = in_order(ipywidgets.Combobox(ensure_option=False, continuous_update=False))
        self.said = Said()
        self.box = ipywidgets.VBox([self.entry, self.said.widget])
        self.name = self.hint = ""
        self.entry.observe(self._written, "value")

    @property
    def text(self) -> str:
        return str(self.entry.value).strip()

    @text.setter
    def text(self, text: str) -> None:
        self.entry.value = text

    def ask(self, name: str, label: str, hint: str) -> None:
        """What it is for."""
        self.name, self.hint = name, hint
        self.entry.description = plain(label)
        self.entry.placeholder = safe_line(hint)
        self.entry.tooltip = safe_line(f"{label}: {hint}")
        self.text = ""
        self.said.say("")

    def offer(self, picks: Iterable[str]) -> None:
        if tuple(self.entry.options) != (found := tuple(picks)):
            self.entry.options = found

    def look(self) -> None:
        """Say at once what is wrong with it."""
        try:
            if self.text:
                self._check(self.text)
        except WfnbError as error:
            self.said.complain(str(error))
        else:
            self.said.say("")

    def _written(self, _: object) -> None:
        self.look()


def choice(description: str, tooltip: str) -> Any:
    """A list to choose from."""
    return in_order(ipywidgets.Dropdown(description=description, tooltip=tooltip))


def offer(widget: Any, options: Options, wanted: Any = None) -> None:
    """Let a choice have these, and choose what is wanted, or what was chosen before."""
    chosen = widget.value if wanted is None else wanted
    shown = tuple((safe_line(label), value) for label, value in options)
    if tuple(widget.options) != shown:
        widget.options = shown
    values = [value for _, value in shown]
    first = values[0] if values else None
    widget.value = chosen if chosen in values else first


def button(words: str, tooltip: str, pressed: Callable[[], None], *, style: str = "") -> Any:
    made = ipywidgets.Button(description=words, tooltip=tooltip, button_style=style)
    made.on_click(lambda _: pressed())
    return in_order(made)


def close_all(widget: Any) -> None:
    """With what it holds, and the models of its looks, which would stay open."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    for part in (getattr(widget, "style", None), widget.layout, widget):
        if part is not None:
            part.close()
