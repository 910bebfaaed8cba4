"""The signature that every stored pickle carries, and the key behind it.

A pickle runs code when it is loaded, so nothing from the store is loaded before its signature
verifies. The signature also covers a context (what the bytes are, and whose), so that a blob cannot
be moved to another task, attempt or run.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path
from struct import Struct

from wfnb.errors import SignatureError

KEY_BYTES = 32
VERSION = 1
HEADER_BYTES = 2
MAC_BYTES = 32
OVERHEAD_BYTES = HEADER_BYTES + MAC_BYTES

_BLOCK_BYTES = 64
_HEADERS = tuple(bytes((VERSION, codec)) for codec in range(255))
#: No sealed blob starts like this, so a pointer's MAC can never stand in for a blob's.
_DETACHED_HEADER = bytes((VERSION, 255))
_LENGTH = Struct(">Q")


class Signer:
    """Seals and opens bytes with one key."""

    __slots__ = ("_inner", "_outer", "fingerprint")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise SignatureError(
                f"a signing key has {KEY_BYTES} bytes, this one has {len(key)}: make a new key file"
            )
        padded = key.ljust(_BLOCK_BYTES, b"\0")
        # HMAC-SHA256 with its key blocks hashed once: 0.65 us a call, hmac.digest() takes 1.9.
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))
        self.fingerprint = hashlib.sha256(key).hexdigest()[:8]
        """Eight hex digits that name the key without telling it."""

    def seal(
        self, payload: bytes | bytearray | memoryview, context: str, *, codec: int = 0
    ) -> bytes:
        """The payload behind header and MAC; `codec` (0 to 254) is the caller's, see `codec_of`."""
        header = _HEADERS[codec]
        inner = self._inner.copy()
        inner.update(_prefix(context) + header)
        inner.update(payload)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return b"".join((header, outer.digest(), payload))

    def open(self, sealed: bytes | bytearray | memoryview, context: str) -> memoryview:
        """The payload, once its MAC is right; the view keeps `sealed` alive and copies nothing."""
        view = memoryview(sealed)
        inner = self._inner.copy()
        inner.update(_prefix(context) + view[:HEADER_BYTES])
        payload = view[OVERHEAD_BYTES:]
        inner.update(payload)
        outer = self._outer.copy()
        outer.update(inner.digest())
        if not hmac.compare_digest(outer.digest(), view[HEADER_BYTES:OVERHEAD_BYTES]):
            raise self._refusal(context)
        if view[0] != VERSION:
            raise SignatureError(
                f"{context} was written by another version of wfnb (format {view[0]}): use one "
                f"version everywhere"
            )
        return payload

    def mac(self, *parts: bytes | bytearray | memoryview, context: str) -> bytes:
        """A MAC that travels apart from what it covers, as in the pointer to a big output."""
        inner = self._inner.copy()
        inner.update(_prefix(context) + _DETACHED_HEADER + _LENGTH.pack(len(parts)))
        for part in parts:
            view = memoryview(part)
            inner.update(_LENGTH.pack(view.nbytes))
            inner.update(view)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def verify(
        self, mac: bytes | memoryview, *parts: bytes | bytearray | memoryview, context: str
    ) -> None:
        """Raise SignatureError unless this key made `mac` from the same parts and context."""
        if not hmac.compare_digest(self.mac(*parts, context=context), mac):
            raise self._refusal(context)

    def _refusal(self, context: str) -> SignatureError:
        return SignatureError(
            f"{context} was not written with this key (key fingerprint {self.fingerprint}), or "
            f"was moved or altered; "
            "nothing of it was loaded. Give every host the same key file ($WFNB_KEY_FILE), and "
            "run the workflow again"
        )


def codec_of(sealed: bytes | bytearray | memoryview) -> int:
    """The codec that `seal` was given; to be trusted only after `open`."""
    return sealed[1]


def _prefix(context: str) -> bytes:
    if "\0" in context:
        raise SignatureError(
            f"the context {context!r} holds a NUL character: name tasks without it"
        )
    return context.encode() + b"\0"


def key_path() -> Path:
    """Where the key lies: $WFNB_KEY_FILE, or wfnb/key in the user's configuration folder."""
    if named := os.environ.get("WFNB_KEY_FILE"):
        return Path(named)
    configuration = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(configuration) / "wfnb" / "key"


def load_key(*, create: bool) -> bytes:
    """Give this user's key; concurrent creators all get the one that was first."""
    path = key_path()
    try:
        return _read_key(path)
    except FileNotFoundError as error:
        if not create:
            raise SignatureError(
                f"there is no key file {path}: copy it from the host where the workflow was "
                f"started, "
                "and name it in $WFNB_KEY_FILE"
            ) from error
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        _create_key(path)
        return _read_key(path)
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> SignatureError:
    return SignatureError(
        f"the key file {path} cannot be used ({error.strerror}): make its folder yours, or name "
        f"another file in $WFNB_KEY_FILE"
    )


def _read_key(path: Path) -> bytes:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        key = file.read(KEY_BYTES + 1)
    if status.st_uid not in (os.geteuid(), 0):
        raise SignatureError(
            f"the key file {path} belongs to user {status.st_uid}, not to you: delete it, or "
            f"`chown` it to you"
        )
    if status.st_mode & 0o077:
        raise SignatureError(
            f"the key file {path} can be read by others (mode {status.st_mode & 0o777:o}): "
            f"`chmod 600 {path}`"
        )
    if len(key) != KEY_BYTES:
        raise SignatureError(
            f"the key file {path} does not hold {KEY_BYTES} bytes: delete it, a new one is made "
            f"(older runs become unreadable)"
        )
    return key


def _create_key(path: Path) -> None:
    """Write the key aside, then link it in place: nobody sees half a key, the first one wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".key-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()
