from marks import software

BUILD = r"""
mkdir -p /tmp/b/src; cd /tmp/b
python3 - <<'END'
for i in range(50):
    open(f"src/f{i}.cc" if i % 2 else f"src/f{i}.c", "w").write(f'#include "all.h"\n' + ("#include <map>\n#include <string>\n" if i % 2 else "#include <stdio.h>\n#include <math.h>\n") +
        f"int f{i}(int x) {{ " + (f"std::map<int, std::string> m; for (int j = 0; j < x; j++) m[j % 7] += char('a' + j % 26); return m.size() * {i} + f{(i + 1) % 50 if i < 49 else 48}(x - 1) * (x > 1);" if i % 2 and i < 49
        else f"return x * {i};") + " }\n")
open("src/all.h", "w").write("#ifdef __cplusplus\nextern \"C\" {\n#endif\n" + "".join(f"int f{i}(int);\n" for i in range(50)) + "#ifdef __cplusplus\n}\n#endif\n")
open("src/main.c", "w").write('#include <stdio.h>\n#include "all.h"\nint main(void) { long n = 0; ' + " ".join(f"n += f{i}({i % 5});" for i in range(50)) + ' printf("%ld\\n", n); return 0; }\n')
open("src/Makefile", "w").write("objects := $(patsubst %.c,%.o,$(wildcard *.c)) $(patsubst %.cc,%.o,$(wildcard *.cc))\nall: p\np: $(objects)\n\tg++ -o $@ $(sort $^) -lm\n%.o: %.c all.h\n\tgcc -O1 -c -o $@ $<\n%.o: %.cc all.h\n\tg++ -O1 -c -o $@ $<\n")
open("src/CMakeLists.txt", "w").write("cmake_minimum_required(VERSION 3.18)\nproject(p C CXX)\nfile(GLOB s *.c *.cc)\nadd_library(l SHARED f0.c)\nadd_executable(p ${s})\nenable_testing()\nadd_test(runs p)\n")
END
sum() { sha256sum <"$1" | cut -c1-16; }
make -s -C src -j2 2>&1; src/p; sum src/p; make -C src -j2 | grep -v directory; touch src/f3.cc; make -C src -j2 | grep -c '^g++'
sum src/p
cp -r src ninja; rm ninja/*.o ninja/p
cmake -S ninja -B out -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null && ninja -C out -j2 -v >log || tail log; out/p; sum out/p
ninja -C out; touch ninja/f3.cc; ninja -n -C out | grep -c Building; ctest --test-dir out 2>&1 | grep 'tests passed'
cmake -S ninja -B out2 -DCMAKE_BUILD_TYPE=Debug >/dev/null && cmake --build out2 -j2 >/dev/null && out2/p
cmake --build out2 | grep -c Built; cd src; find . | LC_ALL=C sort | md5sum
"""

GIT = r"""
export GIT_AUTHOR_DATE='2001-01-01T00:00:00Z' GIT_COMMITTER_DATE='2001-01-01T00:00:00Z'
git config --global user.name N; git config --global user.email e@example.com; git config --global init.defaultBranch main
git config --global advice.detachedHead false
mkdir /tmp/r; cd /tmp/r; git init -q
python3 - <<'END'
import os
for i in range(10000):
    d = f"d{i % 97}/s{i % 11}"; os.makedirs(d, exist_ok=True); open(f"{d}/f{i}", "w").write("".join(f"line {j * i % 1000}\n" for j in range(20)))
END
git add . && git commit -q -m first; git rev-parse HEAD; git status --short | wc -l; git ls-files | wc -l
for i in $(seq 0 97 9999); do echo more >>d$((i % 97))/s$((i % 11))/f$i; done; rm -r d5; echo new >d6/new
git status --short | cut -c1-2 | sort | uniq -c; git diff --stat | tail -1; git add -A; git commit -q -m second
git rev-parse HEAD^{tree}
git grep -c 'line 777' | wc -l; git grep -n --threads=4 'more' | md5sum; git log --stat --oneline | md5sum; git gc -q
git count-objects -v | grep -E '^(count|in-pack|packs)'; git fsck --full 2>&1 | grep -v '^Checking\|dangling'
git clone -q . /tmp/c; git clone -q --no-local --depth 1 file:///tmp/r /tmp/s; git -C /tmp/s ls-files | wc -l
diff -r -x .git /tmp/r /tmp/c && echo same
cd /tmp/c; git checkout -q -b side HEAD~1; echo side >d1/side; git add .; git commit -q -m side; git rebase -q main
git log --oneline | wc -l; git stash list; git mv d1 moved; git commit -q -m moved; git show --stat -M | tail -1
git push -q origin side; git -C /tmp/r merge -q side; git -C /tmp/r status --short | wc -l; git worktree add -q /tmp/w main
ls /tmp/w | wc -l; git bundle create -q /tmp/bundle --all; git bundle verify -q /tmp/bundle; echo $?
git daemon --export-all --base-path=/tmp --listen=127.0.0.1 --port=9418 --reuseaddr --detach --pid-file=/tmp/pid
git clone -q git://127.0.0.1/r /tmp/n && diff -r -x .git /tmp/n /tmp/r && echo same; kill $(cat /tmp/pid)
"""


@software("cmake", layer="tools")
def test_builds(same_apart):
    """50 files in C and C++ by make, CMake and ninja with -j2: the same binary, nothing to do the second time, ctest"""
    same_apart(BUILD, timeout=300)


@software("git", layer="tools")
def test_git(same_apart):
    """10,000 files: status, commit, grep with threads, gc, fsck, clones of three kinds, rebase, push, bundle, worktree"""
    same_apart(GIT, timeout=240)
