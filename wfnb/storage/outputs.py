"""A task's output as the store holds it: sealed inline, in chunks, or in a file of one host."""

from __future__ import annotations

import json
import mmap
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Any, Protocol, TypeAlias

from wfnb import codec
from wfnb.codec import Encoded
from wfnb.errors import SerialisationError, StoreError
from wfnb.graph import TaskId
from wfnb.signing import Signer
from wfnb.storage import Feed, Outputs, RunId
from wfnb.storage.chunks import cut, joined, views_of
from wfnb.storage.reuse import Reusables, is_reused, read_reused

INLINE_BYTES = 32 * 1024
MOST_INLINE_BYTES = 8 << 20
"""In one call; a server's longest command has half a gigabyte, and everybody waits for it."""
FILE_BYTES = 256 * 1024
MOST_BYTES = 2 << 30
_ATTEMPT = Struct("<BI")
_INLINE = 1
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW

Chunk: TypeAlias = bytes | memoryview


class Shelves(Outputs, Reusables, Protocol):
    """Where values lie: those of runs, and those kept from run to run."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Writes and reads the outputs of one run."""

    store: Shelves
    signer: Signer
    run: RunId
    shared_folder: Path | None = None
    """Where big outputs may lie as files; None where readers may be on another host."""

    def write(self, task: TaskId, attempt: int, encoded: Encoded, *, is_target: bool) -> bytes:
        """What `complete` takes as the result. Big outputs are in place when this returns."""
        size = encoded.size_bytes
        if size <= INLINE_BYTES:
            sealed = self.signer.seal(codec.pack(encoded), self._context(task, attempt))
            return _ATTEMPT.pack(_INLINE, attempt) + sealed
        if size > FILE_BYTES and self.shared_folder is not None and not is_target:
            try:
                return self._write_file(task, attempt, encoded)
            except OSError:  # the shared memory is full: the store takes it
                pass
        name, chunks, pointer = self._chunked(task, attempt, encoded)
        self.store.put(self.run, {name: chunks})
        return pointer

    def write_all(self, outputs: Mapping[TaskId, Encoded], attempt: int) -> list[bytes]:
        """As `write` does, those of no target, in few round trips; so much travels inline at most.

        One call that brings all these results to the store then stays short.
        """
        results: list[bytes] = []
        waiting: dict[str, Sequence[Chunk]] = {}
        inline_bytes = waiting_bytes = 0
        for task, encoded in outputs.items():
            inline_bytes += encoded.size_bytes
            if encoded.size_bytes > FILE_BYTES or inline_bytes <= MOST_INLINE_BYTES:
                results.append(self.write(task, attempt, encoded, is_target=False))
                continue
            name, waiting[name], pointer = self._chunked(task, attempt, encoded)
            results.append(pointer)
            waiting_bytes += encoded.size_bytes
            if waiting_bytes > MOST_INLINE_BYTES:
                self.store.put(self.run, waiting)
                waiting, waiting_bytes = {}, 0
        if waiting:
            self.store.put(self.run, waiting)
        return results

    def read(self, task: TaskId, result: bytes) -> Encoded:
        """The output behind a result, verified; its buffers are the caller's own, and writable."""
        if is_reused(result):
            return read_reused(self.store, self.signer, result, run=self.run, task=task)
        if result[:1] != b"{":
            _, attempt = _ATTEMPT.unpack_from(result)
            sealed = memoryview(result)[_ATTEMPT.size :]
            return codec.unpack(self.signer.open(sealed, self._context(task, attempt)))
        pointer = json.loads(result)
        if pointer["at"] == "file":
            return self._read_file(task, pointer)
        return self._read_chunks(task, pointer)

    def value(self, task: TaskId, result: bytes) -> Any:
        is_own = result[:1] == b"{"
        return codec.decode(self.read(task, result), name=f"the output of {task}", copy=not is_own)

    def there(self, results: Mapping[TaskId, bytes]) -> set[TaskId]:
        """The tasks whose outputs can be read: their bytes have not expired, nor been evicted."""
        pointers = {task: json.loads(found) for task, found in results.items() if found[:1] == b"{"}
        chunks = {p["name"]: p["chunks"] for p in pointers.values() if p["at"] == "chunks"}
        whole = self.store.whole(self.run, chunks)
        kept = self.store.find_reusables(
            [p["name"] for p in pointers.values() if p["at"] == "reuse"]
        )
        keys = {name: json.loads(found)["key"] for name, found in kept.items()}

        def is_there(pointer: dict[str, Any]) -> bool:
            if pointer["at"] == "chunks":
                return pointer["name"] in whole
            if pointer["at"] == "reuse":
                return bool(keys.get(pointer["name"]) == pointer["key"])
            return Path(pointer["name"]).exists()

        return {task for task in results if task not in pointers or is_there(pointers[task])}

    def discard(self, pointer: bytes) -> None:
        """Delete the file behind a pointer that nobody will read again."""
        about = json.loads(pointer)
        if about["at"] == "file":
            Path(about["name"]).unlink(missing_ok=True)

    def _context(self, task: TaskId, attempt: int) -> str:
        return f"output:{self.run}/{task}/{attempt}"

    def _pointer(self, at: str, name: str, attempt: int, encoded: Encoded, **more: Any) -> bytes:
        sizes = [part.nbytes for part in views_of(encoded)]
        about = {"at": at, "name": name, "attempt": attempt, "sizes": sizes, **more}
        return json.dumps(about).encode()

    def _chunked(
        self, task: TaskId, attempt: int, encoded: Encoded
    ) -> tuple[str, Sequence[Chunk], bytes]:
        """The name is this writing's own: a late worker never overwrites another's chunks."""
        parts = views_of(encoded)
        mac = self.signer.mac(*parts, context=self._context(task, attempt))
        chunks = cut(parts)
        name = f"{task}:{attempt}:{secrets.token_hex(4)}"
        about = {"chunks": len(chunks), "mac": mac.hex()}
        return name, chunks, self._pointer("chunks", name, attempt, encoded, **about)

    def _read_chunks(self, task: TaskId, pointer: dict[str, Any]) -> Encoded:
        chunks = self.store.get(self.run, pointer["name"], pointer["chunks"])
        parts = joined(chunks, pointer["sizes"])
        context = self._context(task, pointer["attempt"])
        self.signer.verify(bytes.fromhex(pointer["mac"]), *parts, context=context)
        return Encoded(bytes(parts[0]), tuple(parts[1:]))

    def _write_file(self, task: TaskId, attempt: int, encoded: Encoded) -> bytes:
        """The pickle stream is signed; out-of-band buffers, which nothing executes, are not."""
        assert self.shared_folder is not None
        self.shared_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.shared_folder / f"{attempt}-{secrets.token_hex(8)}"
        try:
            with os.fdopen(os.open(path, _NEW_FILE, 0o600), "wb", buffering=0) as file:
                for part in (encoded.stream, *encoded.buffers):
                    _write_all(file.fileno(), part)
                    file.seek(_aligned(file.tell()))
                file.truncate(file.tell())
        except OSError:
            path.unlink(missing_ok=True)
            raise
        pointer = self._pointer("file", str(path), attempt, encoded)
        context = self._context(task, attempt)
        mac = self.signer.mac(encoded.stream, pointer, context=context)
        return json.dumps({**json.loads(pointer), "mac": mac.hex()}).encode()

    def _read_file(self, task: TaskId, pointer: dict[str, Any]) -> Encoded:
        mac = bytes.fromhex(pointer.pop("mac"))
        path = Path(pointer["name"])
        if self.shared_folder is None or path.parent != self.shared_folder:
            raise StoreError(f"the output of {task} lies outside this run's folder: not read")
        try:
            with path.open("rb") as file:
                memory = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        except OSError as error:
            message = f"the output of {task} is gone from {path}: `resume` computes it again"
            raise StoreError(message) from error
        parts, first = [], 0
        for size in pointer["sizes"]:
            parts.append(memory[first : first + size])
            first = _aligned(first + size)
        signed = json.dumps(pointer).encode()
        self.signer.verify(mac, parts[0], signed, context=self._context(task, pointer["attempt"]))
        return Encoded(bytes(parts[0]), tuple(parts[1:]))


