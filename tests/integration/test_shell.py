"""bash: what scripts do all day."""

import pytest

CASES = {
    "hello": "echo hello; echo $0 $#",
    "status": "true && (exit 3); echo $?; false || echo no",
    "pipeline": "seq 1000 | grep 7 | sort -rn | head -5 | tr '\\n' ' '",
    "long-pipeline": "seq 100000 | cat | cat | cat | cat | wc -l | awk '{ print $1 * 2 }'",
    "pipestatus": "false | true | (exit 7); echo ${PIPESTATUS[@]}",
    "sigpipe": "yes | head -1; echo ${PIPESTATUS[@]}",
    "process-substitution": "diff <(seq 5) <(seq 4 8); echo $?; tee >(wc -c) </etc/debian_version | cat",
    "here-document": "x=4; cat <<END\na $((x * x)) b\nEND\nread -r a b <<<'one two'; echo $b",
    "command-substitution": "echo $(echo $(echo $(echo deep))) $(< /etc/debian_version)",
    "trap-exit": "trap 'echo bye' EXIT; echo working",
    "trap-signal": "trap 'echo got USR1' USR1; kill -USR1 $$; echo after",
    "trap-term": "bash -c 'trap \"echo term; exit 9\" TERM; (kill -TERM $$) & wait; wait; echo unreached'; echo $?",
    "background-wait": "(exit 4) & p=$!; wait $p; echo $?; sleep 0.05 & wait -n; echo $?",
    "job-kill": "sleep 100 & p=$!; kill $p; wait $p 2>/dev/null; echo $?",
    "stop-continue": "(while :; do sleep 0.1; done) & p=$!; kill -STOP $p; "
                     "while ! grep -q '^State:.T' /proc/$p/status; do sleep 0.02; done; "
                     "kill -CONT $p; kill -9 $p; wait $p 2>/dev/null; echo $?",
    "coproc": "coproc cat; echo ping >&${COPROC[1]}; read -r -u ${COPROC[0]} x; echo $x",
    "redirections": "cd /tmp; echo a >f; echo b >>f; cat f; ls none 2>&1; exec 5<f; read -u 5 l; echo $l; "
                    "set -C; echo c 2>/dev/null >f; echo $?",
    "globbing": "cd /usr/bin; echo z*; shopt -s globstar; cd /etc/apt; echo **",
    "arithmetic": "for ((i = 0, s = 0; i < 10000; i++)); do ((s += i)); done; echo $s",
    "functions": "f() { local n=$1; ((n < 2)) && echo 1 && return; echo $((n * $(f $((n - 1))))); }; f 6",
    "arrays": "declare -A m=([a]=1 [b]=2); for k in a b; do echo $k=${m[$k]}; done; x=({1..5}); echo ${x[@]:1:3}",
    "read-loop": "while IFS=: read -r name _ uid _; do echo $name $uid; done </etc/passwd",
    "fd-dup": "{ echo out; echo err >&2; } 2>&1 >/dev/null | sed 's/^/e:/'",
    "subshell-env": "export A=1; (A=2; echo $A; bash -c 'echo $A'); echo $A; env -i A=3 /usr/bin/env",
    "umask": "umask 027; cd /tmp; touch m; mkdir n; stat -c %a m n",
    "ulimit": "ulimit -n 77; ulimit -n; (ulimit -n 20; ulimit -n)",
    "exec": "exec echo replaced; echo unreached",
    "not-found": "nosuchcommand; echo $?; /etc/passwd; echo $?",
    "timeout": "timeout 0.2 sleep 10; echo $?",
    "dev-tcp-refused": "(echo >/dev/tcp/127.0.0.1/1) 2>/dev/null; echo $?",
    "dev-fd": "echo x | cat /dev/stdin; cat /dev/fd/3 3<<<y; echo z >/dev/stdout",
    "xargs": "seq 200 | xargs -n 10 -P 4 sh -c 'echo $#' -- | sort | uniq -c | tr -s ' '",
    "many-children": "for i in {1..200}; do /bin/true || echo bad; done; echo done",
    "script-file": "printf '#!/usr/bin/env bash\\necho script $1\\n' >/tmp/s; chmod +x /tmp/s; /tmp/s arg",
    "hostname": "hostname; cat /proc/sys/kernel/hostname; uname -s",
    "pid-1": "echo $$; sh -c 'echo $PPID'; ls /proc | grep -c '^1$'",
    "fifo": "mkfifo /tmp/p; (echo through >/tmp/p) & cat /tmp/p; wait",
    "orphan": "(sh -c 'sleep 0.2; echo late $(cut -d\" \" -f4 /proc/self/stat >/dev/null; echo ok)' &) ; sleep 0.5",
    "busybox": "busybox sh -c 'for i in 1 2 3; do echo $i; done | busybox wc -l'; busybox uname -m",
    "printf": "printf '%05d %x %s\\n' 42 255 str; printf -v v '%(%Y)T' 0; echo $v",
    "select-less": "less -F /etc/debian_version | cat",
}


@pytest.mark.parametrize("name", CASES)
def test_shell(run_script, name):
    run_script(CASES[name])


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_exit_status(run_both, status):
    assert run_both("/bin/sh", "-c", f"exit {status}").status == status


def test_killed_status(run_both):
    """Signals that have no handler do not reach pid 1 from inside: a child dies for it."""
    run_both("/bin/bash", "-c", "sh -c 'kill -SEGV $$'; exit $?")


def test_arguments_and_environment(run_both):
    result = run_both("/usr/bin/env", env=["B=two words", "EMPTY=", "U=\u00e4"], cwd="/tmp")
    assert "B=two words" in result.stdout


def test_missing_program(run):
    result = run("/no/such/program")
    assert result.status != 0
    assert "no such file or directory" in result.stderr.lower()
