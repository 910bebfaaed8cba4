"""Write, plan and run workflows, cell by cell, in a notebook."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from wfnb.errors import (
        BackendError,
        CallError,
        ErrorRecord,
        GraphError,
        OptionError,
        PlanError,
        RunCancelledError,
        RunNotFoundError,
        RunTimeoutError,
        SerialisationError,
        SignatureError,
        StoreError,
        StoreFullError,
        TaskError,
        WfnbError,
    )
    from wfnb.graph import Graph, Task
    from wfnb.language import current_attempt, task
    from wfnb.plan import Placement, Plan
    from wfnb.resources import Resources
    from wfnb.runner import Run
    from wfnb.session import Session
    from wfnb.shortcuts import attach, connect, plan, run, runs, show, start

_HOMES = {
    "wfnb.errors": (
        "BackendError CallError ErrorRecord GraphError OptionError PlanError RunCancelledError "
        "RunNotFoundError RunTimeoutError SerialisationError SignatureError StoreError "
        "StoreFullError TaskError WfnbError"
    ),
    "wfnb.graph": "Graph Task",
    "wfnb.language": "current_attempt task",
    "wfnb.plan": "Placement Plan",
    "wfnb.resources": "Resources",
    "wfnb.runner": "Run",
    "wfnb.session": "Session",
    "wfnb.shortcuts": "attach connect plan run runs show start",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "BackendError",
    "CallError",
    "ErrorRecord",
    "Graph",
    "GraphError",
    "OptionError",
    "Placement",
    "Plan",
    "PlanError",
    "Resources",
    "Run",
    "RunCancelledError",
    "RunNotFoundError",
    "RunTimeoutError",
    "SerialisationError",
    "Session",
    "SignatureError",
    "StoreError",
    "StoreFullError",
    "Task",
    "TaskError",
    "WfnbError",
    "attach",
    "connect",
    "current_attempt",
    "plan",
    "run",
    "runs",
    "show",
    "start",
    "task",
]

# A module is set as an attribute of its package when it is first imported, and never again: once
# wfnb.plan the module has been, the name is free for wfnb.plan the function.
import_module("wfnb.plan")
globals().pop("plan", None)  # at a reload it is gone already, or the function


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: `import wfnb` alone loads no library."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'wfnb' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Called by `%load_ext wfnb`."""
    from wfnb.magics import install

    install(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Called by `%unload_ext wfnb`."""
    from wfnb.magics import uninstall

    uninstall(shell)
