"""A task described by words alone: which function, and what is written for its arguments."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from wfnb.errors import CallError
from wfnb.expressions import Expressions, Look, named, parsed
from wfnb.language import TaskFunction
from wfnb.tasks import Task

Function: TypeAlias = TaskFunction[..., Any]

WIDTH = 88
_OF_MAPS = frozenset({"flatten", "depth", "expected"})
"""What `f.map` takes for itself."""
_SHORT = reprlib.Repr()
_SHORT.maxother = _SHORT.maxstring = 40

_Kind = inspect.Parameter
_STARS = {_Kind.VAR_POSITIONAL: "*", _Kind.VAR_KEYWORD: "**"}
_PLACED = (_Kind.POSITIONAL_ONLY, _Kind.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something that a function takes."""

    name: str
    kind: Any
    hint: str = ""
    """Its annotation and default, or that it must be given."""
    is_needed: bool = False

    @property
    def label(self) -> str:
        return f"{_STARS.get(self.kind, '')}{self.name}"

    @property
    def is_placed(self) -> bool:
        """Whether it may be given by its place."""
        return self.kind in _PLACED


def parameters_of(function: Function) -> tuple[Parameter, ...]:
    """Of a function that does not tell: anything."""
    try:
        found = inspect.signature(function.function).parameters.values()
    except (TypeError, ValueError):
        return (Parameter("args", _Kind.VAR_POSITIONAL), Parameter("kwargs", _Kind.VAR_KEYWORD))
    return tuple(map(_parameter, found))


def _parameter(found: inspect.Parameter) -> Parameter:
    annotation = found.annotation
    words = [] if annotation is found.empty else [_annotated(annotation)]
    is_needed = found.default is found.empty and found.kind not in _STARS
    if found.default is not found.empty:
        words.append(f"default {_SHORT.repr(found.default)}")
    elif is_needed:
        words.append("needed")
    else:
        words.append("any number")
    return Parameter(found.name, found.kind, ", ".join(words), is_needed=is_needed)


