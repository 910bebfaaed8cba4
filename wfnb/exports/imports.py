"""By which import a script gets what this process has."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from wfnb.exports.code import WIDTH
from wfnb.functions import module_is_importable


def import_of(name: str, value: Any) -> str | None:
    """The line that gives a name this module, function, class or other thing; None: none does."""
    if isinstance(value, ModuleType):
        return _module_import(name, value)
    found = _home(value, getattr(value, "__name__", None) or getattr(value, "_name", None) or name)
    if found is None:
        return None
    module, known = found
    return f"from {module} import {known}" + ("" if known == name else f" as {name}")


def in_groups(lines: Iterable[str]) -> str:
    """As people order them: the standard library, what was installed, wfnb."""
    groups: dict[int, list[str]] = {}
    ordered = sorted(_joined(lines), key=lambda line: (line.startswith("from"), line.lower()))
    for line in ordered:
        top = line.split()[1].partition(".")[0]
        rank = 2 if top == "wfnb" else 0 if top in sys.stdlib_module_names else 1
        groups.setdefault(-1 if top == "__future__" else rank, []).append(line)
    return "\n\n".join("\n".join(groups[rank]) for rank in sorted(groups))


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """With one line for all that comes from a module."""
    named: dict[str, list[str]] = {}
    every = sorted(set(lines))
    for line in every:
        module, is_from, names = line.partition(" import ")
        if is_from:
            named.setdefault(module, []).append(names)
        elif not any(other.startswith(f"{line}.") and " as " not in other for other in every):
            yield line  # `import a.b` gives `a` as well
    for module, parts in named.items():
        line = f"{module} import {', '.join(parts)}"
        if len(line) <= WIDTH:
            yield line
        else:
            yield f"{module} import (\n    " + ",\n    ".join(parts) + ",\n)"


def submodules(module: ModuleType, attributes: Iterable[str]) -> Iterator[str]:
    """The imports that `module.sub.part` needs besides that of the module."""
    for attribute in attributes:
        full = f"{module.__name__}.{attribute}"
        if full in sys.modules and module_is_importable(full, sys.modules[full]):
            yield f"import {full}"


def _module_import(name: str, module: ModuleType) -> str | None:
    full = module.__name__
    if not module_is_importable(full, module):
        return None
    if name == full:
        return f"import {full}"
    parent, _, last = full.rpartition(".")
    if parent and last == name:
        return f"from {parent} import {name}"
    return f"import {full} as {name}"


def _home(value: Any, known: str) -> tuple[str, str] | None:
    """The most public module that has it: the shortest, whose parts are not private."""
    written = getattr(value, "__module__", None)
    if not isinstance(written, str) or not isinstance(known, str):
        return None
    parts = written.split(".")
    modules = [".".join(parts[: end + 1]) for end in range(len(parts))]
    if written.startswith("_") and len(parts) == 1:
        modules.insert(0, written.lstrip("_"))  # such as _operator, which is operator's
    modules.sort(key=lambda full: any(part.startswith("_") for part in full.split(".")))
    for full in modules:
        module = sys.modules.get(full)
        if module is None or getattr(module, known, None) is not value:
            continue
        if full == "builtins" or module_is_importable(full, module):
            return full, known
    return None
