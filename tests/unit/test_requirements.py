"""The grammar of requirements, and what is worked out without an installer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wfnb import cabinet, installed
from wfnb.environments import environment_of
from wfnb.errors import OptionError, PlanError
from wfnb.freezing import freeze
from wfnb.graph import TaskId
from wfnb.installer import Pip, Uv, surroundings
from wfnb.language import task
from wfnb.plan import Placement, Plan
from wfnb.requirements import (
    applies,
    combined,
    conflict_of,
    is_met_by,
    read_requirements,
    requirements_of,
    united,
)

DAY_SECONDS = 86_400.0


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ((), ()),
        ("numpy", ("numpy",)),
        (" numpy ", ("numpy",)),
        ("NumPy >= 2", ("numpy>=2",)),
        ("Foo.Bar_baz", ("foo-bar-baz",)),
        (["b", "a", "b"], ("a", "b")),
        ({"b", "a"}, ("a", "b")),
        (("numpy<3", "numpy>=2"), ("numpy<3,>=2",)),
        ("pandas[excel, AWS]>=1", ("pandas[aws,excel]>=1",)),
        (["x[a]", "x[b]>1"], ("x[a,b]>1",)),
        ("numpy~=1.26.0,!=1.26.3", ("numpy!=1.26.3,~=1.26.0",)),
        ("torch==2.1.0+cpu", ("torch==2.1.0+cpu",)),
        ("a==1.*", ("a==1.*",)),
        ("a===weird", ("a===weird",)),
        ("a>=1!2.0", ("a>=1!2.0",)),
        ("a (>=1)", ("a>=1",)),
        ("tomli; python_version < '3.11'", ('tomli; python_version < "3.11"',)),
        (
            ["a<1; os_name == 'nt'", "a>=1; os_name == 'posix'"],
            ('a<1; os_name == "nt"', 'a>=1; os_name == "posix"'),
        ),
    ],
)
def test_requirements_have_one_normal_form(given, normal):
    assert requirements_of(given) == normal
    assert requirements_of(normal) == normal


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (5, "requirements=5: give texts such as 'numpy>=2'"),
        (b"numpy", "give texts"),
        ({"numpy": ">=2"}, "give texts"),
        (["numpy", 2], "2 is no text; give texts such as 'numpy>=2'"),
        ("", "is no requirement"),
        ("numpy pandas", "is no requirement .* several in a list"),
        ("numpy, pandas", "is no requirement"),
        ("numpy=2", "is no requirement"),
        ("numpy>=two", "is no requirement"),
        ("; rm -rf /", "is no requirement"),
        ("$(id)", "is no requirement"),
        ("-r other", "an option such as -r is not taken: write its lines here"),
        ("--requirement=other", "--requirement is not taken: write its lines here"),
        ("-c limits", "write the constraint as a requirement"),
        ("-e .", "an option such as -e is not taken: a module beside the notebook travels"),
        ("--editable .", "a module beside the notebook travels"),
        ("--index-url https://x", "--index-url is not taken: .* PIP_INDEX_URL"),
        ("--extra-index-url=https://x", "PIP_INDEX_URL"),
        ("-f links", "PIP_INDEX_URL"),
        ("--pre", "PIP_INDEX_URL"),
        ("numpy==2 --hash=sha256:00", "--hash is not taken"),
        ("./local", "is a path, which only this machine has"),
        ("../local", "is a path"),
        ("/srv/local", "is a path"),
        ("~/local", "is a path"),
        ("C:\\local", "is a path"),
        ("cheese-1.0-py3-none-any.whl", "is a path"),
        ("cheese-1.0.tar.gz", "is a path"),
        ("https://example.org/cheese.whl", "is a URL: .* WFNB_ALLOW_DIRECT=1"),
        ("git+https://example.org/cheese", "is a URL"),
        ("git+ssh://git@example.org/cheese", "is a URL"),
        ("file:///srv/cheese", "is a URL"),
        ("cheese @ https://example.org/cheese.whl", "what a URL happens to give: .*'cheese>=1'"),
        ("cheese @ git+https://example.org/cheese", "what a URL happens to give"),
        ("cheese @ file:///srv/cheese", "what a URL happens to give"),
        (["numpy<2", "numpy>=2"], "no version satisfies numpy<2 and numpy>=2: loosen or leave out"),
        (["a==1", "b", "a==2"], "no version satisfies a==1 and a==2"),
        ("a>2,<1", "no version satisfies a"),
        ("no-such-file.txt", "there is no such file in .*: mend the name"),
    ],
)  # fmt: skip
def test_what_is_no_requirement_is_refused_with_a_remedy(given, told):
    with pytest.raises(OptionError, match=told):
        requirements_of(given)


def test_urls_are_taken_by_who_allows_them(monkeypatch):
    wanted = "Cheese @ https://example.org/cheese.whl"
    assert requirements_of(wanted, allow_direct=True) == (
        "cheese @ https://example.org/cheese.whl",
    )
    monkeypatch.setenv("WFNB_ALLOW_DIRECT", "1")
    assert requirements_of(wanted) == ("cheese @ https://example.org/cheese.whl",)
    with pytest.raises(OptionError, match="a path"):
        requirements_of("./cheese")


FILE = """\ufeff# what we need
numpy >=2   # arrays

