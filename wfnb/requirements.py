"""Requirements: what a task needs installed, as texts such as "numpy>=2", checked when written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfnb.errors import OptionError

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

_COMMENT = re.compile(r"(^|\s+)#.*$")
_URL = re.compile(r"(\w+\+)?\w[\w.+-]*://|file:")
_PATH = re.compile(r"[./\\]|~/|[A-Za-z]:[\\/]")
_FILE = re.compile(r"[^@]*\.(whl|zip|tar\.\w+|tgz|egg)(\[.*\])?", re.IGNORECASE)
_DIRECT = "say WFNB_ALLOW_DIRECT=1 if you trust what lies there"
_OPTIONS = {
    "-r": "write its lines here, or give both files in a list",
    "-c": "write the constraint as a requirement",
    "-e": "a module beside the notebook travels by itself; install anything else from a wheel",
    "-": "where packages come from belongs to pip's own settings, such as PIP_INDEX_URL",
}
_LONG_OPTIONS = {"--requirement": "-r", "--constraint": "-c", "--editable": "-e"}


@dataclass(frozen=True, slots=True)
class _Line:
    """A text, and where it stands, for people."""

    text: str
    place: str


def requirements_of(given: Any, *, allow_direct: bool | None = None) -> tuple[str, ...]:
    """Texts and requirements.txt files in normal form: sorted, each name once, canonical.

    A Path, and a text that ends in .txt, is a file. `name @ url` is refused unless `allow_direct`,
    which without a word is whether $WFNB_ALLOW_DIRECT is 1. Raises OptionError.
    """
    if isinstance(given, str | Path):
        given = (given,)
    if not isinstance(given, Iterable) or isinstance(given, bytes | Mapping):
        raise OptionError(f"requirements={given!r}: give texts such as 'numpy>=2'")
    lines: list[_Line] = []
    for one in given:
        if not isinstance(one, str | Path):
            message = f"requirements={given!r}: {one!r} is no text; give texts such as 'numpy>=2'"
            raise OptionError(message)
        if isinstance(one, Path) or one.strip().endswith(".txt"):
            lines += _lines_of(Path(str(one).strip()))
        else:
            lines.append(_Line(one.strip(), f"requirements={one!r}"))
    return _normal(lines, allow_direct=allow_direct)


def read_requirements(path: Path | str, *, allow_direct: bool | None = None) -> tuple[str, ...]:
    """The lines of a requirements.txt in normal form; OptionError names file, line and remedy."""
    return _normal(_lines_of(Path(path)), allow_direct=allow_direct)


def combined(workflow: Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    """A task's requirements and the workflow's, of which the task's replace those of their name."""
    if not workflow or not own:
        return tuple(own or workflow)
    names = {_read(text).name for text in own}
    return tuple(sorted((*own, *(text for text in workflow if _read(text).name not in names))))


def united(several: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """All of them at once, in normal form. Raises OptionError if no version satisfies two."""
    texts = sorted({text for some in several for text in some})
    return _normal([_Line(text, text) for text in texts], allow_direct=True)


def conflict_of(requirements: Iterable[str]) -> tuple[str, ...]:
    """Requirements of one name that no version satisfies, as few as it takes; mostly ()."""
    found: dict[str, list[str]] = {}
    for text in requirements:
        if applies(text):
            found.setdefault(_read(text).name, []).append(text)
    for texts in found.values():
        if not _is_satisfiable(texts):
            return next((p for p in combinations(texts, 2) if not _is_satisfiable(p)), tuple(texts))
    return ()


def applies(text: str, *, extra: str = "", python: str = "") -> bool:
    """Whether its marker, if it has one, holds for this Python on this machine.

    `python` is the full version of another, of the same minor version.
    """
    marker = _read(text).marker
    surroundings = {"extra": extra} | ({"python_full_version": python} if python else {})
    return marker is None or marker.evaluate(surroundings)


def unmarked(text: str) -> str:
    """The requirement without its marker."""
    return _written(_read(text), with_marker=False)


def name_of(text: str) -> str:
    return _read(text).name


def is_met_by(text: str, version: str) -> bool:
    """Whether an installed version will do; one from a URL never does, as nobody knows what it is.

    A pre-release does: who installed it meant to.
    """
    read = _read(text)
    return read.url is None and read.specifier.contains(version, prereleases=True)


def extras_of(text: str) -> tuple[str, ...]:
    return tuple(sorted(_read(text).extras))


def _lines_of(path: Path) -> list[_Line]:
    try:
        content = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        message = f"requirements={str(path)!r}: there is no such file in {Path.cwd()}"
        raise OptionError(f"{message}: mend the name, or give texts such as 'numpy>=2'") from None
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} cannot be read as text in UTF-8: {error}") from error
    return [_Line(text, f"{path}, line {number}") for number, text in _logical(content)]


