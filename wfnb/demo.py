"""The tour's workflow: an index of the words and symbols of Python's own standard library."""

from __future__ import annotations

import keyword
import os
import sysconfig
import tokenize
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wfnb.graph import Task
from wfnb.language import task

Index = dict[str, Counter[Any]]
Row = tuple[Any, ...]
Ranking = dict[str, list[Row]]

KINDS = ("names", "symbols", "places", "keywords", "operators", "totals")
SECTIONS = ("names", "longest", "symbols", "keywords", "operators", "totals")
SKIPPED = {"__pycache__", "dist-packages", "idlelib", "site-packages", "test", "tests"}
UNREADABLE = (SyntaxError, UnicodeDecodeError, tokenize.TokenError)
CHUNKS = 96
TOP = 20


def stdlib() -> Path:
    """Asked wherever a file is read: a worker elsewhere may keep its library elsewhere."""
    return Path(sysconfig.get_paths()["stdlib"])


def sources() -> list[str]:
    """Sorted, and relative to `stdlib`."""
    found = []
    for folder, subfolders, files in os.walk(stdlib()):
        subfolders[:] = [name for name in subfolders if name not in SKIPPED]
        found += [Path(folder, name) for name in files if name.endswith(".py")]
    return sorted(path.relative_to(stdlib()).as_posix() for path in found)


def deal(paths: Sequence[str], chunks: int) -> list[Sequence[str]]:
    """Like cards: neighbours, which tend to be alike in size, go to different chunks."""
    return [paths[first::chunks] for first in range(min(chunks, len(paths)))]


def tokens(path: str) -> list[tokenize.TokenInfo]:
    """None at all for a file that does not decode or does not tokenise: all of it or nothing."""
    try:
        with tokenize.open(stdlib() / path) as source:
            return list(tokenize.generate_tokens(source.readline))
    except UNREADABLE:
        return []


def tally(paths: Sequence[str]) -> Index:
    """How often each thing occurs in these files; `places` counts (symbol, file) pairs."""
    index: Index = {kind: Counter() for kind in KINDS}
    for path in paths:
        found = tokens(path)
        index["totals"].update(files=1, tokens=len(found))
        if not found:
            index["totals"]["unreadable"] += 1
        before = ""
        for token in found:
            word = token.string
            if token.type == tokenize.OP:
                index["operators"][word] += 1
            elif token.type == tokenize.NAME and keyword.iskeyword(word):
                index["keywords"][word] += 1
            elif token.type == tokenize.NAME:
                index["names"][word] += 1
                if before in ("def", "class"):
                    index["symbols"][word] += 1
                    index["places"][word, path] += 1
            before = word
    return index


def combine(left: Index, right: Index) -> Index:
    # Adding Counters drops zeros. A tally holds none, or the tree's answer would differ by them.
    return {kind: left[kind] + right[kind] for kind in KINDS}


def table(index: Index, section: str, *, top: int) -> list[Row]:
    """Take the first rows of one section: biggest first, equal ones in alphabetical order."""
    counts = index["names"] if section == "longest" else index[section]
    if section == "longest":
        counts = Counter({name: len(name) for name in counts})
    rows: list[Row] = sorted(counts.items(), key=lambda row: (-row[1], row[0]))[:top]
    if section == "symbols":
        return [(symbol, times, home(index, symbol)) for symbol, times in rows]
    return rows


def home(index: Index, symbol: str) -> str:
    """Find the file that defines a symbol most often; the first of several in the alphabet."""
    counts: dict[str, int] = {
        path: times for (name, path), times in index["places"].items() if name == symbol
    }
    return min(counts, key=lambda path: (-counts[path], path))


@task
def count(paths: Any) -> Index:
    return tally(paths)


@task
def merge(left: Any, right: Any) -> Index:
    return combine(left, right)


@task
def rank(index: Any, section: str, *, top: int) -> list[Row]:
    return table(index, section, top=top)


@task
def gather(sections: Any) -> Ranking:
    return dict(sections)


def tree_merge(parts: Sequence[Task]) -> Task:
    """Merge neighbours, then the merged, until one is left; an odd one goes up as it is."""
    level = list(parts)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        odd = level[-1:] if len(level) % 2 else []
        level = [merge(left, right) for left, right in pairs] + odd
    return level[0]


def build() -> Task:
    """About 200 tasks; their target is the ranking."""
    index = tree_merge([count(chunk) for chunk in deal(sources(), CHUNKS)])
    return gather({section: rank(index, section, top=TOP) for section in SECTIONS})


def expected() -> Ranking:
    """Answer by one process in one go: no chunks, no tree, no workflow."""
    index = tally(sources())
    return {section: table(index, section, top=TOP) for section in SECTIONS}


def report(ranking: Ranking) -> str:
    """Put the ranking into text, one line a section."""
    lines = []
    for section, rows in ranking.items():
        words = ", ".join(f"{row[0]} {row[1]:,}" for row in rows[:8])
        lines.append(f"{section:>9}  {words}")
    return "\n".join(lines)
