"""What tasks print, whoever prints it: collected by file descriptor, sent to the store.

A worker's standard output and error are one file that only grows at its end; which task printed
what is known by offsets. What was dealt with is given back to the system, so the file stays small.
"""

from __future__ import annotations

import ctypes
import fcntl
import io
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from wfnb.errors import StoreError
from wfnb.graph import TaskId
from wfnb.workers.cell import Cell

HEAD_BYTES = 1024 * 1024
TAIL_BYTES = 1024 * 1024
"""Of an attempt that prints more than both, the middle is left out and counted."""
KEPT_BYTES = 16 * 1024 * 1024
PIECE_BYTES = 256 * 1024
PAUSE_SECONDS = 0.15
HURRY_SECONDS = 0.01
HURRY_BYTES = 1024 * 1024
RECORD_TAIL_BYTES = 4096


_LINE_BUFFERED = 1
_KEEP_SIZE_AND_PUNCH_HOLE = 3
_LIBC = ctypes.CDLL(None, use_errno=True)


class Append(Protocol):
    """Sends output of an attempt to the store, as partial(store.append_log, run) does.

    The log thread calls it as well as the worker's own. `at` says how much of the attempt's output
    went before, so that what is sent again after a lost reply counts once.
    """

    def __call__(self, task: TaskId, attempt: int, text: bytes, /, *, at: int) -> object: ...


def open_log() -> int:
    """A file without a name, so that nothing is left behind whoever dies."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("wfnb-log")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_APPEND)
    return descriptor


class Capture:
    """One worker's output. Per task: `start`, the call, `end`; then `flush` before reporting it."""

    def __init__(self, descriptor: int, cell: Cell) -> None:
        self._descriptor = descriptor
        self._cell = cell
        self._lock = threading.Lock()
        self._in_run = threading.Event()
        self._thread: threading.Thread | None = None
        self._append: Append | None = None
        self._current: tuple[TaskId, int, int] | None = None
        self._pending: list[tuple[TaskId, int, bytes, int]] = []
        self._pending_bytes = 0
        self._shipped = self._told = os.lseek(descriptor, 0, os.SEEK_END)
        self._released = 0
        self._seen = self._shipped
        cell.log_from(self._shipped)
        self._streams: tuple[io.TextIOWrapper, ...] = ()
        self.look: Callable[[], object] = _see_nothing
        """Called by the log thread before it ships what is new."""

    def redirect(self) -> None:
        """From here on this process and its children print into the file, and read nothing."""
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        for number in (1, 2):
            os.dup2(self._descriptor, number)
        _buffer_lines_of_c()
        self._open_streams()

    def enter(self, append: Append) -> None:
        """A run begins: its output goes there."""
        self._append = append
        self._shipped = os.lseek(self._descriptor, 0, os.SEEK_END)
        if self._thread is None:
            self._thread = threading.Thread(target=self._follow, name="wfnb-log", daemon=True)
            self._thread.start()
        self._in_run.set()

    def leave(self) -> None:
        """What is printed from here on belongs to no run; the pool listens."""
        self.flush()
        self._in_run.clear()
        self._shipped = self._told = size_of(self._descriptor)
        self._cell.log_from(self._shipped)

    def start(self, task: TaskId, attempt: int) -> None:
        """What was printed since the last task, as by an import, counts as this one's."""
        begin = self._shipped
        if begin != self._told:
            self._told = begin
            self._cell.log_from(begin)
        self._current = (task, attempt, begin)

    def end(self) -> None:
        """Take what the task printed; nearly free when it printed nothing."""
        try:
            for stream in self._streams:
                stream.flush()
        except (OSError, ValueError):
            self._open_streams()  # the task closed or replaced it
        size = os.lseek(self._descriptor, 0, os.SEEK_END)
        if size != self._shipped:
            self._take(size)
        self._current = None

    def flush(self) -> None:
        """Send what ended tasks have printed, so that it is there before they count as done."""
        if not self._pending:
            return
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        for task, attempt, text, at in pending:
            self._send(task, attempt, text, at)

    def _send(self, task: TaskId, attempt: int, text: bytes, at: int) -> bool:
        if self._append is None:
            return False
        try:
            self._append(task, attempt, text, at=at)
        except StoreError:
            return False  # a log that cannot be written must not fail the task
        return True

    def _open_streams(self) -> None:
        self._streams = tuple(_line_buffered(number) for number in (1, 2))
        sys.stdout, sys.stderr = self._streams
        sys.__stdout__, sys.__stderr__ = self._streams  # type: ignore[misc]

    def _take(self, size: int) -> None:
        if self._current is None:
            return
        task, attempt, begin = self._current
        with self._lock:
            at = self._shipped - begin
            text = left_over(self._descriptor, begin, self._shipped, size)
            self._shipped = max(size, self._shipped)
            self._release(self._shipped)
        if text:
            self._pending.append((task, attempt, text, at))
            self._pending_bytes += len(text)
        if self._pending_bytes > PIECE_BYTES:
            self.flush()

    def _follow(self) -> None:
        """The log thread: while a task runs long, what it prints is seen at once."""
        while self._in_run.wait():
            time.sleep(HURRY_SECONDS if self._is_fast() else PAUSE_SECONDS)
            self.look()
            with self._lock:
                self._ship_new()

    def _is_fast(self) -> bool:
        size = os.lseek(self._descriptor, 0, os.SEEK_END)
        before, self._seen = self._seen, size
        return size - before > HURRY_BYTES

    def _ship_new(self) -> None:
        current = self._current
        size = os.lseek(self._descriptor, 0, os.SEEK_END)
        # The same task before and after: then all up to `size` is its own.
        if current is None or self._current is not current:
            return
        task, attempt, begin = current
        end = min(size, begin + HEAD_BYTES, self._shipped + PIECE_BYTES)
        if end > self._shipped:
            text = _read(self._descriptor, self._shipped, end)
            if self._send(task, attempt, text, self._shipped - begin):
                self._shipped = end
                self._cell.shipped(end)
        if size - self._released > KEPT_BYTES:
            self._release_middle(begin, size)

    def _release(self, end: int) -> None:
        if end - self._released > KEPT_BYTES:
            _punch(self._descriptor, self._released, end)
            self._released = end

    def _release_middle(self, begin: int, size: int) -> None:
        """All but the head that is still to be shipped, and the tail."""
        _punch(self._descriptor, self._released, min(self._shipped, size - TAIL_BYTES))
        middle = max(begin + HEAD_BYTES, self._released)
        _punch(self._descriptor, middle, size - TAIL_BYTES)
        if self._shipped >= begin + HEAD_BYTES:
            self._released = size - TAIL_BYTES


