"""The clean process that workers are forked from, so that each starts in a millisecond or two.

It is forked from the pool before any thread or connection exists, holds what every worker needs,
and only ever forks, reaps and kills. When the pool goes, however it goes, it kills what is left.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from struct import Struct
from typing import NoReturn

_MESSAGE = Struct("=4i")
_FORK, _KILL, _BORN, _DIED = range(1, 5)
_SET_DEATH_SIGNAL = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Born:
    slot: int
    pid: int


@dataclass(frozen=True, slots=True)
class Died:
    slot: int
    pid: int
    status: int
    """As os.waitpid gives it."""


class Template:
    """The pool's end of it: orders out, reports in."""

    def __init__(self, pid: int, link: socket.socket) -> None:
        self.pid = pid
        self._link = link
        self._read = b""
        self.is_alive = True

    def fileno(self) -> int:
        return self._link.fileno()

    def fork(self, slot: int) -> None:
        """Order a worker for the slot; `Born` will tell its process id."""
        self._send(_FORK, slot, 0)

    def kill(self, slot: int, pid: int) -> None:
        """Kill the slot's worker with its whole process group, if it is still that one."""
        self._send(_KILL, slot, pid)

    def reports(self) -> Iterator[Born | Died]:
        """What has come in. `is_alive` turns False once the template itself is gone."""
        self._receive()
        whole = len(self._read) // _MESSAGE.size * _MESSAGE.size
        ready, self._read = self._read[:whole], self._read[whole:]
        for kind, slot, pid, status in _MESSAGE.iter_unpack(ready):
            yield Born(slot, pid) if kind == _BORN else Died(slot, pid, status)

    def close(self) -> None:
        """End the template, and with it all its workers."""
        self._link.close()
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _send(self, order: int, slot: int, pid: int) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            self._link.sendall(_MESSAGE.pack(order, slot, pid, 0))

    def _receive(self) -> None:
        while True:
            try:
                data = self._link.recv(4096, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            if not data:
                self.is_alive = False
                return
            self._read += data


def start_template(worker: Callable[[int], object], *, close: tuple[int, ...] = ()) -> Template:
    """Fork it now, from a process with one thread and no connections.

    `worker(slot)` is each worker's whole life; `close` are descriptors that they shall not have.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        for descriptor in close:
            os.close(descriptor)
        _live(_Forks(theirs, worker))
    theirs.close()
    return Template(pid, ours)


class _Forks:
    """The template's own side."""

    def __init__(self, link: socket.socket, worker: Callable[[int], object]) -> None:
        self._link = link
        self._worker = worker
        self._slots: dict[int, int] = {}
        self._bell, self._ring = os.pipe()
        self._pid = os.getpid()

    def serve(self) -> None:
        """Until the pool is gone."""
        # The terminal's interrupt reaches the whole group; only the pool decides what follows.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        os.set_blocking(self._ring, False)
        os.set_blocking(self._bell, False)
        signal.set_wakeup_fd(self._ring, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _do_nothing)
        gc.freeze()  # what is shared with the children is not touched by their collections
        while self._step():
            pass
        for pid in self._slots:
            _kill_group(pid)

    def _step(self) -> bool:
        link = self._link.fileno()
        ready, _, _ = select.select([link, self._bell], [], [])
        if self._bell in ready:
            with suppress(BlockingIOError):
                os.read(self._bell, 4096)
            self._bury()
        return link not in ready or self._obey()

    def _obey(self) -> bool:
        try:
            data = self._link.recv(_MESSAGE.size, socket.MSG_WAITALL)
        except ConnectionResetError:
            return False
        if len(data) < _MESSAGE.size:
            return False
        order, slot, pid, _ = _MESSAGE.unpack(data)
        if order == _FORK:
            self._fork(slot)
        elif self._slots.get(pid) == slot:
            _kill_group(pid)
        return True

    def _fork(self, slot: int) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_worker(slot)
        with suppress(OSError):  # it may have done so itself, and be gone
            os.setpgid(pid, pid)
        self._slots[pid] = slot
        self._tell(_BORN, slot, pid, 0)

    def _bury(self) -> None:
        while self._slots:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            slot = self._slots.pop(pid, None)
            if slot is not None:
                _kill_group(pid)  # what its tasks have started
                self._tell(_DIED, slot, pid, status)

    def _tell(self, kind: int, slot: int, pid: int, status: int) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the pool's end is seen by reading
            self._link.sendall(_MESSAGE.pack(kind, slot, pid, status))

    def _become_worker(self, slot: int) -> NoReturn:
        die_with_parent(self._pid)
        with suppress(OSError):
            os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._link.close()
        os.close(self._bell)
        os.close(self._ring)
        _live_as(lambda: self._worker(slot))


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent ends; only Linux can."""
    if sys.platform == "linux":
        _LIBC.prctl(_SET_DEATH_SIGNAL, int(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(1)


def _live(forks: _Forks) -> NoReturn:
    _live_as(forks.serve)


def _live_as(life: Callable[[], object]) -> NoReturn:
    """A forked process must never return into the code of the one that forked it."""
    status = 1
    try:
        life()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  said to whoever reads this process's stderr
        traceback.print_exc()
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status & 255)


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _do_nothing(_number: int, _frame: object) -> None:
    """The byte in the pipe is the message."""
