"""A graph as a Mermaid flowchart, which GitHub, GitLab and JupyterLab draw.

Nothing of a name reaches the text as it is: ids are counted, and in labels all but letters, digits
and a few signs become character codes, so that no name can end its label, or be a link or markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wfnb.draft import Draft
from wfnb.exports.subject import Subject, subject_of
from wfnb.timeline import TaskState
from wfnb.widgets.cards import Card, card, seen
from wfnb.widgets.folding import fold
from wfnb.widgets.palette import INK, LOOKS
from wfnb.widgets.svg import clean

# "1. " and "- " would begin a list.
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.,/() -]|[.-](?= )")
_LONGEST = 100


def text_of(thing: Any, draft: Draft | None = None) -> str:
    return "\n".join(_lines(subject_of(thing))) + "\n"


def _lines(subject: Subject) -> Iterator[str]:
    graph = subject.graph
    known, folded = seen(graph, subject.timeline), fold(graph)
    targets = frozenset(graph.targets)
    names: dict[str, str] = {}
    shown: dict[TaskState, list[str]] = {}
    yield "flowchart LR"
    for each in folded.folds:
        name = names[each.id] = f"n{len(names)}"
        drawn = card(each, known, targets=targets)
        yield f"    {name}{_node(drawn)}"
        if drawn.state is not None:
            shown.setdefault(drawn.state, []).append(name)
    for (start, end), weight in folded.edges.items():
        arrow = f"-->|{weight}|" if weight > 1 else "-->"
        yield f"    {names[start]} {arrow} {names[end]}"
    yield from _styles(shown)


def _node(drawn: Card) -> str:
    """Targets are rounded, what stands for several tasks has a double border."""
    words = [drawn.name]
    if drawn.is_folded:
        words.append(drawn.note)
    label = ", ".join(filter(None, map(_escaped, words)))
    if drawn.is_target:
        return f'(["{label}"])'
    return f'[["{label}"]]' if drawn.is_folded else f'["{label}"]'


def _styles(shown: Mapping[TaskState, Sequence[str]]) -> Iterator[str]:
    for state, look in LOOKS.items():
        if state in shown:
            word = state.value.replace("-", "_")
            yield f"    classDef {word} fill:{look.tint},stroke:{look.colour},color:{INK}"
            yield f"    class {','.join(shown[state])} {word}"


def _escaped(name: str) -> str:
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 3]}..."
    return _NOT_PLAIN.sub(lambda found: f"#{ord(found[0])};", clean(name))
