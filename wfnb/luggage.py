"""The user's own modules, packed for workers that do not see this host's files.

What is taken along is found in the pickles themselves: they name every module that loading them
imports, and hold the code that may import more when it runs.
"""

from __future__ import annotations

import functools
import io
import marshal
import os
import pickle
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath
from types import CodeType
from typing import Any, ClassVar

from wfnb import codec
from wfnb.bytecode import imports_by_value, imports_of
from wfnb.codec import Encoded
from wfnb.errors import SerialisationError
from wfnb.modules import imported, imported_by, own_file, own_modules, source_of
from wfnb.signing import Signer

MOST_BYTES = 16 << 20
MOST_FILES = 10_000
_QUICK = 1
"""Of zlib's levels: the next ones take twice the time, and save a tenth."""
_NAMED = 3
_UNPACKED = "modules"


def modules_in(pickles: Iterable[Encoded]) -> set[str]:
    """The modules that loading these imports, or running the functions in them may import."""
    found: set[str] = set()
    for one in pickles:
        _Reader(one, found).load()
    return found


def packed(modules: Iterable[str], signer: Signer) -> tuple[str, bytes]:
    """Name and sealed bytes of what is the user's among these, and what that imports.

    Both are empty if there is nothing. Raises SerialisationError if it is too much.
    """
    files = dict(sorted(_files_of(modules)))
    if not files:
        return "", b""
    _refuse_too_much(files)
    plain = codec.pack(codec.encode({name: _read(file) for name, file in files.items()}))
    content = sha256(plain).hexdigest()
    return content, signer.seal(_compressed(plain), _context(content))


def unpack(blob: bytes, signer: Signer, content: str, *, into: Path) -> Path:
    """The folder to put on the import path, made if it is not there.

    Others of before go: in a container they take memory, and its one worker has no use for them.
    """
    folder = into / _UNPACKED / content
    if folder.is_dir():
        return folder
    shutil.rmtree(folder.parent, ignore_errors=True)
    plain = zlib.decompress(signer.open(blob, _context(content)))
    contents: dict[str, bytes] = codec.decode(codec.unpack(plain), name="the user's modules")
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder.with_suffix(".draft")
    for name, text in contents.items():
        path = _inside(draft, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    return draft.rename(folder)


class _Reader(pickle.Unpickler):
    """Reads a pickle without importing or calling anything; what it would import goes to `found`.

    A pickle that it cannot follow counts as one that needs all the modules of the user's.
    """

    def __init__(self, pickled: Encoded, found: set[str]) -> None:
        super().__init__(io.BytesIO(pickled.stream), buffers=pickled.buffers)
        self._found = found

    def load(self) -> Any:
        try:
            super().load()
        except Exception:  # noqa: BLE001  a stand-in for a user's class may not do what that does
            self._found.update(own_modules())

    def find_class(self, module: str, name: str) -> Any:
        self._found.add(module)
        if (see := self._SEEN.get((module, name))) is None:
            return _StandIn
        return functools.partial(see, self)

    def _see_function(self, code: Any, namespace: Any, *_rest: Any) -> Any:
        if isinstance(namespace, str):
            self._found.add(namespace)
        if isinstance(code, bytes):
            self._see_code(marshal.loads(code))
        return _StandIn

    def _see_state(self, _function: Any, state: tuple[Any, ...]) -> None:
        self._found.update(state[-1])

    def _see_code(self, code: CodeType) -> None:
        self._found.update(imported(imports_of(code)))
        if imports_by_value(code):
            self._found.update(own_modules())

    def _see_module(self, name: str, *_rest: Any) -> Any:
        self._found.add(name)
        return _StandIn

    def _see_class(self, _token: Any, blob: bytes) -> Any:
        return self._see_pickle(blob)

    def _see_pickle(self, blob: bytes) -> Any:
        _Reader(Encoded(blob), self._found).load()
        return _StandIn

    _SEEN: ClassVar[dict[tuple[str, str], Callable[..., Any]]] = {
        ("wfnb.functions", "make_function"): _see_function,
        ("wfnb.functions", "fill_function"): _see_state,
        ("wfnb.functions", "unwrap"): _see_module,
        ("importlib", "import_module"): _see_module,
        ("wfnb.classes", "load_known"): _see_class,
        ("wfnb.codec", "load_function"): _see_pickle,
        ("wfnb.codec", "_load_with_dill"): _see_pickle,
    }


class _Anything(type):
    """Calls, items and attributes of the one class below, which is its own instance."""

    def __call__(cls, *_args: Any, **_kwargs: Any) -> Any:
        return cls

    def __setitem__(cls, _key: Any, _value: Any) -> None:
        pass


class _StandIn(metaclass=_Anything):
    """For whatever a pickle makes, instances and classes: takes all that it does with it."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Any:
        return cls

    @staticmethod
    def append(_value: Any) -> None: ...

    add = extend = __setstate__ = append


def _files_of(modules: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """Of packages all there is: their modules may read data that lies beside them."""
    seen: set[str] = set()
    to_see = list(modules)
    while to_see:
        name = to_see.pop()
        if name in seen or (file := own_file(name)) is None:
            continue
        seen.add(name)
        source = source_of(file)
        if source is not None:
            to_see += imported_by(name, file, source)
            to_see += () if source.is_known else own_modules()
        place = PurePosixPath(*name.split("."))
        path = Path(file)
        if path.stem == "__init__":
            yield from _package(place, path.parent)
        elif path.is_file():
            yield str(place.with_name(f"{place.name}.{path.name.partition('.')[2]}")), path


def _package(place: PurePosixPath, folder: Path) -> Iterator[tuple[str, Path]]:
    for inner, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name[:1] != "." and name != "__pycache__"]
        here = place / Path(inner).relative_to(folder).as_posix()
        for name in files:
            if name[:1] != "." and (path := Path(inner, name)).is_file():
                yield str(here / name), path


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SerialisationError(
            f"{file}, of a package of yours that travels to the containers, cannot be read "
            f"({error.strerror}): make it readable, or keep it outside the package"
        ) from error


def _refuse_too_much(files: dict[str, Path]) -> None:
    sizes = {name: file.stat().st_size for name, file in files.items()}
    if len(sizes) <= MOST_FILES and sum(sizes.values()) <= MOST_BYTES:
        return
    largest = sorted(sizes, key=lambda name: -sizes[name])[:_NAMED]
    named = ", ".join(f"{name} ({sizes[name] / 1e6:,.1f} MB)" for name in largest)
    raise SerialisationError(
        f"the modules of yours that travel to the containers have {len(sizes):,} files and "
        f"{sum(sizes.values()) / 1e6:,.1f} MB, and may have {MOST_FILES:,} and "
        f"{MOST_BYTES / 1e6:,.1f} MB; the largest: {named}. Keep data out of packages and give it "
        "to tasks as arguments, or have the package installed: wfnb image build --requirements FILE"
    )


@functools.lru_cache(maxsize=2)
def _compressed(plain: bytes) -> bytes:
    return zlib.compress(plain, _QUICK)


def _context(content: str) -> str:
    return f"modules:{content}"


def _inside(folder: Path, name: str) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise SerialisationError(f"a module's file is named {name!r}: it was not written by wfnb")
    return folder / path
