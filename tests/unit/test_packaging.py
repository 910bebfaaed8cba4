from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
CONDA_NAMES = {"docker-py": "docker", "redis-py": "redis"}


def home_of(package: str) -> Path:
    longest = max((p for p in SETUPTOOLS["package-dir"] if package.startswith(p)), key=len)
    rest = package.removeprefix(longest).strip(".").replace(".", "/")
    return ROOT / SETUPTOOLS["package-dir"][longest] / rest


def packages_in(folder: Path, name: str) -> set[str]:
    inner = [p for p in folder.iterdir() if (p / "__init__.py").is_file() and not p.is_symlink()]
    return {name}.union(*(packages_in(p, f"{name}.{p.name}") for p in inner))


def test_every_package_is_built():
    homes = SETUPTOOLS["package-dir"]
    found = set().union(*(packages_in(ROOT / home, name) for name, home in homes.items()))
    assert set(SETUPTOOLS["packages"]) == found


def test_every_data_file_is_built():
    forgotten = []
    for package in SETUPTOOLS["packages"]:
        home = home_of(package)
        shipped = {p for pattern in shipped_patterns(package) for p in home.glob(pattern)}
        for path in home.rglob("*"):
            nearest = next(p for p in path.parents if (p / "__init__.py").is_file())
            ours = path.is_file() and nearest == home and "__pycache__" not in path.parts
            if ours and path.suffix not in {".py", ".pyc"} and path not in shipped:
                forgotten.append(str(path.relative_to(ROOT)))
    assert forgotten == []


def shipped_patterns(package: str) -> list[str]:
    return SETUPTOOLS["package-data"].get(package, [])


def test_the_top_level_folders_are_also_inside_the_package():
    for name in ("widgets", "workers"):
        assert (ROOT / "wfnb" / name).readlink() == Path("..") / name


def test_the_dependency_group_and_the_extra_of_the_tools_agree():
    assert PYPROJECT["dependency-groups"]["dev"] == EXTRAS["dev"]


def test_the_extra_all_names_every_extra_for_users():
    (everything,) = EXTRAS["all"]
    assert Requirement(everything).extras == set(EXTRAS) - {"all", "dev"}


def test_the_conda_environment_agrees_with_the_project():
    _, dependencies = (ROOT / "environment.yml").read_text().split("dependencies:\n")
    lines = dependencies.splitlines()
    entries = [m[1] for line in lines if (m := re.fullmatch(r"\s+- ([\w.-]+[^:]*)", line))]
    conda = {CONDA_NAMES.get(r.name, r.name): r.specifier for r in map(Requirement, entries)}
    del conda["pip"]
    assert (
        conda.pop("python") == Requirement("p" + PYPROJECT["project"]["requires-python"]).specifier
    )
    listed = [
        PYPROJECT["project"]["dependencies"],
        *(EXTRAS[e] for e in EXTRAS.keys() - {"all", "dev"}),
    ]
    wanted = [Requirement(text) for group in listed for text in group]
    assert conda == {r.name: r.specifier for r in wanted}