def left_over(descriptor: int, begin: int, shipped: int, end: int) -> bytes:
    """What of an attempt's output is yet to be shipped: of much, its head and tail."""
    head_end = min(begin + HEAD_BYTES, end)
    middle = max(shipped, head_end)
    tail = max(middle, end - TAIL_BYTES)
    note = f"\n... {tail - middle:,} bytes left out ...\n".encode() if tail > middle else b""
    return b"".join((_read(descriptor, shipped, head_end), note, _read(descriptor, tail, end)))


def last_words(descriptor: int, begin: int) -> str:
    """The end of what was printed since `begin`, for an error record."""
    end = os.lseek(descriptor, 0, os.SEEK_END)
    return _read(descriptor, max(begin, end - RECORD_TAIL_BYTES), end).decode(errors="replace")


def size_of(descriptor: int) -> int:
    return os.lseek(descriptor, 0, os.SEEK_END)


def _see_nothing() -> None:
    """Most workers have nobody else to ask how a call fares."""


def _read(descriptor: int, begin: int, end: int) -> bytes:
    return os.pread(descriptor, end - begin, begin) if end > begin else b""


def _punch(descriptor: int, begin: int, end: int) -> None:
    """Give the file's pages back; offsets stay. Elsewhere than on Linux the file just grows."""
    if end > begin and sys.platform == "linux":
        _LIBC.fallocate(
            descriptor,
            _KEEP_SIZE_AND_PUNCH_HOLE,
            ctypes.c_longlong(begin),
            ctypes.c_longlong(end - begin),
        )


def _buffer_lines_of_c() -> None:
    """C's stdout would keep 4 KiB back, since a file is not a terminal."""
    with suppress(ValueError):
        stream = ctypes.c_void_p.in_dll(_LIBC, "stdout" if sys.platform == "linux" else "__stdoutp")
        _LIBC.setvbuf(stream, None, _LINE_BUFFERED, ctypes.c_size_t(0))


def _line_buffered(number: int) -> io.TextIOWrapper:
    raw = io.FileIO(number, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), "utf-8", errors="backslashreplace", line_buffering=True
    )
