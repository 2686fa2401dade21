"""Fixtures: the engines, started once each, and the rule that every test leaves nothing behind."""

import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import image  # noqa: E402
from engine import RUNTIME, Containerd, Docker, Podman, RootlessPodman  # noqa: E402


def pytest_report_header():
    return f"runtime of the engines: {RUNTIME}"


@pytest.fixture(scope="session")
def archive(rootfs):
    """The image that all engines load."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="callgate-image-", dir="/var/tmp"))
    directory.chmod(0o755)
    yield image.make_archive(rootfs, directory)
    shutil.rmtree(directory)


def engine_fixtures(kind):
    """(session fixture, test fixture) of an engine."""
    @pytest.fixture(scope="session")
    def whole(archive):
        engine = kind(archive)
        yield engine
        engine.close()

    @pytest.fixture
    def clean(request):
        engine = request.getfixturevalue(f"{kind.__name__.lower()}_engine")
        yield engine
        left = engine.clean()
        engine.before |= left  # not the next test's fault
        assert not left, "left behind:\n" + "\n".join(sorted(left))
    return whole, clean


docker_engine, docker = engine_fixtures(Docker)
podman_engine, podman = engine_fixtures(Podman)
rootlesspodman_engine, rootless = engine_fixtures(RootlessPodman)
containerd_engine, containerd = engine_fixtures(Containerd)
