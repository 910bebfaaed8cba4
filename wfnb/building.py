"""Tasks built by hand, beside those of cells: described by words, made anew when those change."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import count
from threading import RLock
from typing import Any

from wfnb.built import Built, Removed, are_same, in_order, listed, variable_name
from wfnb.draft import Draft
from wfnb.errors import CallError, OptionError, WfnbError
from wfnb.expressions import parsed
from wfnb.lineage import ancestors
from wfnb.picking import Pick, cell_output, functions_in, picks
from wfnb.recipes import Function, Recipe, parameters_of
from wfnb.tasks import Task


@dataclass(slots=True)
class _Made:
    """What becomes of descriptions, before anything is changed."""

    tasks: dict[str, Task] = field(default_factory=dict)
    given: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)


class Building:
    """The tasks that are built by hand in one notebook. Every method may be called from any thread.

    `names` are the notebook's variables. An edit that is refused has changed nothing.
    """

    def __init__(self, names: dict[str, Any], draft: Draft) -> None:
        self._names = names
        self._draft = draft
        self._built: dict[str, Built] = {}
        self._cells = count(1)
        self._lock = RLock()

    @property
    def built(self) -> tuple[Built, ...]:
        """In an order in which they can be made."""
        with self._lock:
            return tuple(self._built[name] for name in in_order(self._recipes()))

    @property
    def functions(self) -> dict[str, Function]:
        """Those that the notebook's variables hold now."""
        return functions_in(self._names)

    def picks(self) -> tuple[Pick, ...]:
        """What an input may be connected to: built tasks, tasks of cells, and plain variables."""
        with self._lock:
            return picks(self._names, self._draft, [b.name for b in self._built.values()])

    def suggested(self, function: str) -> str:
        """A name for a task of this function, which nothing else has."""
        taken = {*self._names, *self._built, *dir(builtins)}
        return next(name for number in count() if (name := f"{function}_{number}") not in taken)

    def add(
        self,
        name: str,
        function: str,
        arguments: Mapping[str, str] | None = None,
        *,
        mapped: int = 0,
        replaces: bool = False,
    ) -> Built:
        """Build a task and bind it to a name, which others may only have had if it `replaces` it.

        `arguments`: parameter -> literals and names as they would be written in a cell; for *args
        and **kwargs with commas between. Of `mapped` first parameters each item is gone over.
        """
        with self._lock:
            self.refresh()
            name = self._free_name(name, function, replaces=replaces)
            recipe = Recipe(function, arguments or {}, mapped).checked()
            self._make({**self._recipes(), name: recipe}, edited=name)
            return self._built[name]

    def connect(self, name: str, parameter: str, text: str) -> Built:
        """Another input for a built task; none, if the text is empty."""
        with self._lock:
            recipe = self._found(name).recipe
            arguments = {**recipe.arguments, parameter: text}
            return self.add(name, recipe.function, arguments, mapped=recipe.mapped, replaces=True)

    def checked(self, text: str) -> str:
        """An argument as a person would write it; CallError for what can be none now."""
        with self._lock:
            made = _Made({one.name: one.task for one in self.built if one.task is not None})
            parsed(text).values(self._look(made))
            return parsed(text).written()

    def rename(self, name: str, new: str) -> Built:
        """The task stays the same, and so does what is built on it."""
        with self._lock:
            self.refresh()
            one = self._found(name)
            new = self._free_name(new, one.recipe.function, replaces=False)
            one.name = new
            self._built = {other.name: other for other in self._built.values()}
            for other in self._built.values():
                other.recipe = other.recipe.renamed({name: new})
            if one.task is not None:
                self._unbind(name, one.task)
                self._names[new] = one.task
                self._draft.ran(one.cell, {new: one.task})
            self._make(self._recipes())
            return one

    def readers(self, name: str) -> tuple[str, ...]:
        """The built tasks that need this one."""
        found = {name}
        for other in self.built:
            if not found.isdisjoint(other.recipe.reads):
                found.add(other.name)
        return tuple(other.name for other in self.built if other.name in found - {name})

    def remove(self, name: str, *, with_readers: bool = False) -> Removed:
        """What is built on it is broken without it, or goes as well."""
        with self._lock:
            self.refresh()
            one = self._found(name)
            readers = self.readers(name)
            untouched = self._needing(one)
            gone = (name, *(readers if with_readers else ()))
            for each in gone:
                self._forget(each)
            self._make(self._recipes())
            return Removed(gone, () if with_readers else readers, untouched)

    def refresh(self) -> bool:
        """Follow what cells have done since: whether anything is another now."""
        with self._lock:
            before = [(one.name, one.task, one.trouble) for one in self._built.values()]
            for one in list(self._built.values()):
                if self._is_taken_over(one):
                    self._leave(one)
                elif one.task is not None:
                    self._take_back(one, one.task)
            self._make(self._recipes())
            return before != [(one.name, one.task, one.trouble) for one in self._built.values()]

    def code(self) -> str:
        """The cell that does the same: an assignment for each task, in an order that works."""
        functions = self.functions
        lines = []
        for one in self.built:
            function = functions.get(one.recipe.function)
            parameters = parameters_of(function) if function is not None else ()
            try:
                line = one.recipe.code(one.name, parameters)
            except CallError as error:
                line = f"{one.name}: {error}"
            if one.trouble:
                line = "\n".join(f"# {part}" for part in (*line.splitlines(), one.trouble))
            lines.append(line)
        return "".join(f"{line}\n" for line in lines)

    def _recipes(self) -> dict[str, Recipe]:
        return {name: one.recipe for name, one in self._built.items()}

    def _found(self, name: str) -> Built:
        if name in self._built:
            return self._built[name]
        known = listed(list(self._built)) or "nothing yet"
        raise OptionError(f"no task named {name} was built here; there is {known}")

    def _free_name(self, name: str, function: str, *, replaces: bool) -> str:
        name = variable_name(name, function)
        if not replaces and (name in self._names or name in self._built):
            raise OptionError(f"{name} is taken: choose another name, or replace it")
        return name

    # Making

    def _make(self, recipes: Mapping[str, Recipe], *, edited: str = "") -> None:
        """All that is another now; nothing at all if the edited one cannot be made."""
        made = _Made()
        functions = self.functions
        for name in in_order(recipes):
            try:
                self._describe(name, recipes[name], functions, made)
            except WfnbError as error:
                if name == edited:
                    raise
                made.troubles[name] = str(error)
        for name, recipe in recipes.items():
            one = self._built.get(name)
            if one is None:
                one = self._built[name] = Built(name, recipe, f"built:{next(self._cells)}")
            one.recipe = recipe
        for name in in_order(recipes):
            self._bind(self._built[name], made)

    def _describe(
        self, name: str, recipe: Recipe, functions: Mapping[str, Function], made: _Made
    ) -> None:
        function = functions.get(recipe.function)
        if function is None:
            message = f"{name} calls {recipe.function}, which is no @task function here"
            raise CallError(f"{message}: run the cell that defines it, or choose another")
        look = self._look(made)
        given = (function, *recipe.given(look))
        one = self._built.get(name)
        is_same = one is not None and one.recipe == recipe and are_same(one.given, given)
        if one is not None and one.task is not None and is_same:
            made.tasks[name], made.given[name] = one.task, one.given
        else:
            made.tasks[name], made.given[name] = recipe.task(function, look), given

    def _look(self, made: _Made) -> Callable[[str], Any]:
        def look(name: str) -> Any:
            if name in made.tasks:
                return made.tasks[name]
            if name in made.troubles:
                message = f"{name} is broken"
                raise CallError(f"{message}: mend that first, or connect another")
            output = cell_output(name, self._names, self._draft)
            if output is not None:
                return output
            if name in self._names:
                return self._names[name]
            raise CallError(self._nothing(name))

        return look

    def _nothing(self, name: str) -> str:
        known = [*self._built, *(name for name in list(self._names) if name[0] != "_")]
        near = get_close_matches(name, known, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else "pick another;"
        quotes = f'text is written in quotes, "{name}"'
        return f"there is no variable or task {name}: {hint} {quotes}"

    def _bind(self, one: Built, made: _Made) -> None:
        one.trouble = made.troubles.get(one.name, "")
        before, one.task = one.task, made.tasks.get(one.name)
        one.given = made.given.get(one.name, ())
        if one.task is None:
            if before is not None:
                self._unbind(one.name, before)
            self._draft.write(one.cell, {})
        elif one.task is not before:
            self._names[one.name] = one.task
            self._draft.ran(one.cell, {one.name: one.task})

    # What cells do meanwhile

    def _is_taken_over(self, one: Built) -> bool:
        """Whether a cell has bound its name, or it was deleted, or dropped from the draft."""
        if one.task is None:
            return one.name in self._names
        is_there = self._names.get(one.name) is one.task
        return not is_there or not self._holders(one.name, one.task)

    def _take_back(self, one: Built, task: Task) -> None:
        """A cell that ran while it was built took it for its own."""
        if one.cell not in self._holders(one.name, task):
            self._draft.ran(one.cell, {one.name: task})

    def _holders(self, name: str, task: Task) -> list[str]:
        cells = self._draft.cells.items()
        return [cell for cell, held in cells if any(task is other for other in held.get(name, ()))]

    def _leave(self, one: Built) -> None:
        """The name belongs to somebody else from now on."""
        del self._built[one.name]
        if one.task is None or self._names.get(one.name) is not one.task:
            self._draft.write(one.cell, {})

    def _forget(self, name: str) -> None:
        one = self._built.pop(name)
        self._draft.write(one.cell, {})
        if one.task is not None:
            self._unbind(name, one.task)

    def _unbind(self, name: str, task: Task) -> None:
        if self._names.get(name) is task:
            del self._names[name]

    def _needing(self, one: Built) -> tuple[str, ...]:
        """What cells have made of it."""
        if one.task is None:
            return ()
        own = {other.cell for other in self._built.values()}
        held: list[tuple[str, tuple[Task, ...]]]
        held = [(cell.name, (cell.task,)) for cell in self._draft.cell_tasks]
        for cell, names in self._draft.cells.items():
            held += [] if cell in own else list(names.items())
        return tuple(
            name for name, tasks in held if any(task is one.task for task in ancestors(tasks))
        )
