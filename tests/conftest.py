"""Fixtures for everything that runs containers, and the rule about skips."""

import fnmatch
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from box import Box  # noqa: E402
from bundle import BUILD, RUNTIME, TESTS, TIMEOUT, Bundles, Container  # noqa: E402


def known_skips():
    """[(pattern of test ids, reason)] of tests/known-skips.txt."""
    skips = []
    for line in (TESTS / "known-skips.txt").read_text().splitlines():
        text = line.split("#", 1)[0].strip()
        if text:
            pattern, _, reason = text.partition(": ")
            assert reason, f"known-skips.txt: no reason for {pattern}"
            skips.append((pattern, reason))
    return skips


UNSTEADY = 3  # so many tests may fail once and pass when they run again; all are shown


def pytest_collection_modifyitems(items):
    for item in items:
        if TESTS / "security" in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=0))
    for pattern, reason in known_skips():
        for item in items:
            if fnmatch.fnmatchcase(item.nodeid.replace("[", "("), pattern.replace("[", "(")):
                item.add_marker(pytest.mark.skip(reason="known: " + reason))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A skip that known-skips.txt does not know is a failure."""
    report = (yield).get_result()
    if report.skipped and isinstance(report.longrepr, tuple) and "known: " not in report.longrepr[2]:
        report.outcome = "failed"
        report.longrepr = f"skipped without being in known-skips.txt: {report.longrepr[2]}"


@pytest.hookimpl(hookwrapper=True)
def pytest_terminal_summary(terminalreporter):
    """With --reruns: what failed the first time is shown as any failure is."""
    unsteady = terminalreporter.getreports("rerun")
    if unsteady:
        terminalreporter.section(f"{len(unsteady)} unsteady, at most {UNSTEADY} pass")
    for report in unsteady:
        terminalreporter.write_line(f"UNSTEADY {report.nodeid}", yellow=True)
        terminalreporter.write_line(str(report.longrepr))
    yield


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session, exitstatus):
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == pytest.ExitCode.OK and len(terminal.getreports("rerun")) > UNSTEADY:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_report_header():
    return f"runtime under test: {RUNTIME}, build: {BUILD}"


@pytest.fixture(scope="session")
def rootfs():
    """The cached root file system: never to be written to."""
    return subprocess.run([TESTS / "rootfs.sh"], stdin=subprocess.DEVNULL, check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture(scope="session")
def programs():
    """A layer over the root file system with the project's test programs in /t."""
    layer = tempfile.mkdtemp(prefix="callgate-programs-", dir="/var/tmp")
    os.chmod(layer, 0o755)
    place = pathlib.Path(layer, "t")
    place.mkdir()
    for group in ("guest", "security"):
        for program in (BUILD / "tests" / group).glob("*"):
            if program.is_file() and os.access(program, os.X_OK):
                shutil.copy2(program, place)
    yield layer
    shutil.rmtree(layer)


@pytest.fixture
def bundles(rootfs, programs):
    """Bundles for one test. Not under pytest's tmp_path: that may be a tmpfs or an overlay."""
    base = os.environ.get("CALLGATE_TEST_TMP", "/var/tmp")
    made = Bundles(tempfile.mkdtemp(prefix="callgate-test-", dir=base), [programs, rootfs])
    yield made
    made.close()


@pytest.fixture
def start(bundles):
    """start(args..., **options): a Container of the runtime under test; ended with the test."""
    started = []

    def go(*args, runtime=RUNTIME, prepare=None, **options):
        bundle = bundles.make(args, **options)
        if prepare:
            prepare(bundle)
        started.append(Container(runtime, bundle))
        return started[-1]

    yield go
    for container in started:
        container.kill()
        container.wait(10)


@pytest.fixture
def box(start):
    """box(runtime, args, **options): a running container, for exec."""
    def go(runtime=RUNTIME, args=("/bin/sleep", "1000"), **options):
        return Box(start(*args, runtime=runtime, **options), runtime)
    return go


@pytest.fixture
def run(start):
    """run(args..., **options): the Result of the runtime under test."""
    def go(*args, timeout=TIMEOUT, **options):
        return start(*args, **options).wait(timeout)
    return go


@pytest.fixture
def run_both(run):
    """The same bundle under runc and under the runtime under test: same output, same status."""
    def go(*args, **options):
        expected = run(*args, runtime="runc", **options)
        assert not expected.timed_out, f"runc: {expected}"
        actual = run(*args, **options)
        assert (actual.stdout, actual.status) == (expected.stdout, expected.status), \
            f"{RUNTIME}: {actual}\n=== runc: {expected}"
        return actual
    return go


@pytest.fixture
def run_script(run_both):
    """A bash script in both: it has to succeed and to print something."""
    def go(script, **options):
        result = run_both("/bin/bash", "-c", script, **options)
        assert result.status == 0, str(result)
        return result
    return go


@pytest.fixture
def scratch():
    """A directory on a disk file system, world-accessible."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="callgate-scratch-", dir="/var/tmp"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path, ignore_errors=True)
