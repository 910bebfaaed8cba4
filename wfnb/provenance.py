"""Where a value comes from: what has the same provenance need not be computed again.

A task's fingerprint covers the code that it calls, its arguments and the fingerprints of its
inputs. Two tasks that may differ never share one. A task has none if that cannot be promised: if it
is not pure, if something in it has no stable content (a lock, an open file), or if an input has
none.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import PurePath
from types import FunctionType
from typing import Any

from wfnb.arguments import Arguments, Constant, Nested, Output, Part, output_at
from wfnb.bytecode import atom
from wfnb.contents import DIGEST_BYTES, Writer
from wfnb.files import stamp, stamps
from wfnb.fingerprint import Adder
from wfnb.graph import Function, Graph, MapCall
from wfnb.identity import Content
from wfnb.modules import is_library, look_again, version_of

_VERSION = b"1"
_QUICK = frozenset((int, float, bool, type(None), complex))
_TEXTS = frozenset((str, bytes))
_ATOMS = _QUICK | _TEXTS
_SHORT = 1024


def fingerprints(
    graph: Graph,
    *,
    loaded: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda function: function,
    constant: Callable[[str], Any] | None = None,
) -> list[str | None]:
    """For each task, 32 hex digits, or None if its value may not be known by its provenance.

    Of a stored graph, `loaded` gives the functions and `constant` the large values, by content.
    """
    return all_fingerprints(graph, loaded=loaded, constant=constant)[0]


def all_fingerprints(
    graph: Graph,
    *,
    loaded: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda function: function,
    constant: Callable[[str], Any] | None = None,
) -> tuple[list[str | None], dict[int, str]]:
    """Those of tasks; and by map, where its items' calls can be identified, what they call.

    The latter is for `fingerprint_of_item`.
    """
    look_again()
    look = _Provenance(graph.as_planned, loaded, constant)
    prints, items = look.of_all(), look.of_items()
    tasks = [None if found is None else found.hex() for found in prints]
    return tasks, {at: found.hex() for at, found in items.items()}


def fingerprint_of_item(of_map: str, given: Any) -> str | None:
    """Of the call of one item that is given this; None if that has no stable content."""
    try:
        content = Content(given, {}).digest
    except Exception:  # noqa: BLE001  users' objects may raise anything
        return None
    return _digest(bytes.fromhex(of_map), content).hex()


class _Provenance:
    """One look at a whole graph; each function and each large value is read once."""

    def __init__(
        self,
        graph: Graph,
        loaded: Callable[[Callable[..., Any]], Callable[..., Any]],
        constant: Callable[[str], Any] | None,
    ) -> None:
        self._graph = graph
        self._loaded = loaded
        self._constant = constant
        self._functions = [self._of_function(function) for function in graph.functions]
        self._constants: dict[str, Any] = {}
        self._known: dict[int, tuple[Any, Content | None]] = {}
        self._prints: list[bytes | None] = []
        self._adders: dict[type, Adder] = {
            Output: _add_output,
            Part: _add_part,
            Nested: _add_nested,
            Constant: self._add_constant,
        }

    def of_all(self) -> list[bytes | None]:
        graph, prints, functions = self._graph, self._prints, self._functions
        has_maps = bool(graph.maps)
        columns = zip(graph.function_at, graph.arguments_at, graph.inputs_at, strict=True)
        for at, (function, arguments, inputs) in enumerate(columns):
            if has_maps and at in graph.maps:
                prints.append(self._of_map(at))
                continue
            if has_maps and at in graph.maps_of:
                inputs = inputs[: graph.maps[graph.maps_of[at][0]].iterated]
            prints.append(self._joined(functions[function], arguments, [prints[i] for i in inputs]))
        return prints

    def of_items(self) -> dict[int, bytes]:
        """When `of_all` has been asked."""
        prints, found = self._prints, {}
        for at, call in self._graph.maps.items():
            inputs = [b"item", *[prints[i] for i in call.constants]]
            called = self._joined(self._called(call), _template(call), inputs)
            if called is not None:
                found[at] = called
        return found

    def _called(self, call: MapCall) -> bytes | None:
        function = self._functions[call.function]
        return function and _digest(atom(("map", call.is_spread, call.flatten)), function)

    def _of_function(self, function: Function) -> bytes | None:
        if not function.options.pure:
            return None
        try:
            content = _content_of_function(self._loaded(function.call))
        except Exception:  # noqa: BLE001  users' objects may raise anything
            return None
        requirements = atom(tuple(sorted(function.options.requirements)))
        return content and _digest(_VERSION, content, requirements)

    def _of_map(self, at: int) -> bytes | None:
        """Whether its items follow those of another map or are split anew makes no difference."""
        graph, prints = self._graph, self._prints
        call = graph.maps[at]
        source = prints[call.splitter]
        if call.over is not None:
            depth = graph.arguments_at[call.splitter][1]["depth"]  # type: ignore[misc]
            arguments: Arguments = ((output_at(0),), {"depth": depth})
            source = self._joined(self._splitting(call.splitter), arguments, [prints[call.over]])
        inputs = [source, *[prints[i] for i in call.constants]]
        return self._joined(self._called(call), _template(call), inputs)

    def _splitting(self, splitter: int) -> bytes | None:
        return self._functions[self._graph.function_at[splitter]]

    def _joined(
        self, function: bytes | None, arguments: Arguments, inputs: Sequence[bytes | None]
    ) -> bytes | None:
        if function is None or None in inputs:
            return None
        content = self._of_arguments(arguments) if arguments else b""
        if content is None:
            return None
        head = (function, atom((len(content), len(inputs))), content)
        return blake2b(b"".join((*head, *inputs)), digest_size=DIGEST_BYTES).digest()  # type: ignore[arg-type]

    def _of_arguments(self, arguments: Arguments) -> bytes | None:
        """Values that share something that may be changed are written down together."""
        args = arguments[0] if arguments else ()
        named = arguments[1] if len(arguments) > 1 else {}
        values = [*args, *named.values()]
        written: list[Any] = []
        contents: list[Content] = []
        for value in values:
            kind = type(value)
            if kind in _QUICK or (kind in _TEXTS and len(value) < _SHORT):
                known = stamp(value) if kind is str else None
                written.append(value if known is None else ("file", value, *known))
            elif kind is Output:
                written.append(("output", value.position))
            else:
                content = self._content(value)
                if content is None:
                    return self._pickled(args, named)
                contents.append(content)
                written.append(("content", content.digest))
        if len(contents) > 1 and _share(contents):
            return self._together(args, named) or self._pickled(args, named)
        return atom((len(args), tuple(named), tuple(written)))

    def _content(self, value: Any) -> Content | None:
        known = self._known.get(id(value))
        if known is None:
            try:
                found = Content(value, self._adders)
            except Exception:  # noqa: BLE001  users' objects may raise anything
                found = None
            # The value is kept beside: an id is only good while its object lives.
            known = self._known[id(value)] = (value, found)
        return known[1]

    def _together(self, args: Sequence[Any], named: Any) -> bytes | None:
        try:
            return b"together" + Content((tuple(args), dict(named)), self._adders).digest
        except Exception:  # noqa: BLE001  users' objects may raise anything
            return None

    def _pickled(self, args: Sequence[Any], named: Any) -> bytes | None:
        try:
            return b"pickled" + _Plain.content((tuple(args), dict(named)))
        except Exception:  # noqa: BLE001  users' objects may raise anything
            return None

    def _add_constant(self, writer: Writer, value: Constant) -> None:
        """A value stored apart is written down as if it had been there."""
        if self._constant is None:
            writer.lose(value)
            return
        if value.content not in self._constants:
            self._constants[value.content] = self._constant(value.content)
        writer.add(self._constants[value.content])


class _Plain(pickle.Pickler):
    """What is too deep or too much to be walked through, if nothing in it is the user's code."""

    @classmethod
    def content(cls, value: Any) -> bytes:
        file = io.BytesIO()
        cls(file, 5).dump(value)
        return _digest(file.getvalue(), atom(tuple(stamps(_texts_in(value)))))

    def reducer_override(self, value: Any) -> Any:
        named = value if isinstance(value, (type, FunctionType)) else type(value)
        module = named.__module__
        is_plain = is_library(module) and not version_of(module)
        if not is_plain or isinstance(value, (Constant, PurePath)):
            raise pickle.PicklingError
        return NotImplemented


def _texts_in(value: Any) -> Iterator[str]:
    to_see, seen = [value], set[int]()
    while to_see:
        one = to_see.pop()
        if type(one) is str:
            yield one
        elif isinstance(one, (list, tuple, set, frozenset, dict)) and id(one) not in seen:
            seen.add(id(one))
            to_see += [*one, *one.values()] if isinstance(one, dict) else one
        elif type(one) is Nested:
            to_see.append(one.template)


def _template(call: MapCall) -> Arguments:
    return call.arguments() if callable(call.arguments) else call.arguments


def _content_of_function(function: Callable[..., Any]) -> bytes:
    return Content(function).digest


def _add_output(writer: Writer, value: Output) -> None:
    writer.name("output", value.position)


def _add_part(writer: Writer, value: Part) -> None:
    writer.name("part", value.position, value.name)


def _add_nested(writer: Writer, value: Nested) -> None:
    writer.add(value.template)


def _share(contents: Sequence[Content]) -> bool:
    seen: set[int] = set()
    for content in contents:
        parts = content.parts
        if not seen.isdisjoint(parts):
            return True
        seen |= parts
    return False


def _digest(*parts: bytes) -> bytes:
    return blake2b(b"".join(parts), digest_size=DIGEST_BYTES).digest()
