"""A task built by hand, and what is to be told of several."""

from __future__ import annotations

import builtins
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from keyword import iskeyword
from typing import Any

from wfnb.errors import GraphError, OptionError
from wfnb.lineage import MOST_NAMED
from wfnb.nesting import ATOMS
from wfnb.recipes import Recipe
from wfnb.tasks import Task

_OF_IPYTHON = frozenset({"In", "Out", "exit", "quit", "get_ipython"})


@dataclass(slots=True)
class Built:
    """A task built by hand."""

    name: str
    recipe: Recipe
    cell: str
    """What the draft takes for the cell that binds it; it stays when the name changes."""
    task: Task | None = None
    given: tuple[Any, ...] = ()
    """What it was made of."""
    trouble: str = ""
    """Why it cannot be made, and the remedy."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What has been taken away, and who needed it."""

    names: tuple[str, ...]
    broken: tuple[str, ...] = ()
    """Built on it, and no tasks until they are connected anew."""
    untouched: tuple[str, ...] = ()
    """Of cells: they hold the task itself."""

    def __str__(self) -> str:
        told = [f"removed {listed(self.names)}"]
        if self.broken:
            remedy = "connect another input or remove them, too"
            told.append(f"broken without it: {listed(self.broken)}: {remedy}")
        if self.untouched:
            told.append(f"it still runs for those that need it: {listed(self.untouched)}")
        return "; ".join(told)


def in_order(recipes: Mapping[str, Recipe]) -> tuple[str, ...]:
    """Each after what it reads, otherwise as they were built; GraphError for a cycle."""
    reads = {
        name: [other for other in recipe.reads if other in recipes]
        for name, recipe in recipes.items()
    }
    try:
        return tuple(TopologicalSorter(reads).static_order())
    except CycleError as error:
        path = " -> ".join(error.args[1])
        message = f"tasks wait on each other: {path}: take one of them out"
        raise GraphError(message) from None


def are_same(before: Sequence[Any], now: Sequence[Any]) -> bool:
    """Whether a task made of these is as good as one made of those."""
    if len(before) != len(now):
        return False
    pairs = zip(before, now, strict=True)
    return all(one is other or _are_equal_atoms(one, other) for one, other in pairs)


def _are_equal_atoms(one: Any, other: Any) -> bool:
    return type(one) in ATOMS and type(one) is type(other) and bool(one == other)


def listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def variable_name(name: str, function: str) -> str:
    """As Python takes it; OptionError for what no task of this function can be bound to."""
    name = unicodedata.normalize("NFKC", name.strip())
    if not name.isidentifier() or iskeyword(name):
        message = f"{name!r} is no name for a variable"
        raise OptionError(f"{message}: use letters, digits and _, and no digit first")
    if name.startswith("_") or name in _OF_IPYTHON:
        raise OptionError(f"{name} is for IPython: choose another name, without _ in front")
    if name == function or hasattr(builtins, name):
        whose = "the function itself" if name == function else "a function of Python"
        raise OptionError(f"{name} is {whose}: choose another name")
    return name