pandas[excel]>=2,\\
    <3
tomli; python_version < "3.11"
# the end"""


def test_a_file_is_read_with_comments_markers_and_continued_lines(tmp_path, monkeypatch):
    path = tmp_path / "requirements.txt"
    path.write_text(FILE)
    normal = ("numpy>=2", "pandas[excel]<3,>=2", 'tomli; python_version < "3.11"')
    assert read_requirements(path) == normal
    monkeypatch.chdir(tmp_path)
    assert requirements_of("requirements.txt") == normal
    assert requirements_of(path) == normal
    assert requirements_of(["requirements.txt", "rich"]) == (*normal[:2], "rich", normal[2])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("numpy\n-r other.txt\n", r"requirements\.txt, line 2: an option such as -r"),
        ("numpy\\\n>=two\n", r"requirements\.txt, line 1: .* is no requirement"),
        ("\n\n--index-url x\n", r"line 3: an option such as --index-url is not taken"),
        ("a\n./b\n", "line 2: './b' is a path"),
        ("numpy<2\npandas\nnumpy>=2\n", r"numpy<2 \(.*line 1\) and numpy>=2 \(.*line 3\)"),
        ("cheese\n  \nx @ file:///y\n", "line 3: .* what a URL"),
    ],
)
def test_a_line_of_a_file_is_named(tmp_path, text, told):
    path = tmp_path / "requirements.txt"
    path.write_text(text)
    with pytest.raises(OptionError, match=told):
        read_requirements(path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match="cannot be read as text in UTF-8"):
        read_requirements(path)
    with pytest.raises(OptionError, match="cannot be read"):
        read_requirements(tmp_path)


@pytest.mark.parametrize(
    ("texts", "conflict"),
    [
        (["a<2", "a>=2"], ("a<2", "a>=2")),
        (["a<2", "a>=1", "b>3", "b<3"], ("b>3", "b<3")),
        (["a~=1.4", "a>=2"], ("a~=1.4", "a>=2")),
        (["a~=1.4.2", "a==1.5.*"], ("a~=1.4.2", "a==1.5.*")),
        (["a==1.*", "a!=1.*"], ("a==1.*", "a!=1.*")),
        (["a==1.0", "a==1.0.0"], ()),
        (["a>1", "a<1.1"], ()),
        (["a>1", "a<=1.1", "a!=1.1"], ()),
        (["a<1", "a!=0"], ()),
        (["a>=1", "a<=1"], ()),
        (["a>1", "a<=1"], ("a>1", "a<=1")),
        (["a>=1,<3", "a!=1.*", "a!=2.*"], ("a>=1,<3", "a!=1.*", "a!=2.*")),
        (["a>=2", "a<2; python_version < '3'"], ()),
        (["a===x", "a===y"], ("a===x", "a===y")),
        (["a>=1!1", "a<1!0"], ("a>=1!1", "a<1!0")),
        (["a>=2.0rc1", "a<2.0"], ("a>=2.0rc1", "a<2.0")),
        (["a>=2.0rc1", "a<=2.0"], ()),
    ],
)
def test_a_conflict_is_what_no_version_satisfies(texts, conflict):
    assert conflict_of(texts) == conflict


def test_a_tasks_requirements_replace_the_workflows_of_their_name():
    assert combined(("a>=2", "b"), ("a<2",)) == ("a<2", "b")
    assert combined((), ("a",)) == combined(("a",), ()) == ("a",)


def test_several_sets_are_united_or_refused():
    assert united([("a>=1", "b"), ("a<2",), ()]) == ("a<2,>=1", "b")
    with pytest.raises(OptionError, match="a<1 and a>=1"):
        united([("a>=1",), ("a<1",)])


def test_a_prerelease_that_is_installed_will_do_and_a_url_never():
    assert is_met_by("a>=1", "2.0rc1")
    assert not is_met_by("a>=2", "2.0rc1")
    assert not is_met_by("a @ file:///x", "1.0")


def test_markers_are_asked_here():
    assert applies("a; python_version >= '3.11'")
    assert not applies("a; python_version < '3'")


def test_the_kernel_meets_what_it_has_with_extras_as_far_as_they_go():
    assert installed.missing(["packaging>=1", "pytest"]) == ()
    assert installed.missing(["packaging>=1000", "no-such-thing"]) == (
        "packaging>=1000",
        "no-such-thing",
    )
    assert installed.missing(["redis[hiredis]", "wfnb[no-such-extra]"]) == ()


def test_an_environment_is_named_after_all_that_matters(monkeypatch):
    one = environment_of(["no-such-thing", "packaging"])
    assert one == environment_of(("packaging", "no-such-thing", "x; python_version < '3'"))
    assert one.name != environment_of(["no-such-thing"]).name
    monkeypatch.setattr(installed, "digest", lambda: "after an upgrade")
    assert one.name != environment_of(["no-such-thing", "packaging"]).name
    assert environment_of(["packaging"]) is None
    assert environment_of([]) is None


