"""Debuggers inside: strace, ltrace, gdb and core files say the same as under runc."""

import pathlib

import pytest
from bundle import RUNTIME, edit_config

SOURCE = (pathlib.Path(__file__).parent / "debuggee.c").read_text()
LINES = SOURCE.splitlines()
BUILD = "cd /tmp && gcc -g -O0 -o p /p.c -lpthread && "
GDB = ("gdb -q -batch -nx -ex 'set pagination off' -ex 'set width 0' -ex 'set confirm off' "
       "-ex 'set debuginfod enabled off' ")
# What differs from run to run, and lines whose place among the others does.
PLAIN = (r"sed -E 's/0x[0-9a-f]+/ADDR/g; s/^#[0-9]+/#N/; s/(process|LWP|pid|Thread) [0-9]+/\1 N/g; s/[0-9]+ \(LWP/N (LWP/' | tr -s ' ' | "
         r"grep -Ev '^(\[New |\[Thread|\[Switching|\[Detaching|Using host lib|warning: |$)'")
SECONDS = 60


def line(text):
    """The number of the debuggee's line with this text."""
    return next(n for n, have in enumerate(LINES, 1) if text in have)


def prepare(bundle):
    (bundle / "rootfs/p.c").write_text(SOURCE)
    edit_config(bundle, lambda c: c["process"]["rlimits"].append(
        {"type": "RLIMIT_CORE", "hard": 1 << 30, "soft": 1 << 30}))


def gdb(commands, program="./p"):
    return BUILD + GDB + " ".join(f"-ex '{c}'" for c in commands) + f" {program} 2>&1 | {PLAIN}"


@pytest.fixture
def script(run_script):
    return lambda text, **options: run_script(text, prepare=prepare, timeout=SECONDS, **options)


def test_strace(script):
    """Arguments, results and exits of several processes; each process's calls in order."""
    script("cd /tmp && strace -ff -o log -e trace=execve,pipe,dup2,write,exit_group,openat "
           "sh -c 'echo one | cat; cat /nonexistent; exit 3'; echo $?; "
           r"for f in $(ls -v log.*); do sed -E 's/0x[0-9a-f]+/ADDR/g; s/si_[us]time=[0-9]+/T/g; "
           r"s/(si_pid=)[0-9]+/\1N/; /SIGCHLD/d' $f; echo --; done")


def test_strace_counts_and_filters(script):
    script("strace -f -qq --seccomp-bpf -e trace=openat -e status=failed cat /nonexistent 2>&1; "
           "strace -c -f true 2>&1 | awk '/execve|openat|exit_group/ { print $NF, $(NF-1) }' | sort; "
           "strace -e inject=getcwd:error=ENOENT pwd -P 2>&1 | grep getcwd | sed 's/ADDR/x/' | cut -d= -f2 | sort -u")


def test_strace_attach(script):
    """To a process with threads that is running, and away again: it goes on."""
    script(BUILD + "gcc -xc -o t - -lpthread <<'END' && ./t & p=$!; "
           r"while [ ! -e /tmp/up ]; do sleep 0.05; done; p=$(cat /tmp/up); "
           "strace -f -qq -o /tmp/log -p $p & s=$!; "
           "until [ $(grep -c nanosleep /tmp/log) -gt 20 ]; do sleep 0.1; done; "
           r"grep -h TracerPid /proc/$p/task/*/status | sed -E 's/[1-9][0-9]*/N/'; kill -INT $s; wait $s; "
           "grep -h TracerPid /proc/$p/task/*/status; awk '{ print $1 }' /tmp/log | sort -u | wc -l; kill $p\n"
           "#include <pthread.h>\n#include <stdio.h>\n#include <unistd.h>\n"
           "static void *run(void *a) { for (;;) usleep(1000); return a; }\n"
           "int main(void) { pthread_t t; FILE *f; pthread_create(&t, 0, run, 0);\n"
           " f = fopen(\"/tmp/up.new\", \"w\"); fprintf(f, \"%d\\n\", getpid()); fclose(f);\n"
           " rename(\"/tmp/up.new\", \"/tmp/up\"); run(0); }\nEND\n")


def test_ltrace(script):
    script(BUILD + "ltrace -o log ./p >out; cat out; grep -c printf log; tail -1 log")


