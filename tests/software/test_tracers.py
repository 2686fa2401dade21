"""gdb and strace: what they say of programs is the same of both, but for addresses and numbers of processes."""

from bundle import edit_config
from marks import software

PROGRAM = r"""
cat >/tmp/list.c <<'END'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct node { struct node *next; int value; char name[8]; };
static struct node *head;
static volatile int steps;

static int sum(struct node *n) {
	int all = 0;
	for (int i = 0; i < 4; i++, n = n->next)
		all += n->value;
	return all;
}
static void *worker(void *arg) {
	while (steps < *(int *)arg)
		usleep(1000), steps++;
	printf("%d\n", sum(head));
	return NULL;
}
int main(int argc, char **argv) {
	int limit = 5;
	pthread_t t;
	for (int i = 0; i < 3 + (argc > 1); i++) {
		struct node *n = malloc(sizeof(*n));
		*n = (struct node){ head, i * 10, "node" };
		head = n;
	}
	pthread_create(&t, NULL, worker, &limit);
	pthread_join(t, NULL);
	return 7;
}
END
cd /tmp; gcc -g -O1 -fno-inline -o list list.c -lpthread
plain() { sed -E 's/0x[0-9a-f]+/ADDR/g; s/^(#|\* |  )[0-9]+ +/\1/; s/(process|LWP|Thread) [0-9A-Z]+/\1 N/g; s/[0-9]+ \(LWP/N (LWP/; s/\[Inferior 1 .*exited/exited/' |
	tr -s ' ' | grep -Ev '^(\[New |\[Thread|\[Switching|\[Detaching|Using host lib|Downloading|warning: |Core was|$)'; }
g() { gdb -q -batch -nx -iex 'set debuginfod enabled off' -ex 'set width 0' -ex 'set confirm off' "$@" 2>&1 | plain; }
"""

GDB = PROGRAM + r"""
g -ex run -ex 'bt -frame-arguments scalars' -ex 'print i' -ex 'print $_siginfo._sifields._sigfault.si_addr' -ex 'x/i $pc' -ex 'print *head' -ex 'print head->next->next->next' \
	-ex 'up' -ex 'list' -ex 'info locals' -ex 'thread apply all -s bt -1' -ex 'python print(gdb.selected_inferior().num, len(gdb.selected_inferior().threads()))' ./list
./list; echo $?; g -ex bt -ex 'print *head' -ex 'print steps' -ex 'thread apply all -s bt -1' -ex 'info auxv' ./list core | grep -vE 'AT_|[?][?][?]'
g -ex 'break sum' -ex 'run more' -ex 'watch all' -ex continue -ex continue -ex delete -ex finish -ex 'set var $r = $' -ex 'print $r' -ex continue ./list
g -ex 'break sum if steps == 5' -ex 'tbreak main' -ex 'run more' -ex 'next' -ex 'step' -ex 'continue' -ex 'set var n = n->next' -ex 'catch syscall exit_group' -ex continue -ex 'print (int)$rdi' -ex kill ./list | grep -v SIGSEGV
"""

STRACE = PROGRAM + r"""
p() { sed -E 's/0x[0-9a-f]+/ADDR/g; s/\[?pid +[0-9]+\]? *//; s/(si_pid|tgid|ptid|parent_tid|child_tid)=[^],}]+/\1=N/g; s/[0-9]{2,}( resumed|\) += )/N\1/; s/(<[0-9.]+>|[0-9]{2,5}\])//g; s/= [0-9]{2,}$/= N/' | tr -s ' '; }
strace -f -qq -e trace=openat,read,write,execve -e signal=all ./list 2>&1 >/dev/null | p | sed -E 's/(exit|killed).*//; s/\\[0-7x]+//g; s/"[^"]{40,}"\.*/BLOB/' | tail -n 8
strace -f -qq -e trace=clone3,exit,exit_group -e signal=none ./list more 2>&1 >/dev/null | p | sort
strace -qq -f -y -e trace=dup2,close -e quiet=all sh -c 'echo one >/tmp/one; cat /tmp/one | wc -c' 2>&1 | grep -cE '/tmp/one|pipe:'
strace -qq -e inject=openat:error=EMFILE:when=3+ -e trace=none head -n 1 /etc/passwd; echo $?
strace -qq -e inject=write:retval=3:when=1 -e trace=none echo lost; strace -qq -e inject=getpid:signal=TERM -e trace=none sh -c 'echo $$ >/dev/null; kill -0 $$'; echo $?
strace -c -S calls -f ./list more 2>&1 | awk '/clone3|exit_group/ { print $4, $NF }'; strace -e trace=%memory -qq true 2>&1 | cut -d'(' -f1 | sort -u
strace --seccomp-bpf -f -qq -e trace=unlink,unlinkat sh -c 'touch /tmp/x; rm /tmp/x' 2>&1 | p
sleep 1000 & s=$!; strace -qq -o log -p $s & t=$!; until grep -q TracerPid:.$t /proc/$s/status; do sleep 0.05; done; kill -TERM $s; wait $s; echo $?; wait $t; p <log | tail -n 2
"""


def prepare(bundle):
    edit_config(bundle, lambda c: c["process"]["rlimits"].append({"type": "RLIMIT_CORE", "hard": 1 << 30, "soft": 1 << 30}))


@software("gdb", layer="tools")
def test_gdb(same):
    """A program with threads that crashes: run, backtraces, its list and siginfo, Python; its core file; break, watch, finish, changed variables"""
    same(GDB, prepare=prepare)


@software("strace", layer="tools")
def test_strace(same):
    """A crash, threads, pipes by name, injected errors, results and signals, counts, filters of seccomp, attach to a process that is then ended"""
    same(STRACE, prepare=prepare)
