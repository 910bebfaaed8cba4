"""What IPython puts among a notebook's names, hiding what Python has under them."""

from __future__ import annotations

import builtins
from types import FunctionType
from typing import Any

_SHELLS = ("IPython", "ipykernel")


def is_builtin(name: str) -> bool:
    """Of Python itself, though IPython may hide it behind something of its own."""
    return hasattr(builtins, name) or name in ("exit", "quit")


def is_of_shell(value: Any) -> bool:
    if isinstance(value, FunctionType):  # what wraps `open` says that it is of the module io
        module = value.__globals__.get("__name__")
    else:
        module = getattr(value, "__module__", None) or type(value).__module__
    return str(module).startswith(_SHELLS)


def hides_builtin(name: str, value: Any) -> bool:
    """As the `open` of every notebook: elsewhere Python's own is meant, and IPython is missing."""
    return is_builtin(name) and is_of_shell(value)