def _annotated(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    is_plain = isinstance(annotation, type) and not hasattr(annotation, "__origin__")
    return annotation.__name__ if is_plain else _SHORT.repr(annotation)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A call, or a map over the first of its arguments; `checked` tells whether it is one."""

    function: str
    """The variable that holds it."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Parameter -> what is written for it; of *args and **kwargs, with commas between."""
    mapped: int = 0
    """How many of the first arguments are gone over; none: it is called once."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The names in its arguments, each once."""
        found = (name for text in self.arguments.values() for name in parsed(text).reads)
        return tuple(dict.fromkeys(found))

    def given(self, look: Look) -> tuple[Any, ...]:
        """What those stand for; CallError, with the argument, for one that stands for nothing."""
        found: dict[str, Any] = {}
        for parameter, text in self.arguments.items():
            try:
                found.update((name, look(name)) for name in parsed(text).reads)
            except CallError as error:
                raise named(error, f"{parameter} of {self.function}") from None
        return tuple(found[name] for name in self.reads)

    def checked(self) -> Recipe:
        """Written as a person would; CallError for what is more than literals and names."""
        texts = {
            name: written_for(f"{name} of {self.function}", text)
            for name, text in self.arguments.items()
            if text.strip()
        }
        return replace(self, arguments=texts)

    def renamed(self, names: Mapping[str, str]) -> Recipe:
        texts = {name: parsed(text).written(names) for name, text in self.arguments.items()}
        return replace(self, arguments=texts)

    def task(self, function: Function, look: Look) -> Task:
        """Raises CallError where arguments do not fit, as a call that is written by hand does."""
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for label, name, found in self._placed(parameters_of(function)):
            try:
                positional, words = found.values(look)
            except CallError as error:
                raise named(error, f"{name} of {self.function}") from None
            if label:
                kwargs[label] = positional[0]
            else:
                args += positional
                kwargs |= words
        if not self.mapped:
            return function(*args, **kwargs)
        taken = sorted(_OF_MAPS & kwargs.keys())
        if taken:
            message = f"{self.function}.map takes {taken[0]} for itself"
            raise CallError(f"{message}: give the parameter of {self.function} another name")
        return function.map(*args, **kwargs)

    def code(self, name: str, parameters: Sequence[Parameter]) -> str:
        """The assignment that gives the same task."""
        parts: list[str] = []
        for label, _, found in self._placed(parameters):
            texts = found.texts({})
            parts += [f"{label}={texts[0]}"] if label else texts
        opening = f"{name} = {self.function}{'.map' if self.mapped else ''}("
        line = f"{opening}{', '.join(parts)})"
        if len(line) <= WIDTH or not parts:
            return line
        return "\n".join([opening, *(f"    {part}," for part in parts), ")"])

    def _placed(self, parameters: Sequence[Parameter]) -> list[tuple[str, str, Expressions]]:
        """In the order of the call, with the keyword that each needs, if any, and its name.

        By place goes what must be given, and what stands before something that has no name.
        """
        given = {name: parsed(text) for name, text in self.arguments.items()}
        self._refuse(parameters, given)
        by_place = self._by_place(parameters, given)
        found: list[tuple[str, str, Expressions]] = []
        for parameter in parameters:
            if parameter.name in given:
                is_word = parameter.kind not in _STARS and parameter.name not in by_place
                label = parameter.name if is_word else ""
                found.append((label, parameter.name, given.pop(parameter.name)))
        # The function was another when these were written: its call says what it makes of them.
        return [*found, *((name, name, each) for name, each in given.items())]

    def _by_place(
        self, parameters: Sequence[Parameter], given: Mapping[str, Expressions]
    ) -> frozenset[str]:
        placed = [parameter for parameter in parameters if parameter.is_placed]
        if self.mapped:
            return self._gone_over(placed, given)
        rest = next((p.name for p in parameters if p.kind is _Kind.VAR_POSITIONAL), None)
        optional = (at for at, p in enumerate(placed) if not p.is_needed or p.name not in given)
        nameless = (
            at + 1
            for at, p in enumerate(placed)
            if p.name in given and p.kind is _Kind.POSITIONAL_ONLY
        )
        last = max(next(optional, len(placed)), *nameless, len(placed) if rest in given else 0)
        missing = [p.name for p in placed[:last] if p.name not in given]
        if missing:
            message = f"what follows {missing[0]} of {self.function} is given by its place"
            raise CallError(f"{message}: give {missing[0]}, too")
        return frozenset(parameter.name for parameter in placed[:last])

    def _gone_over(
        self, placed: Sequence[Parameter], given: Mapping[str, Expressions]
    ) -> frozenset[str]:
        over = [parameter.name for parameter in placed[: self.mapped]]
        missing = [name for name in over if name not in given]
        if missing or len(over) < self.mapped:
            what = missing[0] if missing else f"argument {self.mapped}"
            raise CallError(f"{what} of {self.function}: give what the map goes over")
        return frozenset(over)

    def _refuse(self, parameters: Sequence[Parameter], given: Mapping[str, Expressions]) -> None:
        """What a field holds that is not for it."""
        for parameter in parameters:
            found = given.get(parameter.name)
            if found is None:
                continue
            label = f"{parameter.label} of {self.function}"
            if parameter.kind is _Kind.VAR_POSITIONAL:
                if found.named:
                    raise CallError(f"{label}: write values alone, commas between")
                if self.mapped:
                    raise CallError(f"{label}: a map cannot give it: choose call, or leave it out")
            elif parameter.kind is _Kind.VAR_KEYWORD:
                if found.positional:
                    raise CallError(f"{label}: write name=value, commas between")
            else:
                _refuse_several(label, found)


def _refuse_several(label: str, found: Expressions) -> None:
    if found.named:
        raise CallError(f"{label}: write the value alone, without a name and =")
    if len(found.positional) != 1 or found.written().startswith("*"):
        raise CallError(f"{label}: it takes one value: write [ and ] around several")


def written_for(label: str, text: str) -> str:
    """As a person would write it; CallError, with the label, for what is no argument."""
    try:
        return parsed(text).written()
    except CallError as error:
        raise named(error, label) from None
