"""What works here: each finding is the outcome of a real attempt, with a remedy if it failed."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from packaging.version import Version

from wfnb.cabinet import kept, root
from wfnb.errors import BackendError, RequirementsError, WfnbError
from wfnb.installer import Uv, installer
from wfnb.language import task
from wfnb.loads import told_loads
from wfnb.session import Session
from wfnb.signing import Signer, key_path, load_key
from wfnb.storage import RunId
from wfnb.storage.address import parse
from wfnb.storage.connection import connect, warnings_of
from wfnb.workers.docker.daemon import Daemon
from wfnb.workers.docker.images import BUILD_COMMAND, find_worker_image

PROBE_SECONDS = 20.0
DAEMON_SECONDS = 5.0
OLDEST_LAB = Version("4.5.7")
"""Older ones have a command-injection hole."""
SLOW_IMPORT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Finding:
    grade: str
    """ok, note (something optional is missing) or fail."""
    subject: str
    told: str

    def __str__(self) -> str:
        return f"{self.grade:<4}  {self.subject:<14}  {self.told}"


def examine(session: Session) -> Iterator[Finding]:
    """One finding after the other, as they are made. Leaves nothing but a warm pool."""
    checks: tuple[tuple[str, Callable[[Session], Iterator[tuple[str, str]]]], ...] = (
        ("Python", _python),
        ("import", _import),
        ("key", _key),
        ("store", _store),
        ("worker", _worker),
        ("requirements", _requirements),
        ("Docker", _docker),
        ("JupyterLab", _lab),
        ("ipykernel", _kernel),
        ("widgets", _widgets),
    )
    for subject, check in checks:
        try:
            for grade, told in check(session):
                yield Finding(grade, subject, told)
        except WfnbError as error:
            yield Finding("fail", subject, " ".join(str(error).split()))


def _python(session: Session) -> Iterator[tuple[str, str]]:
    yield "ok", f"{'.'.join(map(str, sys.version_info[:3]))}, {sys.executable}"


def _import(session: Session) -> Iterator[tuple[str, str]]:
    code = "import time; t = time.perf_counter(); import wfnb; print(time.perf_counter() - t)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if run.returncode:
        yield "fail", f"`import wfnb` ends in {run.stderr.strip().splitlines()[-1]}"
        return
    seconds = float(run.stdout)
    told = f"`import wfnb` takes {seconds * 1000:.0f} ms"
    if seconds > SLOW_IMPORT_SECONDS:
        yield "note", f"{told}: is the disk, or a virus scanner, slow?"
    else:
        yield "ok", told


def _key(session: Session) -> Iterator[tuple[str, str]]:
    signer = Signer(load_key(create=True))
    probe = secrets.token_bytes(64)
    works = bytes(signer.open(signer.seal(probe, "doctor"), "doctor")) == probe
    yield "ok" if works else "fail", f"{key_path()}, fingerprint {signer.fingerprint}"


def _store(session: Session) -> Iterator[tuple[str, str]]:
    start = time.perf_counter()
    store = session.store
    seconds = time.perf_counter() - start
    run, probe = RunId(f"doctor-{secrets.token_hex(4)}"), secrets.token_bytes(1024)
    store.put(run, {"probe": [probe]})
    found = store.get(run, "probe", 1)
    store.drop(run)
    if found != [probe]:
        yield "fail", f"{session.place} does not give back what was written: is it a Redis server?"
        return
    yield "ok", f"{session.place}: there after {seconds:.2f} s, wrote and read 1 KiB"
    with connect(parse(session.address)) as client:
        warnings = warnings_of(client)
    for warning in warnings:
        yield "note", warning
    if not warnings:
        yield "ok", "append-only file on, nothing is evicted"


def _worker(session: Session) -> Iterator[tuple[str, str]]:
    start = time.perf_counter()
    run = session.start(_probe(20, 22))
    if not run.wait(PROBE_SECONDS):
        run.cancel()
        session.store.drop(run.id)
        yield "fail", f"no answer within {PROBE_SECONDS:g} s: does `wfnb pool list` name a pool?"
        return
    answer = run.result()
    session.store.drop(run.id)
    told = f"a task ran in another process after {time.perf_counter() - start:.2f} s"
    yield ("ok", told) if answer[0] == 42 else ("fail", f"20 + 22 came back as {answer[0]}")


@task(name="doctor-probe")
def _probe(left: int, right: int) -> tuple[int, int]:
    return left + right, os.getpid()


def _requirements(session: Session) -> Iterator[tuple[str, str]]:
    try:
        program = "uv" if isinstance(installer(), Uv) else "pip"
    except RequirementsError as error:
        yield "note", str(error)
        return
    found = kept()
    size = f"{sum(one.size_bytes for one in found) / 1e6:,.0f} MB"
    yield "ok", f"installed by {program}; {len(found)} environments in {root()}, {size}"


def _docker(session: Session) -> Iterator[tuple[str, str]]:
    try:
        with Daemon(timeout_seconds=DAEMON_SECONDS) as daemon:
            daemon.ping()
            with daemon.translated("the daemon does not tell what it has"):
                about = daemon.client.info()
            image = find_worker_image(daemon)
    except BackendError as error:
        yield "note", f"{' '.join(str(error).split())}; only backend 'docker' needs it"
        return
    version, cgroup = about["ServerVersion"], about.get("CgroupVersion", "1")
    memory = f"{about['MemTotal'] / 1e9:,.1f} GB"
    yield "ok", f"daemon {version}, cgroup {cgroup}, {about['NCPU']} CPUs, {memory}"
    if image is None:
        yield "note", f"no image for workers of this kernel: `{BUILD_COMMAND}` makes one"
        return
    states = Counter(load.state for load in told_loads(session.store.pools()).values())
    warm = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    yield "ok", f"image {image}; containers of this store: {warm or 'none'}"


def _lab(session: Session) -> Iterator[tuple[str, str]]:
    found = _version("jupyterlab")
    if found is None:
        yield "note", "not installed: `pip install wfnb[notebook]`"
    elif found < OLDEST_LAB:
        yield "fail", f"{found} lets a notebook run commands: `pip install -U jupyterlab`"
    else:
        yield "ok", str(found)


def _kernel(session: Session) -> Iterator[tuple[str, str]]:
    found = _version("ipykernel")
    if found is None:
        yield "note", "not installed: `pip install wfnb[notebook]`"
    elif found.release[:2] == (7, 0):
        yield "fail", f"{found} loses live updates: `pip install 'ipykernel!=7.0.*'`"
    else:
        yield "ok", str(found)


def _widgets(session: Session) -> Iterator[tuple[str, str]]:
    names = ("ipywidgets", "anywidget", "ipycytoscape")
    found = {name: _version(name) for name in names}
    missing = [name for name, known in found.items() if known is None]
    if missing:
        yield "note", f"{', '.join(missing)} missing: `pip install wfnb[notebook]`"
    else:
        yield "ok", ", ".join(f"{name} {known}" for name, known in found.items())


def _version(package: str) -> Version | None:
    try:
        return Version(version(package))
    except PackageNotFoundError:
        return None