def test_breakpoints_and_steps(script):
    script(gdb(["break middle", "run", "bt", "step", "next", "finish", "print counter", "info breakpoints",
                "delete", "tbreak leaf", "continue", "up", "print n", "x/4i middle", "info symbol $pc", "continue"]))


def test_watchpoints(script):
    """By debug registers, which the guest kernel emulates, and by steps of gdb's own."""
    script(gdb(["break middle", "run", "watch counter", "continue", "continue", "delete", "continue"]))
    script(gdb(["set can-use-hw-watchpoints 0", "break leaf", "run", "watch counter", "continue", "delete", "continue"]))


def test_threads(script):
    script(gdb([f"break debuggee.c:{line('all are there')}", f"break p.c:{line('all are there')}", "run t",
                "thread apply all -s bt -1", "set scheduler-locking on", "next", "print counter",
                "set scheduler-locking off", "catch syscall exit_group", "continue", "kill"]))


def test_forks_and_execs(script):
    script(gdb(["catch fork", "run fe", "catch exec", "continue", "info inferiors", "continue"]))
    script(gdb(["set follow-fork-mode child", f"break p.c:{line('the child')}", "run f", "bt 1", "continue"])
           + " | grep -v '^child'")  # the parent goes on by itself


def test_signals(script):
    script(gdb(["handle SIGSEGV stop", "run c", "bt", "print $_siginfo.si_signo", "continue"]))


def test_attach(script):
    """To a running process; it goes on after a detach, and with what was written into it."""
    script(BUILD + "(./p p >out & echo $! >pid); until grep -q 13 out; do sleep 0.1; done; p=$(cat pid); "
           + GDB + "-p $p -ex 'bt -1' -ex 'print counter' -ex 'set var counter = 1000' "
           "-ex 'break middle' -ex 'info breakpoints' -ex detach 2>&1 | grep -E 'main|counter|= |Breakpoint' | "
           "sed -E 's/0x[0-9a-f]+/ADDR/g; s/^#[0-9]+/#N/'; "
           "grep TracerPid /proc/$p/status; " + GDB + "-p $p -ex 'print counter' 2>&1 | grep =; kill $p; cat out")


@pytest.mark.skipif(RUNTIME == "runc", reason="known: Debian 12's gdb cannot write the registers of processors with AMX")
def test_calls_into_the_program(run):
    result = run("/bin/bash", "-c", gdb(["break leaf", "run", "print middle(100)", "set var $xmm3.v4_int32[1] = 77",
                                         "print $xmm3.v4_int32[1]", "print ratio * 2", "continue", "delete", "continue"]),
                 prepare=prepare, timeout=SECONDS)
    assert result.status == 0, str(result)
    assert "The program being debugged stopped while in a function called from GDB" in result.stdout, str(result)
    for text in ("$1 = 77\n", "$2 = 3\n", "exited normally"):
        assert text in result.stdout, str(result)


CORE = "-ex bt -ex 'print counter' -ex 'print $_siginfo._sifields._sigfault.si_addr' -ex 'thread apply all -s bt -1' "


def test_core_file(script):
    script(BUILD + "./p wc; echo $?; stat -c '%a %F' core; " + GDB + CORE + "./p core 2>&1 | " + PLAIN)
    script("cd /tmp; ulimit -c 0; sh -c 'kill -ABRT $$'; echo $?; ls; ulimit -c; cat /proc/self/coredump_filter")


def test_core_of_a_running_program(script):
    """gcore, and gdb's own command; the core files have every thread."""
    script(BUILD + GDB + f"-ex 'break p.c:{line('all are there')}' -ex 'run t' -ex 'generate-core-file made' ./p >/dev/null 2>&1; "
           + GDB + "-ex 'thread apply all -s bt -1' -ex 'print counter' ./p made 2>&1 | grep -E 'main|= ' | sed -E 's/0x[0-9a-f]+/ADDR/g; s/^#[0-9]+/#N/'; "
           "(./p p >out & echo $! >pid); until grep -q 13 out; do sleep 0.1; done; gcore -o of $(cat pid) >/dev/null 2>&1; "
           + GDB + "-ex 'bt -1' ./p of.* 2>&1 | grep -c main; kill $(cat pid)")
