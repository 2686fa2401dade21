"""CPython's own tests, each with its outcome: what fails or is skipped under runc does so here, and nothing else."""

import pytest
from marks import software

# One line for each test: its name and what became of it.
REGRTEST = r"""
cd /tmp; timeout -k 5 %(seconds)d python3 -m test -j1 -v --timeout %(seconds)d --junit-xml /tmp/result.xml %(module)s >/tmp/log 2>&1
echo "regrtest: status $?"
python3 - <<'END'
import os, xml.etree.ElementTree as tree
if not os.path.exists('/tmp/result.xml'):
    raise SystemExit(os.write(2, open('/tmp/log', 'rb').read()[-6000:]) and 1)
found = {}
for case in tree.parse('/tmp/result.xml').iter('testcase'):
    outcome = next((child.tag for child in case if child.tag in ('error', 'failure', 'skipped')), 'run')
    found[case.get('name')] = outcome
    if outcome in ('error', 'failure'):
        os.write(2, f"{case.get('name')}: {''.join(case.itertext())[-1500:]}\n".encode())
for name in sorted(found):
    print(name, found[name])
END
"""
QUICK = "test_os test_posix test_mmap test_epoll test_gc test_resource test_tempfile".split()
MODULES = """
test_asyncio test_asyncore test_bz2 test_cmd_line test_concurrent_futures test_dbm test_eintr test_faulthandler test_file
test_fileinput test_fileio test_fork1 test_ftplib test_fcntl test_functools test_getpass test_glob test_grp test_hashlib test_httpservers
test_import test_io test_largefile test_locale test_logging test_lzma test_mailbox test_multiprocessing_fork
test_multiprocessing_forkserver test_multiprocessing_spawn test_netrc test_openpty test_pathlib test_pickle test_pipes
test_platform test_poll test_popen test_posixpath test_pty test_pwd test_queue test_random test_regrtest
test_sched test_select test_selectors test_shelve test_shutil test_signal test_site test_smtplib test_socket test_spwd test_ssl
test_stat test_statistics test_subprocess test_support test_sys test_sysconfig test_syslog test_tarfile test_telnetlib
test_thread test_threadedtempfile test_threading test_threadsignals test_time test_tracemalloc
test_urllib test_urllib2 test_urllib2_localnet test_uuid test_venv test_wait3 test_wait4 test_weakref test_xmlrpc test_zipfile
test_zlib
""".split() + ["-u network test_socketserver"]
AS_USER = "test_os test_posix test_pty test_resource test_shutil test_subprocess test_tempfile".split()


def outcomes(result):
    """{a test's name: outcome}"""
    return dict(line.rsplit(" ", 1) for line in result.stdout.splitlines())


def compare(run, module, seconds, **options):
    script = REGRTEST % {"module": module, "seconds": seconds}
    there = run("/bin/bash", "-c", script, runtime="runc", timeout=seconds + 30, **options)
    here = run("/bin/bash", "-c", script, timeout=seconds + 30, **options)
    expected, actual = outcomes(there), outcomes(here)
    assert len(expected) > 1, f"runc: {there}"
    differs = {name: (expected.get(name), actual.get(name)) for name in sorted({*expected, *actual})
               if expected.get(name) != actual.get(name)}
    assert not differs, f"as (runc, here): {differs}\n{here}"


@software("python3", layer="core")
@pytest.mark.parametrize("module", QUICK)
def test_quick(run, module):
    """Modules of libpython3.11-testsuite, as root"""
    compare(run, module, 100)


@software("python3", layer="python")
@pytest.mark.parametrize("module", MODULES)
def test_module(run, module):
    """Modules of libpython3.11-testsuite, as root"""
    compare(run, module, 600)


@software("python3", layer="python")
@pytest.mark.parametrize("module", AS_USER)
def test_module_as_user(run, module):
    """Modules of libpython3.11-testsuite, as an ordinary user"""
    compare(run, module, 600, uid=1000, gid=1000)
