"""The form of one task: its function, its name, and what goes into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import RLock
from typing import Any

import ipywidgets

from wfnb.building import Building
from wfnb.built import Built
from wfnb.errors import WfnbError
from wfnb.expressions import with_added
from wfnb.recipes import Parameter, parameters_of
from wfnb.widgets.builder_fields import Field, button, choice, close_all, in_order, offer

_ONCE = ("call it once", 0)


class Form:
    """Filled in by a person; what is wrong with an input is told below it."""

    def __init__(self, building: Building, lock: RLock) -> None:
        self._building = building
        self._lock = lock
        self._parameters: tuple[Parameter, ...] = ()
        self._suggested = ""
        self._is_filling = False
        self._fields: list[Field] = []
        self.function = choice("function", "a function with @task, of this notebook")
        self.name = in_order(
            ipywidgets.Text(
                description="name", tooltip="the variable for the task", continuous_update=False
            )
        )
        self.calls = choice("how", "called once, or for each item of what it is given")
        self._inputs = ipywidgets.VBox()
        self.into = choice("connect", "the input to connect")
        self.source = choice("to", "a task, a cell's output or a variable")
        self._connecting = ipywidgets.HBox(
            [
                self.into,
                self.source,
                button("set", "let this be the input", self._set),
                button("add to list", "let the input be a list, with this in it", self._extend),
            ]
        )
        self.box = ipywidgets.VBox(
            [
                self.function,
                ipywidgets.HBox([self.name, self.calls]),
                self._inputs,
                self._connecting,
            ]
        )
        self.function.observe(self._chosen, "value")

    @property
    def fields(self) -> list[Field]:
        """One for each parameter."""
        return self._fields[: len(self._parameters)]

    @property
    def arguments(self) -> dict[str, str]:
        return {field.name: field.text for field in self.fields if field.text}

    def refresh(self) -> None:
        """Offer what there is now; what is written stays."""
        chosen = self.function.value
        self._is_filling = True
        self._offer_functions(chosen)
        self._is_filling = False
        self._ask(self.arguments)
        picks = self._building.picks()
        offer(self.source, [(str(pick), pick.text) for pick in picks])
        for field in self.fields:
            field.offer(pick.text for pick in picks)
            field.look()

    def fill(self, one: Built | None) -> None:
        """With what was written for this task; for a new one, with nothing."""
        self._is_filling = True
        if one is None:
            offer(self.function, [(name, name) for name in self._building.functions])
            self._suggest()
            self._ask({})
            self.calls.value = 0
        else:
            self._offer_functions(one.recipe.function)
            self.name.value, self._suggested = one.name, ""
            self._ask(one.recipe.arguments)
            self.calls.value = one.recipe.mapped
        self._is_filling = False

    def close(self) -> None:
        self._inputs.children = [field.box for field in self._fields]
        close_all(self.box)

    def _offer_functions(self, chosen: str | None) -> None:
        """It may be gone: it is offered all the same, lest another be taken for it."""
        names = [*self._building.functions, *([chosen] if chosen else [])]
        offer(self.function, [(name, name) for name in dict.fromkeys(names)], chosen)

    def _chosen(self, _: object) -> None:
        with self._lock:
            if not self._is_filling:
                if self.name.value in ("", self._suggested):
                    self._suggest()
                self._ask({})

    def _suggest(self) -> None:
        function = self.function.value
        self._suggested = self._building.suggested(function) if function else ""
        self.name.value = self._suggested

    def _ask(self, texts: Mapping[str, str]) -> None:
        """For what the function takes."""
        function = self._building.functions.get(self.function.value)
        self._parameters = () if function is None else parameters_of(function)
        picks = [pick.text for pick in self._building.picks()]
        while len(self._fields) < len(self._parameters):
            self._fields.append(Field(self._building.checked))
        for field, parameter in zip(self._fields, self._parameters, strict=False):
            if (field.name, field.hint) != (parameter.name, parameter.hint):
                field.ask(parameter.name, parameter.label, parameter.hint)
            field.offer(picks)
            field.text = texts.get(parameter.name, "")
        self._inputs.children = [field.box for field in self.fields]
        offer(self.into, [(each.label, each.name) for each in self._parameters])
        offer(self.calls, _calls(self._parameters))
        self._connecting.layout.display = None if self._parameters else "none"

    def _set(self) -> None:
        self._connect(lambda text, more: more)

    def _extend(self) -> None:
        self._connect(with_added)

    def _connect(self, joined: Callable[[str, str], str]) -> None:
        field = next((field for field in self.fields if field.name == self.into.value), None)
        if field is None or self.source.value is None:
            return
        try:
            with self._lock:
                field.text = joined(field.text, self.source.value)
        except WfnbError as error:
            field.said.complain(str(error))


def _calls(parameters: Sequence[Parameter]) -> list[tuple[str, Any]]:
    """A map goes over the first of them, alone or together with those that follow."""
    placed = [parameter.name for parameter in parameters if parameter.is_placed]
    shown = (", ".join(placed[: at + 1]) for at in range(len(placed)))
    return [_ONCE, *((f"map over {names}", at + 1) for at, names in enumerate(shown))]
