"""Every guest test, dynamic and static: natively first, then in a container."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
from bundle import BUILD, RUNTIME

PROGRAMS = sorted(path.stem for path in pathlib.Path(__file__).parent.glob("*.c")
                  if path.stem not in ("helper", "kvm_nothing") and not path.stem.startswith("stress_"))
VARIANTS = ["", "-static"]
SECONDS = float(os.environ.get("CALLGATE_TEST_TIMEOUT", "30"))


@pytest.mark.parametrize("variant", VARIANTS, ids=["dynamic", "static"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_native(program, variant):
    """A test that fails on the host's own kernel says nothing about ours."""
    place = tempfile.mkdtemp(prefix="callgate-native-", dir="/var/tmp")
    try:
        done = subprocess.run([str(BUILD / "tests/guest" / (program + variant))], cwd=place,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=SECONDS, check=False)
    finally:
        shutil.rmtree(place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("variant", VARIANTS, ids=["dynamic", "static"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_guest(run, scratch, program, variant):
    # overlayfs of the Linux 6.1 that the kvm machine is tested on has neither O_TMPFILE nor RWF_APPEND
    plain = [("/var/tmp", "bind", str(scratch), ["bind", "rw"])] if os.environ.get("CALLGATE_MACHINE") == "kvm" else []
    # the host schedules threads on pv, and is not told of their masks
    env = ["AFFINITY=reported"] if program == "affinity" and RUNTIME != "runc" and not plain else []
    result = run("/t/" + program + variant, cwd="/var/tmp", mounts=plain, env=env, timeout=SECONDS)
    assert (result.status, result.stdout) == (0, ""), str(result)


@pytest.mark.skipif(RUNTIME == "runc", reason="known: runc rewrites nothing")
@pytest.mark.parametrize("variant", VARIANTS, ids=["dynamic", "static"])
def test_sites_at_page_borders(run, variant):
    """Whatever lies in one page is rewritten, an instruction in two is not."""
    assert run("/t/patch_page" + variant, "show").stdout == "1 0 1\n"


@pytest.mark.skipif(RUNTIME == "runc", reason="known: runc rewrites nothing")
@pytest.mark.parametrize("variant", VARIANTS, ids=["dynamic", "static"])
def test_sites_of_a_family(run, variant):
    """What each child calls once, what is relative to rip, and what two threads use at a time are rewritten all the same."""
    assert run("/t/patch_family" + variant, "show").stdout == "1 1 1 1\n"


@pytest.mark.skipif(RUNTIME == "runc", reason="known: runc rewrites nothing")
@pytest.mark.parametrize("variant", VARIANTS, ids=["dynamic", "static"])
def test_text_with_sites_rewritten(run, variant):
    """A program that is executed again and again finds its call sites rewritten before it makes a call."""
    assert run("/t/text_copies" + variant, "show", cwd="/var/tmp").stdout == "rewritten\n"


@pytest.mark.skipif(RUNTIME == "runc", reason="known: runc rewrites nothing")
@pytest.mark.parametrize("variant", VARIANTS, ids=["dynamic", "static"])
def test_cpuid_rewritten(run, variant):
    """Of a static program: what can move, and nothing else. Of a dynamic one none is looked for but in its interpreter."""
    assert run("/t/cpuid" + variant, "show").stdout == ("1 1 1 1 1 0 0 0 0 0\n" if variant else "0 0 0 0 0 0 0 0 0 0\n")
