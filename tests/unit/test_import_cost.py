from __future__ import annotations

import subprocess
import sys

HEAVY = ("IPython", "altair", "dill", "docker", "ipywidgets", "numpy", "pandas", "redis")


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules.keys() & {HEAVY!r})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_wfnb_loads_no_heavy_library():
    assert loaded_by("import wfnb") == set()


def test_the_check_sees_a_heavy_library():
    assert "dill" in loaded_by("import wfnb, dill")
