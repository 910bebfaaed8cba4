"""Building tasks by hand: a form, what was built with it, and the cell that does the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import Any

import ipywidgets

from wfnb.building import Building
from wfnb.built import Built
from wfnb.errors import WfnbError
from wfnb.widgets.builder_fields import Said, button, choice, close_all, offer
from wfnb.widgets.builder_form import Form

_STYLE = Path(__file__).parent / "static" / "builder.css"
_NEW = ""
_NOTHING = "no function with @task is here yet: run the cell that defines one"


class Builder:
    """A view of what is built. Clicks may come in any thread, and more than one at once.

    `changed` is called, outside any lock, when the draft may be another; `put` puts source into a
    new cell. `above` is a box for whoever wants to show the draft in it.
    """

    def __init__(
        self,
        building: Building,
        *,
        changed: Callable[[], object] = lambda: None,
        put: Callable[[str], object] | None = None,
    ) -> None:
        self._building = building
        self._changed = changed
        self._put = put
        self._lock = RLock()
        self._is_filling = False
        self._is_closed = False
        self._open = _NEW
        """The task that the form is about."""
        self.above = ipywidgets.VBox()
        self.task = choice("task", "a new one, or one that was built here")
        self.form = Form(building, self._lock)
        self.said = Said(is_wide=True)
        self.broken = Said(is_wide=True)
        self.add = button("add", "build this task", self._add, style="primary")
        self.remove = button("remove", "take this task away", self._remove)
        self.prune = button(
            "remove with readers", "take it away with all that is built on it", self._prune
        )
        self.source = ipywidgets.Textarea(
            description="as a cell", tooltip="to be copied into a cell", rows=2
        )
        self.insert = button("put into a new cell", "below the next cell that is run", self._insert)
        self.widget = ipywidgets.VBox(self._lines())
        self.widget.add_class("wfnb-builder")
        self.task.observe(self._opened, "value")
        self._building.refresh()
        self._fill(_NEW)
        self._show()

    def __repr__(self) -> str:
        return self.code() or "<builder: nothing is built yet>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """A view for a page with a kernel; what was built, as source, for others."""
        view: Any = self.widget._repr_mimebundle_() or {}
        data = view[0] if isinstance(view, tuple) else view
        return {**data, "text/plain": repr(self)}

    def code(self) -> str:
        """The cell that does the same: an assignment for each task, in an order that works."""
        return self._building.code()

    def refresh(self) -> None:
        """Follow what cells have done; what is being written in the form stays."""
        if self._is_closed:
            return
        with self._lock:
            is_other = self._building.refresh()
            self._show()
        if is_other:
            self._announce()

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        """Free everything, here and in the page; what was built stays."""
        with self._lock:
            self._is_closed = True
            self.above.children = ()
            self.form.close()
            close_all(self.widget)
            if self._put is None:
                close_all(self.insert)

    def _lines(self) -> list[Any]:
        style = ipywidgets.HTML(f"<style>{_STYLE.read_text()}</style>")
        style.layout.display = "none"
        refresh = button("refresh", "find functions and variables anew", self.refresh)
        exports = [self.source] if self._put is None else [self.source, self.insert]
        return [
            style,
            self.above,
            ipywidgets.HBox([self.task, refresh]),
            self.form.box,
            ipywidgets.HBox([self.add, self.remove, self.prune]),
            self.said.widget,
            self.broken.widget,
            *exports,
        ]

    # What a person asks for

    def _opened(self, _: object) -> None:
        with self._lock:
            if not self._is_filling:
                self.said.say("")
                self._fill(str(self.task.value or _NEW))

    def _add(self) -> None:
        self._act(self._build)

    def _build(self) -> tuple[str, str]:
        building, form, before = self._building, self.form, self._open
        name, function = str(form.name.value).strip(), str(form.function.value)
        mapped, arguments = int(form.calls.value or 0), form.arguments
        if not before:
            one = building.add(name, function, arguments, mapped=mapped)
            return _NEW, f"added {one.name}"
        is_renamed = name != before
        name = building.rename(before, name).name if is_renamed else name
        try:
            building.add(name, function, arguments, mapped=mapped, replaces=True)
        except WfnbError:
            if is_renamed:
                building.rename(name, before)
            raise
        return name, f"changed {before}" + (f", now {name}" if is_renamed else "")

    def _remove(self) -> None:
        self._act(lambda: self._taken_away(with_readers=False))

    def _prune(self) -> None:
        self._act(lambda: self._taken_away(with_readers=True))

    def _taken_away(self, *, with_readers: bool) -> tuple[str, str]:
        return _NEW, str(self._building.remove(self._open, with_readers=with_readers))

    def _insert(self) -> None:
        if self._put is not None:
            self._put(self.code())
            self.said.say("it comes below the next cell that you run")

    def _act(self, action: Callable[[], tuple[str, str]]) -> None:
        """Do it, and show what it came to: which task is open from then on, and a line of text."""
        if self._is_closed:
            return
        with self._lock:
            try:
                opened, told = action()
            except WfnbError as error:
                self.said.complain(str(error))
                self._show()
            else:
                self._fill(opened)
                self._show()
                self.said.say(told)
        self._announce()

    def _announce(self) -> None:
        """Without the lock: whoever draws the draft may wait for other threads."""
        try:
            self._changed()
        except WfnbError as error:
            self.said.complain(str(error))

    # What is shown

    def _show(self) -> None:
        built = self._building.built
        if self._open and all(one.name != self._open for one in built):
            self._fill(_NEW)  # a cell has taken it over
        self._is_filling = True
        options = [("new task", _NEW), *((_label(one), one.name) for one in built)]
        offer(self.task, options, self._open)
        self._is_filling = False
        self.form.refresh()
        broken = "; ".join(f"{one.name}: {one.trouble}" for one in built if one.trouble)
        self.broken.complain(f"broken: {broken}" if broken else "")
        self.source.value = self.code()
        self.source.rows = min(12, max(2, self.source.value.count("\n")))
        self._offer_buttons()

    def _offer_buttons(self) -> None:
        readers = self._building.readers(self._open) if self._open else ()
        self.add.description = "apply" if self._open else "add"
        self.add.disabled = not self.form.function.value
        self.remove.disabled = not self._open
        self.prune.disabled = not readers
        self.insert.disabled = not self.source.value
        if self.add.disabled or self.said.text == _NOTHING:
            self.said.say(_NOTHING if self.add.disabled else "")

    def _fill(self, name: str) -> None:
        found = {one.name: one for one in self._building.built}
        self._open = name if name in found else _NEW
        self.form.fill(found.get(name))
        self._offer_buttons()


def _label(one: Built) -> str:
    return f"✗ {one.name} (broken)" if one.trouble else one.name
