"""Cells executed by a real kernel, as a front end would have them executed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def executed(sources: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Ends well if no cell raises an error; what did is in its standard error."""
    cells = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {},
            "outputs": [],
            "source": code,
            "execution_count": None,
        }
        for n, code in enumerate(sources)
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    file = folder / "kernel.ipynb"
    file.write_text(json.dumps(notebook))
    return subprocess.run(
        [sys.executable, "-m", "jupyter", "execute", str(file), "--kernel_name=python3"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
