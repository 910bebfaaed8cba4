"""Requirements: prepared before a run, by pip or uv, and found first by tasks that name them."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.waiting import wait_until
from tests.wheels import make_wheel, wheels
from wfnb import cabinet, cli, environments, task
from wfnb.choices import Choices
from wfnb.environments import environment_of, prepare
from wfnb.errors import BackendError, PlanError, RequirementsError
from wfnb.installer import Pip, Uv
from wfnb.plan import Placement, Plan
from wfnb.preparing import prepare_all, refuse_missing
from wfnb.requirements import requirements_of
from wfnb.session import Session
from wfnb.workers.process import pool_key

__all__ = ["wheels"]
PATIENCE_SECONDS = 30.0
UV = shutil.which("uv")


@pytest.fixture(params=["pip", "uv"])
def program(request, wheels, monkeypatch):
    """Each of the two installers; what it is told to install, in `wheels`."""
    if request.param == "uv" and UV is None:
        pytest.skip("uv is not on the PATH")
    chosen = Pip() if request.param == "pip" else Uv(UV)
    monkeypatch.setattr(environments, "installer", lambda: chosen)
    return chosen


@pytest.fixture
def pip(wheels, monkeypatch):
    monkeypatch.setattr(environments, "installer", Pip)


@pytest.fixture
def session(redis_server):
    made = Session(Choices(store=redis_server.url, workers=1))
    yield made
    made.connection()
    pids = [int(about["pid"]) for about in made.store.pools().values()]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    wait_until(
        lambda: not any(map(psutil.pid_exists, pids)),
        timeout_seconds=10,
        description="the pools have ended",
    )
    made.close()


def result(session, *targets):
    return session.start(*targets).result(PATIENCE_SECONDS)


def version_of_cheese():
    import cheese  # noqa: PLC0415

    return cheese.__version__


def is_gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.usefixtures("program")
def test_tasks_of_one_run_have_different_versions_of_a_package(session, wheels):
    for version in ("1.0", "2.0"):
        make_wheel(wheels, "cheese", version)
    old = task(name="old", requirements="cheese<2")(version_of_cheese)
    new = task(name="new", requirements="cheese")(version_of_cheese)

    @task
    def pair(*versions):
        return versions

    assert result(session, pair(old(), new())) == ("1.0", "2.0")
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("cheese")


@pytest.mark.usefixtures("program")
def test_a_package_comes_before_the_kernels_even_if_workers_themselves_use_that(session, wheels):
    make_wheel(wheels, "psutil", "99.0")

    def seen():
        import psutil  # noqa: PLC0415

        return psutil.__version__, importlib.metadata.version("psutil")

    plain = task(name="plain")(seen)
    newer = task(name="newer", requirements="psutil>=99")(seen)
    assert result(session, newer()) == ("99.0", "99.0")
    assert result(session, plain()) == (psutil.__version__,) * 2


@pytest.mark.usefixtures("program")
def test_what_the_kernel_has_is_not_installed_again(wheels):
    make_wheel(wheels, "cheese", "1.0", needs=["rind", "packaging>=20"])
    make_wheel(wheels, "rind", "3.0")
    make_wheel(wheels, "packaging", "99.0")
    folder = prepare(environment_of(requirements_of("cheese")), lambda line: None)
    found = {path.name for path in folder.iterdir()}
    assert {"cheese", "rind"} <= found
    assert "packaging" not in found


def test_an_installer_is_not_started_for_what_the_kernel_meets(session, wheels):
    @task(requirements=["packaging>=1", "numpy; python_version < '3'"])
    def plain():
        return 1

    plan = session.plan(plain())
    assert prepare_all(plan, pytest.fail).environments == ("",)
    refuse_missing(plan)
    assert cabinet.kept() == []


@pytest.mark.usefixtures("pip")
def test_what_breaks_a_package_of_the_kernel_is_said(wheels):
    make_wheel(wheels, "packaging", "1.0")
    told = []
    prepare(environment_of(["packaging<2"]), told.append)
    assert any(line.startswith("beware: the kernel's wfnb needs packaging>=24") for line in told)


@pytest.mark.parametrize("wanted", ["redis<1", "dill>=99", "wfnb==7"])
def test_what_workers_run_on_cannot_be_replaced(wanted):
    with pytest.raises(RequirementsError, match="workers run on the kernel's own"):
        environment_of([wanted])


@pytest.mark.usefixtures("program")
def test_nor_by_what_a_package_needs(wheels):
    make_wheel(wheels, "cheese", "1.0", needs=["dill<0.1"])
    make_wheel(wheels, "dill", "0.0.1")
    with pytest.raises(RequirementsError, match="dill"):
        prepare(environment_of(["cheese"]), lambda line: None)


@pytest.mark.usefixtures("program")
def test_a_failure_comes_before_the_run_and_again_at_once(session, wheels, monkeypatch):
    wanting = task(name="wanting", requirements=["nowhere-to-be-had>=3"])(version_of_cheese)
    plan = session.plan([wanting(), wanting()])
    with pytest.raises(RequirementsError) as caught:
        prepare_all(plan, lambda line: None)
    said = str(caught.value)
    assert said.startswith("wanting-0 and 1 more task cannot have nowhere-to-be-had>=3:\n")
    assert said.count("nowhere-to-be-had") >= 2
    assert "mend its name, or is this machine offline?" in said
    log = Path(said.rpartition("the whole log: ")[2])
    assert "nowhere-to-be-had" in log.read_text()
    assert session.runs() == ()

    working = environments.installer
    monkeypatch.setattr(environments, "installer", lambda: pytest.fail("it is tried again"))
    with pytest.raises(RequirementsError, match=r"(?s)it failed \d s ago.*\n.*nowhere"):
        prepare_all(plan, lambda line: None)

    make_wheel(wheels, "nowhere-to-be-had", "3.1")
    monkeypatch.setattr(environments, "installer", working)
    assert prepare_all(plan, lambda line: None, fresh=True).environments != ("",)


def test_a_failure_is_forgotten_after_five_minutes(wheels, pip, monkeypatch):
    environment = environment_of(["cheese"])
    with pytest.raises(RequirementsError):
        prepare(environment, lambda line: None)
    mark = cabinet.beside(environment.name, "failed")
    os.utime(mark, (0, time.time() - 301))
    make_wheel(wheels, "cheese", "1.0")
    assert (prepare(environment, lambda line: None) / "cheese").is_dir()


def test_a_cache_that_cannot_be_written_is_told_with_the_remedy(wheels, pip):
    environment = environment_of(["cheese"])
    cabinet.make_root()
    for suffix in ("lock", "failed", "log"):
        cabinet.beside(environment.name, suffix).mkdir()
        with pytest.raises(RequirementsError, match=r"for f-0 cannot be written: .* may you write"):
            prepare(environment, lambda line: None, wanted_by="f-0")
        cabinet.beside(environment.name, suffix).rmdir()


def test_without_installers_the_remedy_is_told(monkeypatch):
    monkeypatch.setattr("wfnb.installer.shutil.which", lambda name: None)
    monkeypatch.setattr("wfnb.installer.find_spec", lambda name: None)
    with pytest.raises(RequirementsError, match="ensurepip"):
        environments.installer()


@pytest.mark.usefixtures("pip")
def test_an_interrupt_kills_the_installer_and_leaves_nothing_that_counts(wheels):
    make_wheel(wheels, "cheese", "1.0")
    environment = environment_of(["cheese"])

    def interrupt(line):
        if not line.startswith("preparing"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(environment, interrupt)
    assert not cabinet.is_there(environment.name)
    left = {path.suffix for path in cabinet.root().iterdir()}
    assert left == {".log", ".lock"}
    assert (prepare(environment, lambda line: None) / "cheese").is_dir()


SLOW = """#!/bin/sh
echo $$ > "$PWD/../installer.pid"
mkdir -p packages/half
exec sleep 60
"""
PREPARE = """
import sys
from wfnb.environments import environment_of, prepare
prepare(environment_of(sys.argv[1:]), lambda line: print(line, flush=True))
"""


def preparing(*words, **variables):
    return subprocess.Popen(
        [sys.executable, "-c", PREPARE, *words],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_killed_preparation_takes_its_installer_along_and_the_next_starts_clean(wheels, tmp_path):
    make_wheel(wheels, "cheese", "1.0")
    slow = tmp_path / "bin" / "uv"
    slow.parent.mkdir()
    slow.write_text(SLOW)
    slow.chmod(0o755)
    killed = preparing("cheese", PATH=f"{slow.parent}:{os.environ['PATH']}")
    mark = cabinet.root() / "installer.pid"
    try:
        wait_until(
            lambda: mark.exists() and mark.read_text(),
            timeout_seconds=15,
            description="its installer runs",
        )
    finally:
        killed.kill()
        killed.communicate()
    wait_until(lambda: is_gone(int(mark.read_text())), description="the installer is gone too")
    assert "prepared in" in preparing("cheese").communicate(timeout=60)[0]
    (kept,) = cabinet.kept()
    assert (cabinet.folder_of(kept.name) / "cheese").is_dir()
    assert not (cabinet.folder_of(kept.name) / "half").exists()
    assert not list(cabinet.root().glob("*.draft"))


def test_of_two_that_prepare_the_same_one_installs(wheels):
    make_wheel(wheels, "cheese", "1.0")
    said = [process.communicate(timeout=60)[0] for process in [preparing("cheese") for _ in "12"]]
    assert sum("prepared in" in words for words in said) == 1
    assert len(cabinet.kept()) == 1


@pytest.mark.usefixtures("pip")
def test_what_a_task_starts_finds_its_packages_and_programs(session, wheels):
    content = {
        "cheese.py": "__version__ = '1.0'\n",
        "cheese-1.0.data/scripts/gouda": "#!/bin/sh\necho ripe\n",
    }
    make_wheel(wheels, "cheese", "1.0", content=content)

    @task(requirements="cheese")
    def ask():
        code = "import cheese; print(cheese.__version__)"
        version = subprocess.check_output([sys.executable, "-c", code], text=True)
        return version.strip(), subprocess.check_output(["gouda"], text=True).strip()

    assert result(session, ask()) == ("1.0", "ripe")


@pytest.mark.usefixtures("pip")
def test_workers_stay_with_their_environment_from_run_to_run(session, wheels):
    make_wheel(wheels, "cheese", "1.0")
    cheese = task(name="cheese", requirements="cheese")(version_of_cheese)

    @task
    def none():
        with suppress(ImportError):
            return version_of_cheese()

    for _ in range(2):
        assert result(session, cheese(), none()) == ("1.0", None)
    pools = session.store.pools()
    assert sorted(about["environment"] for about in pools.values())[0] == ""
    assert len(pools) == 2


@pytest.mark.usefixtures("pip")
def test_a_named_worker_has_what_all_its_tasks_require(session, wheels):
    for name in ("cheese", "rind"):
        make_wheel(wheels, name, "1.0")

    def seen():
        return sorted(
            d.name for d in importlib.metadata.distributions() if d.name in ("cheese", "rind")
        )

    one = task(name="one", requirements="cheese")(seen)
    other = task(name="other", requirements="rind")(seen)
    plan = session.plan([one(), other()])
    plan = Plan(plan.graph, dict.fromkeys(plan.graph, Placement(worker="w1")))
    run = session.start(plan)
    assert run.result(PATIENCE_SECONDS) == (["cheese", "rind"],) * 2


def test_requirements_that_no_worker_can_have_at_once_are_refused_by_name(session, wheels):
    one = task(name="one", requirements="cheese<2")(version_of_cheese)
    other = task(name="other", requirements="cheese>=2")(version_of_cheese)
    plan = session.plan([one(), other()])
    plan = Plan(plan.graph, dict.fromkeys(plan.graph, Placement(worker="w1")))
    message = "worker w1 has one-0 needing cheese<2 and other-0 needing cheese>=2: put them on diff"
    with pytest.raises(PlanError, match=message):
        prepare_all(plan, lambda line: None)


@pytest.mark.usefixtures("pip")
def test_a_workflows_requirements_are_every_tasks_but_a_task_may_say_otherwise(
    session, wheels, redis_server
):
    for version in ("1.0", "2.0"):
        make_wheel(wheels, "cheese", version)
    plain = task(name="plain")(version_of_cheese)
    own = task(name="own", requirements="cheese<2")(version_of_cheese)
    session.connect(redis_server.url, workers=1, requirements=["cheese"])
    assert result(session, [plain(), own()]) == ["2.0", "1.0"]


def test_a_backend_in_the_kernel_refuses_what_the_kernel_has_not(session):
    wanting = task(name="wanting", requirements=["cheese>=3", "packaging"])(version_of_cheese)
    with pytest.raises(
        BackendError, match=r"wanting-0 cannot have cheese>=3 here.*backend='process'"
    ):
        session.start(wanting(), backend="inline")


@pytest.mark.usefixtures("pip")
def test_a_pool_whose_environment_has_gone_says_so(session, wheels):
    make_wheel(wheels, "cheese", "1.0")
    cheese = task(name="cheese", requirements="cheese")(version_of_cheese)
    plan = prepare_all(session.plan(cheese()), lambda line: None)
    shutil.rmtree(cabinet.root())
    (name,) = plan.environments
    command = [sys.executable, "-P", "-m", "wfnb.workers", "pool", "--environment", name]
    done = subprocess.run(
        command, env=os.environ | {"WFNB_STORE": "embedded"}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert f"the environment {name} is no longer in" in done.stderr
    assert "start the run again" in done.stderr


@pytest.mark.usefixtures("pip")
def test_what_a_pool_uses_is_not_tidied_away_and_its_pool_is_listed_and_stopped(
    session, wheels, redis_server, capsys
):
    make_wheel(wheels, "cheese", "1.0")
    cheese = task(name="cheese", requirements="cheese")(version_of_cheese)
    run = session.start(cheese())
    assert run.result(PATIENCE_SECONDS) == "1.0"
    (kept,) = cabinet.kept()
    assert kept.requirements == ("cheese",)
    assert cabinet.tidy(kept_seconds=-1, spared_seconds=-1) == []
    assert cli.main(["pool", "list", "--store", redis_server.url]) == 0
    assert kept.name in capsys.readouterr().out

    key = pool_key(redis_server.url, kept.name)
    pid = int(session.store.pools()[key]["pid"])
    assert cli.main(["pool", "stop", "--store", redis_server.url]) == 0
    wait_until(lambda: is_gone(pid), timeout_seconds=10, description="the pool has gone")
    assert [one.name for one in cabinet.tidy(kept_seconds=-1, spared_seconds=-1)] == [kept.name]
    assert list(cabinet.root().iterdir()) == []


@pytest.mark.usefixtures("pip")
def test_a_run_keeps_its_environments_in_its_plan(session, wheels):
    make_wheel(wheels, "cheese", "1.0")
    cheese = task(name="cheese", requirements="cheese")(version_of_cheese)
    run = session.start(cheese())
    run.result(PATIENCE_SECONDS)
    again = session.attach(run.id)
    (name,) = again.plan.environments
    about = json.loads((cabinet.folder_of(name) / cabinet.ABOUT).read_text())
    assert about["packages"] == {"cheese": "1.0"}
