"""Write, plan and run workflows, cell by cell, in a notebook."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from wfnb.declared import power
    from wfnb.errors import (
        BackendError,
        CallError,
        CellError,
        ErrorRecord,
        ExportError,
        FormatError,
        GraphError,
        OptionError,
        PlanError,
        RequirementsError,
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
    from wfnb.exports.replay import load
    from wfnb.graph import Graph, Task
    from wfnb.language import current_attempt, task
    from wfnb.maps import SKIP
    from wfnb.plan import Placement, Plan
    from wfnb.resources import Resources
    from wfnb.runner import Run
    from wfnb.session import Session
    from wfnb.shortcuts import attach, build, compare, connect, export, plan, run, runs, show, start

_HOMES = {
    "wfnb.errors": (
        "BackendError CallError CellError ErrorRecord ExportError FormatError GraphError "
        "OptionError PlanError RequirementsError RunCancelledError RunNotFoundError "
        "RunTimeoutError SerialisationError SignatureError StoreError StoreFullError TaskError "
        "WfnbError"
    ),
    "wfnb.declared": "power",
    "wfnb.graph": "Graph Task",
    "wfnb.language": "current_attempt task",
    "wfnb.maps": "SKIP",
    "wfnb.plan": "Placement Plan",
    "wfnb.resources": "Resources",
    "wfnb.runner": "Run",
    "wfnb.session": "Session",
    "wfnb.exports.replay": "load",
    "wfnb.shortcuts": "attach build compare connect export plan run runs show start",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "SKIP",
    "BackendError",
    "CallError",
    "CellError",
    "ErrorRecord",
    "ExportError",
    "FormatError",
    "Graph",
    "GraphError",
    "OptionError",
    "Placement",
    "Plan",
    "PlanError",
    "RequirementsError",
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
    "build",
    "compare",
    "connect",
    "current_attempt",
    "export",
    "load",
    "plan",
    "power",
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
    from wfnb.extension import install

    install(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Called by `%unload_ext wfnb`."""
    from wfnb.extension import uninstall

    uninstall(shell)
