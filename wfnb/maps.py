"""Maps at run time: iterables become elements, and what items return becomes a list again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from itertools import islice
from typing import Any, Final, TypeAlias

from wfnb.errors import CallError

Shape: TypeAlias = "int | list[Shape]"
"""How many items; of a deeper map, the shapes of its parts."""

MOST_ITEMS = 100_000
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_ANY_NUMBER = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


class _Skip:
    """What an item returns, or is given, that is to be left out."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "wfnb.SKIP"

    def __reduce__(self) -> str:
        return "SKIP"


SKIP: Final = _Skip()


@dataclass(frozen=True, slots=True)
class Elements:
    """What the items of a map are given, one each."""

    values: list[Any]
    shape: Shape


@dataclass(frozen=True, slots=True)
class Gathered:
    """Stands for a map's list, whose items are outputs of their own."""

    shape: Shape
    flatten: bool

    def assembled(self, values: Iterable[Any]) -> list[Any]:
        """The list, from what all items returned, in order."""
        return _assembled(self.shape, iter(values), flatten=self.flatten)


def split(*iterables: Any, depth: int = 1) -> Elements:
    """One element for each item: of several iterables a tuple, as far as the shortest goes."""
    values: list[Any] = []
    shape = _enumerated(iterables, depth, values)
    return Elements(values, shape)


def refuse_ambiguous(signature: Signature, iterables: int, given: Mapping[str, bool]) -> None:
    """An option of map that is a parameter of the function too: nobody could say whose it is.

    `given` tells of each option whether the call names it. What iterables fill is not in question.
    """
    positional = [name for name, one in signature.parameters.items() if one.kind in _POSITIONAL]
    for name, is_given in given.items():
        parameter = signature.parameters.get(name)
        if parameter is None or parameter.kind in _ANY_NUMBER or name in positional[:iterables]:
            continue
        if is_given or parameter.default is parameter.empty:
            raise CallError(
                f"{name!r} is an option of map, and a parameter of the function too: rename the "
                "parameter, or map a function that calls this one"
            )


def gathered(shape: Shape, *, flatten: bool) -> Gathered:
    return Gathered(shape, flatten)


@dataclass(frozen=True, slots=True)
class ItemCall:
    """What one item calls."""

    function: Callable[..., Any]
    is_spread: bool
    """Whether its element is a tuple, one value of each iterable."""
    flatten: bool

    def __call__(self, element: Any, /, *args: Any, **kwargs: Any) -> Any:
        """SKIP where it is given SKIP."""
        given: Sequence[Any] = element if self.is_spread else (element,)
        if any(value is SKIP for value in given):
            return SKIP
        value = self.function(*given, *args, **kwargs)
        if not self.flatten or value is SKIP:
            return value
        try:
            return list(value)
        except TypeError as error:
            name = getattr(self.function, "__name__", "it")
            kind = type(value).__name__
            message = f"{name}.map(flatten=True) needs lists, and an item returned a {kind}"
            raise CallError(message) from error


def _enumerated(iterables: Sequence[Any], depth: int, values: list[Any]) -> Shape:
    shapes: list[Shape] = []
    count = 0
    for row in zip(*map(_iterated, iterables), strict=False):
        if depth > 1:
            shapes.append(_enumerated(row, depth - 1, values))
            continue
        count += 1
        values.append(row[0] if len(row) == 1 else row)
        if len(values) > MOST_ITEMS:
            message = f"a map takes {MOST_ITEMS:,} items at most: give each of them several things"
            raise CallError(message)
    return shapes if depth > 1 else count


def _iterated(iterable: Any) -> Iterator[Any]:
    try:
        return iter(iterable)
    except TypeError:
        kind = type(iterable).__name__
        raise CallError(f"map goes over a list or other iterable, and was given a {kind}") from None


def _assembled(shape: Shape, values: Iterator[Any], *, flatten: bool) -> list[Any]:
    if not isinstance(shape, int):
        return [_assembled(part, values, flatten=flatten) for part in shape]
    found = [value for value in islice(values, shape) if value is not SKIP]
    return [one for some in found for one in some] if flatten else found
