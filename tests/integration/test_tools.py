"""perl, gcc and git."""

import pytest

C_PROGRAM = r"""
cat >/tmp/p.c <<'END'
#include <math.h>
#include <pthread.h>
#include <stdio.h>
static void *f(void *x) { *(double *)x = sqrt(*(double *)x); return x; }
int main(int argc, char **argv)
{
	double d = 2;
	pthread_t t;
	pthread_create(&t, 0, f, &d);
	pthread_join(t, 0);
	printf("%d %s %.6f\n", argc, argv[1], d);
	return 11;
}
END
cd /tmp
"""
GIT = r"""
export GIT_AUTHOR_DATE='2001-01-01T00:00:00Z' GIT_COMMITTER_DATE='2001-01-01T00:00:00Z'
git config --global user.name N; git config --global user.email e@example.com
git config --global init.defaultBranch main; git config --global advice.detachedHead false
cd /tmp && git init -q r && cd r
for i in $(seq 200); do mkdir -p d$((i % 7)); seq $i >d$((i % 7))/f$i; done
git add . && git commit -q -m first && echo more >>d1/f1 && git commit -qam second
"""

CASES = {
    "perl-text": "perl -ne 'print if /ro+t/' /etc/passwd; perl -e 'print join \",\", map { $_ ** 2 } 1..10'; "
                 "echo abc | perl -pe 's/b/B/'",
    "perl-fork": "perl -e 'for (1..5) { if (!fork) { exit $_ } } my $s = 0; while (wait != -1) { $s += $? >> 8 } print $s'",
    "perl-pipe": "perl -e 'open P, \"-|\", \"seq 100\"; my $n; $n += $_ for <P>; print $n; close P; "
                 "print `echo sub`; $SIG{ALRM} = sub { print \"alarm\\n\"; exit }; alarm 1; select undef, undef, undef, 9'",
    "perl-socket": "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Listen => 1, LocalAddr => \"127.0.0.1\"); "
                   "$c = IO::Socket::INET->new(PeerAddr => \"127.0.0.1\", PeerPort => $s->sockport); $a = $s->accept; "
                   "print $c \"hi\\n\"; $c->flush; print scalar <$a>'",
    "perl-find": "perl -MFile::Find -MDigest::MD5=md5_hex -e 'find(sub { push @n, $File::Find::name }, \"/usr/lib/python3\"); "
                 "print scalar(@n), md5_hex(join \",\", sort @n)'",
    "gcc": C_PROGRAM + "gcc -O2 -Wall -o p p.c -lm -pthread && ./p arg; echo $?",
    "gcc-static": C_PROGRAM + "gcc -O2 -static -o p p.c -lm -pthread && ./p arg; echo $?",
    "gcc-no-pie": C_PROGRAM + "gcc -no-pie -o p p.c -lm -pthread && ./p arg; echo $?",
    "gcc-error": "echo 'int main(void) { return x; }' >/tmp/e.c; gcc /tmp/e.c -o /tmp/e 2>&1 | grep -c undeclared",
    "make": C_PROGRAM + "printf 'all: p q\\n%%: p.c\\n\\tgcc -o $@ $< -lm -pthread\\n' >Makefile; "
            "make -s -j4 && ./p one; ./q two; make",
    "shared-library": "cd /tmp; echo 'int f(void) { return 5; }' >l.c; echo 'int f(void); int main(void) { return f(); }' >m.c; "
                      "gcc -shared -fPIC -o libl.so l.c && gcc -o m m.c -L. -ll -Wl,-rpath,/tmp && ./m; echo $?; ldd ./m | grep -c libl",
    "git-log": GIT + "git log --stat | cat; git status --short | wc -l; git rev-parse HEAD",
    "git-clone": GIT + "git clone -q /tmp/r /tmp/c && cd /tmp/c && git log --oneline | cat; diff -r -x .git /tmp/r /tmp/c && echo same",
    "git-clone-no-local": GIT + "git clone -q --no-local /tmp/r /tmp/c && git -C /tmp/c rev-parse HEAD; "
                          "git -C /tmp/c fsck 2>&1 | grep -v '^Checking'; echo $?",
    "git-branch-merge": GIT + "git checkout -q -b side HEAD~1 && echo s >s && git add s && git commit -qm side && "
                        "git checkout -q main && git merge -q --no-edit side && git diff --stat HEAD~1 | cat; git gc -q; "
                        "git count-objects -v | grep -E '^(count|packs)'",
    "git-bisect-run": GIT + "git log -p --reverse | sha1sum; git grep -c 199 | wc -l; git archive HEAD | tar t | wc -l",
}


@pytest.mark.parametrize("name", CASES)
def test_tools(run_script, name):
    run_script(CASES[name], timeout=60)