def refuse_too_big(task: TaskId, encoded: Encoded) -> None:
    """Before it is reported: a worker that cannot save what it reports can only leave the run."""
    size = encoded.size_bytes
    if size > MOST_BYTES:
        message = f"the output of {task} has {size:,} bytes, more than {MOST_BYTES:,}: "
        raise SerialisationError(message + "write it to a file and return the path")


def shared_folder(run: RunId) -> Path:
    """Where the big outputs of a run lie on this host: in memory, this user's only."""
    shared = os.environ.get("WFNB_SHM_DIR") or "/dev/shm"
    return Path(shared) / f"wfnb-{os.getuid()}" / run


def drop_shared_folder(run: RunId) -> None:
    folder = shared_folder(run)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.parent.exists() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def drop_files_of_done(store: Feed) -> None:
    """Files of runs that are done: their workers wrote them, and died before they said so."""
    for folder in shared_folder(RunId("")).glob("*"):
        run = RunId(folder.name)
        # Nobody reads them any more. But a run that is unknown here may be another store's.
        if store.wait_for_end(run, timeout_seconds=0) == "done":
            shutil.rmtree(folder, ignore_errors=True)


def is_private(folder: Path) -> bool:
    """Nobody else can have made it, or look into it."""
    try:
        about = folder.lstat()
    except FileNotFoundError:
        return True
    return about.st_uid == os.getuid() and not about.st_mode & 0o077 and folder.is_dir()


def _aligned(position: int) -> int:
    return position + -position % 64


def _write_all(descriptor: int, part: codec.BytesLike) -> None:
    left = memoryview(part).cast("B")
    while left:
        left = left[os.write(descriptor, left) :]
