"""A session's home: no test sees the user's files, no process of ours outlives the session."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

HOMES = {
    "XDG_CACHE_HOME": "cache",
    "XDG_STATE_HOME": "state",
    "XDG_CONFIG_HOME": "config",
    "XDG_RUNTIME_DIR": "run",
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "jupyter",
    "JUPYTER_DATA_DIR": "jupyter",
    "JUPYTER_RUNTIME_DIR": "jupyter/run",
}
SHARED_MEMORY = Path("/dev/shm")
HOME = pytest.StashKey[Path]()
EARLIER = pytest.StashKey[frozenset[str]]()
LEFT = pytest.StashKey[list[str]]()

#: Made to outlive the process that started them: they are asked to end, the rest must follow.
#: The server last, for those that want it would start it again.
SURVIVORS = (("wfnb pool", "wfnb.cli pool", "wfnb.workers"), ("redis-server",))


def pytest_configure(config: pytest.Config) -> None:
    # A unix socket's path has at most 100 bytes: no room for pytest's own temporary folders.
    home = Path(tempfile.mkdtemp(prefix="wf", dir="/tmp"))
    for name in [name for name in os.environ if name.startswith("WFNB_")]:
        del os.environ[name]
    for variable, folder in HOMES.items():
        (home / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ[variable] = str(home / folder)
    # Under a name of the session's own, so that its leaks are not mistaken for a neighbour's.
    shared = SHARED_MEMORY / home.name if SHARED_MEMORY.is_dir() else home / "shm"
    shared.mkdir(mode=0o700)
    os.environ["WFNB_SHM_DIR"] = str(shared)
    config.stash[HOME] = home
    config.stash[EARLIER] = shared_memory()
    config.stash[LEFT] = []


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    stash = session.config.stash
    left = stash[LEFT]
    left += [f"process {process}" for process in end_processes(str(stash[HOME]))]
    # Elsewhere other wfnb sessions may come and go on the same machine.
    if os.getenv("CI"):
        left += sorted(shared_memory() - stash[EARLIER])
    if left and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if left := config.stash[LEFT]:
        terminalreporter.section("left behind by this session", red=True)
        for line in left:
            terminalreporter.line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    for folder in (os.environ["WFNB_SHM_DIR"], config.stash[HOME]):
        shutil.rmtree(folder, ignore_errors=True)


def shared_memory() -> frozenset[str]:
    return frozenset(str(path) for path in SHARED_MEMORY.glob("wfnb*"))


def processes_of(home: str) -> Iterator[psutil.Process]:
    """Processes, this one apart, that were started with a session's home in sight."""
    for process in psutil.process_iter():
        try:
            told = [process.cwd(), *process.cmdline(), *process.environ().values()]
            if process.pid != os.getpid() and any(home in words for words in told):
                yield process
        except psutil.Error:
            continue


def end_processes(home: str, *, patience_seconds: float = 10.0) -> list[str]:
    """Ask the survivors to end; kill, and describe, what is still there after that."""
    deadline = time.monotonic() + patience_seconds
    for names in SURVIVORS:
        asked = [p for p in processes_of(home) if any(name in _command(p) for name in names)]
        for process in asked:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGTERM)
        while any(map(_lives, asked)) and time.monotonic() < deadline:
            time.sleep(0.02)
    while (left := list(processes_of(home))) and time.monotonic() < deadline:
        time.sleep(0.02)
    described = [f"{process.pid}: {_command(process)}" for process in left]
    for process in left:
        process.kill()
    return described


def _lives(process: psutil.Process) -> bool:
    """Waiting for it would take its exit code from the parent, if that is us."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return "?"
