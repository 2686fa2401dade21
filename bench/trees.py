"""Work on many files, in a container whose root has them already: what it takes, without the container's start."""

import pathlib
import subprocess

FILES = 10000
SOURCES = 30

# Makes what the work is done on, natively, once for each root file system. The tree has 100 folders.
PREPARE = f"""
cd /srv; mkdir tree c
python3 - <<'END'
import os
for i in range({FILES}):
    folder = "tree/d%02d" % (i % 100)
    os.makedirs(folder, exist_ok=True)
    with open("%s/f%05d" % (folder, i), "w") as out:
        out.write("%d\\n" % i * 50)
for i in range({SOURCES}):
    with open("c/f%d.c" % i, "w") as out:
        out.write("#include <stdio.h>\\n#include <stdlib.h>\\n#include <string.h>\\n#include <sys/socket.h>\\n")
        for k in range(60):
            out.write("int f%d_%d(int n, char *s) {{ for (int i = 0; i < n; i++) s[i] ^= (char)(n * %d); return printf(s, n) + (int)strlen(s); }}\\n" % (i, k, k))
with open("c/Makefile", "w") as out:
    out.write("all: $(patsubst %.c,%.o,$(wildcard *.c))\\n%.o: %.c\\n\\tgcc -O1 -c -o $@ $<\\nclean:\\n\\trm -f *.o\\n")
with open("configure", "w") as out:
    out.write("i=0; while [ $i -lt 40 ]; do echo '#include <stdio.h>' >conf.c; sed -n 1p conf.c | grep -q stdio || exit 1; "
              "x=`expr $i + 1`; cat conf.c | tr a-z A-Z >conf.h; rm -f conf.c conf.h; test -f /bin/sh && i=$x; done\\n")
END
tar cf tree.tar tree
cd tree; git init -q; git config gc.auto 0; git add .; git -c user.name=bench -c user.email=bench@example.com commit -q -m bench
"""

# name: (what is done before, what is timed)
WORK = {
    "find": ("cd /srv", "find tree -type f -size +0 | wc -l"),
    "du": ("cd /srv/tree", "du -cs d*"),
    "git_status": ("cd /srv/tree", "git status --short"),
    "tar_x": ("cd /srv; rm -rf x; mkdir x", "tar xf tree.tar -C x"),
    "rm_r": ("cd /srv; rm -rf x; mkdir x; tar xf tree.tar -C x", "rm -r x"),
    "compile": ("cd /srv/c; make -s clean", "make -s -j2"),
    "configure": ("cd /tmp", "sh /srv/configure"),
}
NAMES = tuple(WORK)
READING = ("find", "du", "git_status")


def prepare(root):
    """root: of a container that does not run."""
    if not pathlib.Path(root, "srv/tree").exists():
        subprocess.run(["chroot", root, "/bin/bash", "-ec", PREPARE], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       check=True, timeout=300)


def script(name):
    """A command that does the work and prints its milliseconds; what only reads does it once before, for the caches."""
    before, work = WORK[name]
    if name in READING:
        before += f"; {work} >/dev/null"
    return ["/bin/bash", "-ec", f"{before}; a=${{EPOCHREALTIME/./}}; {work} >/dev/null; b=${{EPOCHREALTIME/./}}; "
            "echo $(((b - a) / 1000)).$(printf %03d $(((b - a) % 1000)))"]