@pytest.mark.parametrize("program", [Pip(), Uv("/usr/bin/uv")])
def test_requirements_stand_behind_two_dashes_and_only_wheels_are_taken(program, tmp_path):
    for command in (
        program.resolve(["a>=1", "b"], tmp_path / "c", tmp_path / "r"),
        program.install(["a==1", "b==2"], tmp_path),
    ):
        assert command[-3] == "--"
        assert "--only-binary :all:" in " ".join(command)
        assert all(isinstance(word, str) for word in command)


def test_an_installer_asks_no_extra_index_and_gets_no_misleading_settings():
    ours = {
        "PIP_INDEX_URL": "https://us:secret@example.org",
        "PIP_EXTRA_INDEX_URL": "https://elsewhere",
        "UV_INDEX": "https://elsewhere",
        "PIP_TARGET": "/",
        "PIP_FIND_LINKS": "one two",
        "HOME": "/home/us",
    }
    theirs = surroundings(ours)
    assert not {"PIP_EXTRA_INDEX_URL", "UV_INDEX", "PIP_TARGET"} & {*theirs}
    assert theirs["UV_DEFAULT_INDEX"] == ours["PIP_INDEX_URL"]
    assert theirs["UV_FIND_LINKS"] == "one,two"
    assert (theirs["HOME"], theirs["PIP_NO_INPUT"]) == ("/home/us", "1")


def test_importing_wfnb_does_not_load_packaging():
    code = "import sys, wfnb; wfnb.task(len); print('packaging' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cabinet.make_root()
    return cabinet.root()


def keep(name: str, *, size_bytes: int, age_seconds: float, now: float) -> Path:
    folder = cabinet.folder_of(name)
    folder.mkdir()
    about = f'{{"requirements": ["{name}"], "size_bytes": {size_bytes}}}'
    (folder / cabinet.ABOUT).write_text(about)
    for suffix in ("log", "lock"):
        cabinet.beside(name, suffix).write_text("")
    os.utime(folder, (0, now - age_seconds))
    return folder


def test_the_least_recently_used_go_first_and_the_latest_are_spared(cache, monkeypatch):
    now = 2 * 10**9
    monkeypatch.setattr(cabinet.time, "time", lambda: now)
    for name, days in (("new", 0.0), ("recent", 1.0), ("older", 2.0), ("oldest", 31.0)):
        keep(name, size_bytes=100, age_seconds=days * DAY_SECONDS, now=now)
    assert [one.name for one in cabinet.kept()] == ["new", "recent", "older", "oldest"]
    assert [one.name for one in cabinet.tidy()] == ["oldest"]
    assert [one.name for one in cabinet.tidy(most_bytes=250)] == ["older"]
    assert [one.name for one in cabinet.tidy(most_bytes=10)] == ["recent"]
    assert {path.name for path in cache.iterdir()} == {"new", "new.log", "new.lock"}


def test_what_is_held_stays(cache, monkeypatch):
    now = 2 * 10**9
    monkeypatch.setattr(cabinet.time, "time", lambda: now)
    keep("held", size_bytes=100, age_seconds=100 * DAY_SECONDS, now=now)
    descriptor = cabinet.hold("held")
    assert cabinet.tidy() == []
    os.close(descriptor)
    assert [one.name for one in cabinet.tidy()] == ["held"]


def test_what_a_killed_preparation_left_is_swept_up_later(cache):
    draft = cabinet.beside("half", "draft")
    (draft / "packages").mkdir(parents=True)
    cabinet.beside("half", "log").write_text("")
    assert cabinet.tidy() == []
    assert draft.exists()
    os.utime(draft, (0, 0))
    cabinet.tidy()
    assert list(cache.iterdir()) == []


def test_a_queue_names_the_environment_and_a_worker_has_one(graph_of_two):
    plain, equipped = Placement(), Placement(environment="3f2a9c")
    assert (plain.queue, equipped.queue) == ("1cpu", "1cpu+3f2a9c")
    assert Placement(worker="w1", environment="3f2a9c").queue == "@w1"
    first, second = graph_of_two
    plan = Plan(graph_of_two, {first: plain, second: equipped})
    assert plan.environments == ("", "3f2a9c")
    mixed = {
        first: Placement(worker="w1"),
        second: Placement(worker="w1", environment="3f2a9c"),
    }
    message = "worker w1 has task f-0 needing nothing and g-0 needing cheese>=3: put them on diff"
    with pytest.raises(PlanError, match=message):
        Plan(graph_of_two, mixed)


@pytest.fixture
def graph_of_two():
    f = task(name="f")(len)
    g = task(name="g", requirements="cheese>=3")(len)
    graph = freeze([f("a"), g("b")])
    assert list(graph) == [TaskId("f-0"), TaskId("g-0")]
    return graph
