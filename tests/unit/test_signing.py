"""Nothing that was not sealed with this key, under this name, is ever opened."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import threading
from pathlib import Path

import pytest

from wfnb.errors import SignatureError
from wfnb.signing import KEY_BYTES, OVERHEAD_BYTES, Signer, codec_of, key_path, load_key

KEY = bytes(range(32))
CONTEXT = "output/run-1/count-0/1"


@pytest.fixture
def signer() -> Signer:
    return Signer(KEY)


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("WFNB_KEY_FILE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "wfnb" / "key"


@pytest.mark.parametrize("payload", [b"", b"x", b"x" * 100, bytes(1_000_000)])
def test_what_was_sealed_opens_under_its_context(signer: Signer, payload: bytes) -> None:
    sealed = signer.seal(payload, CONTEXT, codec=3)
    assert len(sealed) == len(payload) + OVERHEAD_BYTES
    assert signer.open(sealed, CONTEXT) == payload
    assert signer.open(memoryview(bytearray(sealed)), CONTEXT) == payload
    assert codec_of(sealed) == 3


def test_the_mac_is_plain_hmac_sha256(signer: Signer) -> None:
    sealed = signer.seal(b"payload", CONTEXT)
    assert sealed[2:34] == hmac.digest(
        KEY, CONTEXT.encode() + b"\0" + sealed[:2] + b"payload", "sha256"
    )


@pytest.mark.parametrize("position", [0, 1, 2, 33, 34, 40])
def test_a_changed_bit_anywhere_is_refused(signer: Signer, position: int) -> None:
    sealed = bytearray(signer.seal(b"payload", CONTEXT))
    sealed[position] ^= 1
    with pytest.raises(
        SignatureError, match=rf"not written with this key \(key fingerprint {signer.fingerprint}"
    ):
        signer.open(sealed, CONTEXT)


@pytest.mark.parametrize("length", [0, 1, 2, 33, 34, 40])
def test_a_blob_that_was_cut_short_is_refused(signer: Signer, length: int) -> None:
    with pytest.raises(SignatureError):
        signer.open(signer.seal(b"payload", CONTEXT)[:length], CONTEXT)


def test_a_blob_moved_to_another_context_is_refused(signer: Signer) -> None:
    with pytest.raises(SignatureError, match="output/run-1/count-0/2 was not written"):
        signer.open(signer.seal(b"payload", CONTEXT), "output/run-1/count-0/2")


def test_another_key_opens_nothing(signer: Signer) -> None:
    other = Signer(bytes(32))
    assert other.fingerprint != signer.fingerprint
    with pytest.raises(SignatureError):
        other.open(signer.seal(b"payload", CONTEXT), CONTEXT)


def test_a_context_cannot_run_into_the_payload(signer: Signer) -> None:
    with pytest.raises(SignatureError, match="NUL"):
        signer.seal(b"payload", "a\0b")


def test_another_format_is_refused_by_name(signer: Signer) -> None:
    header = bytes((2, 0))
    mac = hmac.digest(KEY, CONTEXT.encode() + b"\0" + header + b"x", "sha256")
    with pytest.raises(SignatureError, match=r"another version of wfnb \(format 2"):
        signer.open(header + mac + b"x", CONTEXT)


def test_a_detached_mac_covers_every_part_and_where_it_ends(signer: Signer) -> None:
    mac = signer.mac(b"ab", b"c", context=CONTEXT)
    signer.verify(mac, b"ab", memoryview(b"c"), context=CONTEXT)
    wrong: list[tuple[tuple[bytes, ...], str]] = [
        ((b"a", b"bc"), CONTEXT),
        ((b"abc",), CONTEXT),
        ((b"ab", b"c", b""), CONTEXT),
        ((b"ab", b"c"), "other"),
    ]
    for parts, context in wrong:
        with pytest.raises(SignatureError):
            signer.verify(mac, *parts, context=context)


def test_a_detached_mac_is_no_seal(signer: Signer) -> None:
    mac = signer.mac(b"payload", context=CONTEXT)
    for header in (bytes((1, 0)), bytes((1, 255))):
        with pytest.raises(SignatureError):
            signer.open(header + mac + b"payload", CONTEXT)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(SignatureError, match="32 bytes, this one has 5"):
        Signer(b"short")


def test_the_fingerprint_names_the_key_without_telling_it(signer: Signer) -> None:
    assert signer.fingerprint == hashlib.sha256(KEY).hexdigest()[:8]


def test_the_first_user_of_a_machine_gets_a_key_that_only_he_can_read(key_file: Path) -> None:
    key = load_key(create=True)
    assert len(key) == KEY_BYTES
    assert key == load_key(create=False) == key_file.read_bytes()
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_file.parent.stat().st_mode) == 0o700
    assert list(key_file.parent.iterdir()) == [key_file]


def test_without_leave_no_key_is_made(key_file: Path) -> None:
    with pytest.raises(SignatureError, match=r"there is no key file .*WFNB_KEY_FILE"):
        load_key(create=False)
    assert not key_file.exists()


def test_creators_at_the_same_time_agree(key_file: Path) -> None:
    start = threading.Barrier(8)
    keys: list[bytes] = []

    def create() -> None:
        start.wait()
        keys.append(load_key(create=True))

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert set(keys) == {key_file.read_bytes()}
    assert list(key_file.parent.iterdir()) == [key_file]


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_file_of_another_length_is_refused(key_file: Path, length: int) -> None:
    key_file.parent.mkdir()
    key_file.touch(mode=0o600)
    key_file.write_bytes(bytes(length))
    with pytest.raises(SignatureError, match="does not hold 32 bytes: delete it"):
        load_key(create=True)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_can_read_is_refused(key_file: Path, mode: int) -> None:
    load_key(create=True)
    key_file.chmod(mode)
    with pytest.raises(SignatureError, match=f"mode {mode:o}.*chmod 600"):
        load_key(create=False)


def test_a_key_file_of_somebody_else_is_refused(
    key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_key(create=True)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    if key_file.stat().st_uid == 0:
        os.chown(key_file, 54321, -1)
    with pytest.raises(SignatureError, match="belongs to user"):
        load_key(create=False)


def test_a_key_file_that_is_a_folder_is_refused(key_file: Path) -> None:
    key_file.mkdir(parents=True)
    with pytest.raises(SignatureError, match="cannot be used"):
        load_key(create=True)


def test_the_environment_can_name_the_key_file(
    key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WFNB_KEY_FILE", str(tmp_path / "elsewhere"))
    assert key_path() == tmp_path / "elsewhere"
    load_key(create=True)
    assert not key_file.exists()
    monkeypatch.delenv("WFNB_KEY_FILE")
    assert key_path() == key_file
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert key_path() == Path.home() / ".config" / "wfnb" / "key"
