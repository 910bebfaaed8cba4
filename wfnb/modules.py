"""What importing a module means: the version of an installed one, the code of the user's own."""

from __future__ import annotations

import functools
import hashlib
import importlib.machinery
import site
import sys
import sysconfig
import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from wfnb.bytecode import Import, atom, code_content, codes_in, imports_by_value, imports_of
from wfnb.files import may_be_path, stamps, texts_of

_DIGEST_BYTES = 16
_LIBRARY_FOLDERS = tuple(
    f"{Path(folder).resolve()}/"
    for folder in {
        *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    }
)


_brought: list[str] = []


def add_library(folder: Path) -> None:
    """What lies in this folder is installed, too."""
    _brought.append(f"{folder.resolve()}/")
    _lies_in_library.cache_clear()
    _is_installed.cache_clear()


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the user's own."""

    content: bytes
    texts: tuple[str, ...]
    codes: frozenset[bytes]
    """Of every function in it."""
    imports: tuple[Import, ...]
    is_known: bool
    """Whether it imports only what it names."""


def is_library(module: Any) -> bool:
    """Whether the module is installed, not the user's: its names then say enough."""
    return (
        isinstance(module, str)
        and module in sys.modules
        and _is_installed(module, sys.modules[module])
    )


@functools.lru_cache(maxsize=4096)
def _is_installed(name: str, module: ModuleType) -> bool:
    top = name.partition(".")[0]
    if name == "__main__":
        return False
    file = getattr(module, "__file__", None)
    if top in sys.stdlib_module_names and file is None:
        return True
    return top == "wfnb" or (file is not None and _lies_in_library(file))


@functools.lru_cache(maxsize=4096)
def _lies_in_library(file: str) -> bool:
    return str(Path(file).resolve()).startswith((*_LIBRARY_FOLDERS, *_brought))


def version_of(module: str) -> str:
    """Of the package in which an installed module lies; Python's own are of Python's version."""
    top = module.partition(".")[0]
    return "" if top in sys.stdlib_module_names or top == "wfnb" else _version_of(top)


@functools.lru_cache(maxsize=1024)
def _version_of(top: str) -> str:
    from importlib import metadata  # noqa: PLC0415  20 ms, and most runs need it late or never

    try:
        return metadata.version(top)
    except (metadata.PackageNotFoundError, ValueError):
        pass
    known = getattr(sys.modules.get(top), "__version__", None)
    if isinstance(known, str):
        return known
    owners = metadata.packages_distributions().get(top)
    if owners:
        return metadata.version(owners[0])
    file = _file_of(top)
    return _digest(Path(file).read_bytes()).hex() if file else "unknown"


def look_again() -> None:
    """Files may have changed: what `own_content` found before counts no more."""
    own_content.cache_clear()


@functools.lru_cache(maxsize=1024)
def own_content(module: str) -> bytes | None:
    """What the user's module and those of the user's that it imports say; None if it may be more.

    Comments and lines do not count; installed modules count by their version.
    """
    found: dict[str, Any] = {}
    to_see = [module]
    while to_see:
        name = to_see.pop()
        if name in found or name.partition(".")[0] == "wfnb":
            continue
        file = _file_of(name)
        if file is None or _lies_in_library(file):
            found[name] = version_of(name) if file else "none"
            continue
        source = source_of(file)
        if source is None or not source.is_known:
            return None
        found[name] = (source.content, *stamps(source.texts))
        to_see += imported_by(name, file, source)
    return _digest(atom(tuple(sorted(found.items()))))


def imported_by(name: str, file: str, source: Source) -> list[str]:
    """The modules that importing this one of the user's may import, those that it lies in too."""
    is_package = Path(file).stem == "__init__"
    package = name if is_package else name.rpartition(".")[0]
    return _parents(name) + imported(source.imports, package)


def imported(imports: Iterable[Import], package: str = "") -> list[str]:
    """The modules that these statements may import, in code of this package."""
    found = []
    for one in imports:
        base = one.module
        if one.level:
            parts = package.split(".")
            parts = parts[: len(parts) - one.level + 1]
            base = ".".join([*parts, base] if base else parts)
        found += [base, *_parents(base)]
        file = _file_of(base)
        if file is None or not _lies_in_library(file):
            found += [f"{base}.{name}" for name in one.names if _file_of(f"{base}.{name}")]
    return list(dict.fromkeys(found))


def is_stale(function: FunctionType) -> bool:
    """Whether its file says something else by now, which is what a worker would import."""
    module = sys.modules.get(function.__module__)
    file = getattr(module, "__file__", None)
    if file is None or function.__module__ == "__main__" or function.__code__.co_filename != file:
        return False
    source = source_of(file)
    return source is None or _digest(code_content(function.__code__)) not in source.codes


def were_edited_since(when_seconds: float) -> bool:
    """Whether one of the user's modules that are loaded here has been written since.

    What was computed meanwhile may then be of other code than what a fingerprint was made of.
    """
    latest = next(reversed(sys.modules.values()))
    for file in _own_files(len(sys.modules), str(getattr(latest, "__file__", ""))):
        with suppress(OSError):  # it is gone, or was none: nobody has loaded anything else
            if Path(file).stat().st_mtime > when_seconds:
                return True
    return False


@functools.lru_cache(maxsize=1)
def _own_files(count: int, latest: str) -> list[str]:
    """Of the user's modules. Asked for with each task, and looked for when another is loaded."""
    del count, latest
    return list(own_modules().values())


def own_modules() -> dict[str, str]:
    """The user's modules that are loaded here, and where they are."""
    found = {}
    for name, module in [*sys.modules.items()]:
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and name != "__main__" and not _is_installed(name, module):
            found[name] = file
    return found


def own_file(name: str) -> str | None:
    """Where the user's module of this name is, loaded or not; None of an installed one."""
    if name == "__main__" or name.partition(".")[0] == "wfnb":
        return None
    file = _file_of(name)
    return None if file is None or _lies_in_library(file) else file


def own_submodules(module: ModuleType) -> list[str]:
    """Those of the user's package that can be reached through it."""
    if not hasattr(module, "__path__"):
        return []
    return sorted(name for name in [*sys.modules] if name.startswith(f"{module.__name__}."))


def source_of(file: str) -> Source | None:
    """What a file says now; None if it cannot be read."""
    try:
        status = Path(file).stat()
        return _source_of(file, status.st_mtime_ns, status.st_size)
    except (OSError, SyntaxError, ValueError):
        return None


@functools.lru_cache(maxsize=1024)
def _source_of(file: str, _mtime_ns: int, _size_bytes: int) -> Source:
    content = Path(file).read_bytes()
    if not file.endswith(".py"):
        return Source(_digest(content), (), frozenset(), (), is_known=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code: CodeType = compile(content, file, "exec", dont_inherit=True)
    codes = frozenset(_digest(code_content(inner)) for inner in codes_in(code))
    is_known = not imports_by_value(code)
    texts = tuple(filter(may_be_path, texts_of(code)))
    return Source(_digest(code_content(code)), texts, codes, imports_of(code), is_known)


def _file_of(name: str) -> str | None:
    """Where a module is, without importing it or anything else."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        return getattr(loaded, "__file__", None)
    path: Any = None
    spec = None
    prefix = ""
    for part in name.split("."):
        prefix = f"{prefix}.{part}" if prefix else part
        try:
            spec = importlib.machinery.PathFinder.find_spec(prefix, path)
        except (ImportError, ValueError):
            return None
        if spec is None:
            return None
        path = spec.submodule_search_locations
        if path is None and prefix != name:
            return None
    return spec.origin if spec and spec.has_location else None


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