def _logical(content: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, continued ones joined; without comments and blank ones."""
    begun, first = "", 0
    for number, raw in enumerate(content.splitlines(), 1):
        line = _COMMENT.sub("", raw)
        first = first if begun else number
        if line.endswith("\\"):
            begun += f"{line[:-1]} "
            continue
        text, begun = (begun + line).strip(), ""
        if text:
            yield first, text
    if begun.strip():
        yield first, begun.strip()


def _normal(lines: Sequence[_Line], *, allow_direct: bool | None) -> tuple[str, ...]:
    if not lines:
        return ()
    may_be_direct = os.getenv("WFNB_ALLOW_DIRECT") == "1" if allow_direct is None else allow_direct
    texts = [_checked(line, may_be_direct=may_be_direct) for line in lines]
    conflict = conflict_of(texts)
    if conflict:
        places = dict(zip(texts, lines, strict=True))
        shown = " and ".join(_said(text, places[text]) for text in conflict)
        raise OptionError(f"no version satisfies {shown}: loosen or leave out one of them")
    return _merged(texts)


def _said(text: str, line: _Line) -> str:
    return f"{text} ({line.place})" if ", line " in line.place else text


def _checked(line: _Line, *, may_be_direct: bool) -> str:
    from packaging.requirements import InvalidRequirement

    _refuse_other_forms(line)
    try:
        read = _read(line.text)
    except InvalidRequirement as error:
        why = str(error).splitlines()[0]
        message = f"{line.place}: {line.text!r} is no requirement ({why})"
        raise OptionError(f"{message}: write one such as 'numpy>=2', several in a list") from None
    if read.url is not None and not may_be_direct:
        raise OptionError(
            f"{line.place}: {line.text!r} installs what a URL happens to give: "
            f"name a version, such as '{read.name}>=1', or {_DIRECT}"
        )
    return _written(read)


def _refuse_other_forms(line: _Line) -> None:
    text = line.text
    if text.startswith("-"):
        word = re.split(r"[\s=]", text)[0]
        known = _LONG_OPTIONS.get(word, word[:2])
        remedy = _OPTIONS.get(known, _OPTIONS["-"])
        raise OptionError(f"{line.place}: an option such as {word} is not taken: {remedy}")
    if " --" in text:
        option = text.split(" --")[1].split("=")[0]
        raise OptionError(f"{line.place}: --{option} is not taken: leave it out of {text[:40]!r}")
    if _URL.match(text):
        raise OptionError(
            f"{line.place}: {text!r} is a URL: name a version, such as 'numpy>=2', or write "
            f"'name @ URL' and {_DIRECT}"
        )
    if _PATH.match(text) or _FILE.fullmatch(text):
        raise OptionError(
            f"{line.place}: {text!r} is a path, which only this machine has: name a version, "
            f"such as 'numpy>=2', or write 'name @ file:///...' and {_DIRECT}"
        )


def _merged(texts: Sequence[str]) -> tuple[str, ...]:
    """Requirements of one name and marker become one."""
    found: dict[tuple[str, str, str], Requirement] = {}
    for text in texts:
        read = _parse(text)
        key = (read.name, str(read.marker or ""), read.url or "")
        if key in found:
            read.specifier &= found[key].specifier
            read.extras |= found[key].extras
        found[key] = read
    return tuple(sorted(map(_written, found.values())))


@lru_cache(maxsize=4096)
def _read(text: str) -> Requirement:
    """Shared: whoever changes it parses anew."""
    return _parse(text)


def _parse(text: str) -> Requirement:
    # Half the time that `import wfnb` takes would go into these; most workflows have none.
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    read = Requirement(text)
    read.name = canonicalize_name(read.name)
    read.extras = {canonicalize_name(extra) for extra in read.extras}
    return read


def _written(read: Requirement, *, with_marker: bool = True) -> str:
    extras = f"[{','.join(sorted(read.extras))}]" if read.extras else ""
    place = f" @ {read.url}" if read.url else ""
    marker = f"{' ' if read.url else ''}; {read.marker}" if read.marker and with_marker else ""
    return f"{read.name}{extras}{read.specifier}{place}{marker}"


def _is_satisfiable(texts: Iterable[str]) -> bool:
    read = [_read(text) for text in texts]
    if len({one.url for one in read if one.url}) > 1:
        return False
    wanted = read[0].specifier
    for one in read[1:]:
        wanted = wanted & one.specifier
    if any(one.operator == "===" for one in wanted):
        return len({one.version for one in wanted if one.operator == "==="}) == 1
    return any(wanted.contains(one, prereleases=True) for one in _probes(wanted))


def _probes(wanted: SpecifierSet) -> Iterator[Version]:
    """If any version satisfies, one of these does: those named, and those just beside them."""
    from packaging.version import Version

    yield Version("0")
    for one in wanted:
        named = Version(one.version.removesuffix(".*"))
        yield named
        epoch = f"{named.epoch}!" if named.epoch else ""
        release = named.release
        yield Version(f"{epoch}{'.'.join(map(str, release))}.0.0.1")
        last = max((at for at, part in enumerate(release) if part), default=None)
        if last is not None:
            below = (*release[:last], release[last] - 1, 999_999)
            yield Version(epoch + ".".join(map(str, below)))
