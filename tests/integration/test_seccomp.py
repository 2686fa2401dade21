"""linux.seccomp of config.json: the same answers as under runc, from the guest's own kernel."""

import pytest
from bundle import edit_config
from seccomp_profile import profile, rule

# Prints the result of each call: its value, or its errno's name.
CALLS = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(nr, *args):
    ctypes.set_errno(0)
    result = libc.syscall(*(ctypes.c_long(x) for x in (nr, *args)))
    error = ctypes.get_errno()
    return errno.errorcode.get(error, error) if result == -1 else result
"""


def seccomp(section, **process):
    def prepare(bundle):
        def change(config):
            config["linux"]["seccomp"] = section
            config["process"].update(process)
        edit_config(bundle, change)
    return prepare


def python(run, script, section, **options):
    return run("/usr/bin/python3", "-c", CALLS + script, prepare=seccomp(section), **options)


def test_programs_run_under_the_default_profile(run_both):
    script = """set -e
        echo "$(seq 1 1000 | awk '{ s += $1 } END { print s }')"
        python3 -c 'import threading, subprocess, socket, multiprocessing
t = threading.Thread(target=print, args=("thread",)); t.start(); t.join()
print(subprocess.run(["echo", "child"], capture_output=True, check=True).stdout)
print(socket.socketpair()[0].type)
print(multiprocessing.Pool(2).map(abs, [-1, 2]))'
        grep -E '^(Seccomp|NoNewPrivs)' /proc/self/status
        perl -e 'print "perl\\n"'; tar cf - /etc/passwd 2>/dev/null | tar tf -
        sleep 0.01; ls -l /proc/self/exe | wc -l"""
    result = run_both("/bin/bash", "-c", script, prepare=seccomp(profile()))
    assert result.status == 0 and "Seccomp:\t2\nSeccomp_filters:\t1\n" in result.stdout


def test_what_the_default_profile_refuses(run_both):
    script = """
print("unshare", call(272, 0x10000000), "mount", call(165, 0, 0, 0, 0, 0), "ptrace", call(101, 0, 0, 0, 0))
print("clone3", call(435, 0, 0), "clone of namespaces", call(56, 0x10000000 | 17, 0, 0, 0, 0))
print("keyctl", call(250, 0, 0), "bpf", call(321, 0, 0, 0), "perf", call(298, 0, 0, 0, 0, 0))
print("personality", call(135, 0xffffffff), call(135, 4), call(135, 8), call(135, 8), call(135, 0xffff0008))
print("vsock", call(41, 40, 1, 0), "nothing", call(41, 9999, 1, 0))
print("newer", call(462), call(500), call(2000), "x32", call(0x40000000 + 39))
"""
    result = python(run_both, script, profile())
    assert "unshare EPERM mount EPERM ptrace EPERM" in result.stdout
    assert "clone3 ENOSYS clone of namespaces EPERM" in result.stdout
    assert "personality 0 EPERM 0 8 EPERM" in result.stdout
    assert "newer ENOSYS ENOSYS ENOSYS" in result.stdout


@pytest.mark.parametrize("op, allowed", [
    ("NE", "AAA.AAA"), ("LT", "AAA...."), ("LE", "AAAA..."), ("EQ", "...A..."), ("GE", "...AAAA"), ("GT", "....AAA")])
def test_comparisons(run_both, op, allowed):
    """With 64 bits; 0x500000005 lies between values that the lower half alone would order otherwise."""
    section = profile(rule(["getpriority"], "SCMP_ACT_ERRNO", [(2, 0x500000005, 0, "SCMP_CMP_" + op)], errnoRet=99),
                      default="SCMP_ACT_ALLOW")
    section["syscalls"] = section["syscalls"][-1:]
    script = """
print("".join("A" if call(140, 0, 0, v) == 99 or call(140, 0, 0, v) == "EADDRNOTAVAIL" else "." for v in
    (0, 6, 0x500000004, 0x500000005, 0x500000006, 0x600000000, -1)))
"""
    assert python(run_both, script, section).stdout == allowed + "\n"


def test_conditions_of_one_rule(run_both):
    """On different arguments all have to hold, on one and the same any of them will do."""
    section = profile(
        rule(["getpriority"], "SCMP_ACT_ERRNO", [(2, 1, 0, "SCMP_CMP_EQ"), (3, 2, 0, "SCMP_CMP_EQ")], errnoRet=70),
        rule(["getsid"], "SCMP_ACT_ERRNO", [(1, 1, 0, "SCMP_CMP_EQ"), (1, 2, 0, "SCMP_CMP_EQ")], errnoRet=71),
        rule(["getpgid"], "SCMP_ACT_ERRNO", [(1, 0xf0, 0x30, "SCMP_CMP_MASKED_EQ")]), default="SCMP_ACT_ALLOW")
    section["syscalls"] = section["syscalls"][-3:]
    script = """
print(call(140, 0, 0, 1, 2), call(140, 0, 0, 1, 3) > 0, call(140, 0, 0, 0, 2) > 0)
print([call(124, 0, n) for n in (0, 1, 2)][1:], [call(121, 0, n) == "EPERM" for n in (0x30, 0x3f, 0x133, 0x40)])
"""
    result = python(run_both, script, section)
    assert result.stdout == "ECOMM True True\n['EPROTO', 'EPROTO'] [True, True, True, False]\n"


@pytest.mark.parametrize("action, status", [("SCMP_ACT_KILL", 159), ("SCMP_ACT_KILL_THREAD", 159),
                                            ("SCMP_ACT_KILL_PROCESS", 159), ("SCMP_ACT_TRAP", 159),
                                            ("SCMP_ACT_LOG", 0), ("SCMP_ACT_ALLOW", 0), ("SCMP_ACT_TRACE", 0)])
def test_actions(run_both, action, status):
    number = {"errnoRet": 7} if action in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE") else {}
    section = profile(rule(["getsid"], action, **number), default="SCMP_ACT_ALLOW")
    section["syscalls"] = section["syscalls"][-1:]
    result = python(run_both, "print('before', flush=True); print(call(124, 0))", section)
    assert result.status == status and result.stdout.startswith("before\n"), str(result)


def test_default_actions(run_both):
    section = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 95,
               "syscalls": [rule(["getsid"], "SCMP_ACT_ERRNO", errnoRet=33)] + profile()["syscalls"][:1]}
    section["syscalls"][1]["names"].append("clone")
    del section["syscalls"][0]["args"]
    result = python(run_both, "print(call(435), call(165), call(124, 0), call(450))", section)
    assert result.status == 0


def test_no_new_privileges(run_both):
    """Then the filter needs no CAP_SYS_ADMIN to be attached; nor does it otherwise: runc attaches it early."""
    for value in (False, True):
        result = run_both("/bin/grep", "-E", "Seccomp|NoNewPrivs", "/proc/self/status", uid=1000, gid=1000,
                          prepare=seccomp(profile(), noNewPrivileges=value))
        assert f"NoNewPrivs:\t{value:d}\nSeccomp:\t2" in result.stdout


def test_a_program_adds_its_own(run_both):
    """What the container's filter refuses stays refused, and children have both."""
    script = """
import os, struct
code = (ctypes.c_char * 32).from_buffer_copy(struct.pack("<" + "HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, 110, 6, 0, 0,
    0x50000 + 13, 6, 0, 0, 0x7fff0000))
prog = ctypes.create_string_buffer(struct.pack("<H6xQ", 4, ctypes.addressof(code)))
print(call(157, 38, 1, 0, 0, 0), call(317, 1, 0, ctypes.addressof(prog)), call(110), call(165, 0, 0, 0, 0, 0), flush=True)
os.execv("/bin/sh", ["sh", "-c", "grep Seccomp_filters /proc/self/status"])
"""
    result = python(run_both, script, profile())
    assert result.stdout == "0 0 EACCES EPERM\nSeccomp_filters:\t2\n"


@pytest.mark.parametrize("change, message", [
    ({"listenerPath": "/run/x.sock"}, "linux.seccomp.listenerPath: not supported"),
    ({"defaultAction": "SCMP_ACT_MAYBE"}, "linux.seccomp.defaultAction: unknown action 'SCMP_ACT_MAYBE'"),
    ({"defaultAction": "SCMP_ACT_NOTIFY"}, "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY is not supported"),
    ({"architectures": ["SCMP_ARCH_VAX"]}, "linux.seccomp.architectures[0]: unknown architecture 'SCMP_ARCH_VAX'"),
    ({"flags": ["X"]}, "linux.seccomp.flags[0]: unknown flag 'X'"),
    ({"syscalls": [rule(["read"], "ALLOW")]}, "linux.seccomp.syscalls[0].action: unknown action 'ALLOW'"),
    ({"syscalls": [rule(["read"], args=[(6, 0, 0, "SCMP_CMP_EQ")])]}, "linux.seccomp.syscalls[0].args[0].index"),
    ({"syscalls": [rule(["read"], args=[(0, 0, 0, "EQ")])]}, "linux.seccomp.syscalls[0].args[0].op: unknown"),
])
def test_what_is_wrong_is_named(run, change, message):
    section = {"defaultAction": "SCMP_ACT_ALLOW", **change}
    result = run("/bin/true", prepare=seccomp(section))
    assert result.status == 1 and message in result.stderr, str(result)
