"""coreutils, findutils, tar and dpkg over a large tree: /usr itself."""

import pytest

CASES = {
    "find": "cd /usr; find . -xdev | LC_ALL=C sort | sha256sum",
    "find-size": "find /usr/bin -type f -size +100k -perm -u+x -printf '%f %s %m\\n' | sort",
    "find-links": "find /usr /etc -xdev -type l -printf '%p %l\\n' | sort | sha256sum",
    "sort": "find /usr -type f | sort -r | sort -u | md5sum; seq 200000 | sort -R | sort -n | sha1sum",
    "sort-parallel": "seq 300000 | sort -S 1M --parallel=4 -T /tmp -rn | sha1sum; ls /tmp | wc -l",
    "sha256sum": "cd /usr/bin && sha256sum [a-m]* | sha256sum",
    "cp": "cp -a /usr/lib/python3* /tmp/ && cd /tmp && diff -r /usr/lib/python3 python3 && "
          "find . ! -type d -printf '%p %m %U %G %s %n\\n' | sort | sha256sum",
    "tar-gzip": "cd /usr/share && tar cf - perl* python3* 2>/dev/null | gzip -1 >/tmp/t.gz && mkdir /tmp/x && "
                "tar xzf /tmp/t.gz -C /tmp/x && (cd /tmp/x && find . -type f | sort | xargs -d '\\n' sha1sum) | sha1sum",
    "rm": "cp -r /usr/lib/python3* /tmp/; rm -r /tmp/python3*; ls -A /tmp | wc -l",
    "du": "mkdir /tmp/d; cd /tmp/d; for i in {1..50}; do head -c ${i}000 /dev/zero >f$i; done; du -b --apparent-size . | tail -1; rm f?; ls | wc -l",
    "ls": "ls -l --time-style=+ /etc | grep -v ' 4096 '; ls -i /etc/passwd | wc -w; ls -R /etc | wc -l",
    "links": "cd /tmp; echo x >a; ln a b; ln -s a c; stat -c '%h %F' a b c; readlink c; rm a; cat b; cat c; echo $?",
    "chmod-chown": "cd /tmp; touch f; chmod 4751 f; chown 12:34 f; stat -c '%a %u %g' f; chmod u+s,g-x f; stat -c %A f",
    "touch": "cd /tmp; touch -d '2001-02-03 04:05:06.789 UTC' f; TZ=UTC stat -c '%y' f; touch -r f g; [ f -nt g ]; echo $?",
    "dd": "dd if=/dev/zero of=/tmp/f bs=4k count=1000 conv=fsync status=none; dd if=/tmp/f bs=1 count=5000 status=none | wc -c; "
          "dd if=/dev/zero of=/tmp/s bs=1 seek=1M count=1 status=none; stat -c %s /tmp/s",
    "truncate": "cd /tmp; truncate -s 10M f; stat -c '%s %b' f; fallocate -l 1M g; stat -c %s g; truncate -s 5 g; od -c g",
    "split-cat": "seq 50000 >/tmp/f; cd /tmp; split -l 999 f part; cat part* | cmp - f && ls part* | wc -l",
    "mv": "cd /tmp; mkdir -p a/b c; echo 1 >a/b/f; mv a c/; find c | sort; mv -n c/a/b/f /dev/shm/f; cat /dev/shm/f",
    "tail-follow": "cd /tmp; touch f; tail -s 0.05 -f f & p=$!; for i in 1 2 3; do echo $i; sleep 0.1; done >>f; "
                   "sleep 0.3; kill $p; wait $p; echo $?",
    "df": "df --output=target /proc /dev /dev/shm | tail -n +2",
    "mktemp": "d=$(mktemp -d); f=$(mktemp -p $d); stat -c '%a %F' $d $f",
    "shuf-comm-join": "seq 10 >/tmp/a; seq 5 15 >/tmp/b; comm -12 <(sort /tmp/a) <(sort /tmp/b); join <(sort /tmp/a) <(sort /tmp/b) | wc -l",
    "sed-in-place": "cp /etc/passwd /tmp/p; sed -i 's/root/toor/g' /tmp/p; grep -c toor /tmp/p; stat -c '%a' /tmp/p",
    "awk": "awk -F: '{ s += $3 } END { print s, NR }' /etc/passwd; echo 'a b' | gawk '{ print toupper($2) | \"cat\" }'",
    "install": "install -D -m 751 -o 5 -g 6 /etc/passwd /tmp/q/w/e; stat -c '%a %u %g' /tmp/q/w/e",
    "file": "file -b /bin/busybox | cut -d, -f1; file -b /etc/passwd",
    "vim": "echo 'a b c' >/tmp/v; vim.tiny -u NONE -es -c 's/b/X/' -c wq /tmp/v </dev/null; cat /tmp/v",
    "dpkg-l": "dpkg -l | sha256sum; dpkg -l | wc -l",
    "dpkg-S": "dpkg -S /bin/bash; dpkg -L coreutils | wc -l; dpkg --verify coreutils | grep -v /usr/share; echo $?",
    "id": "id; id tester; su tester -c 'id -u; whoami; cat /etc/shadow 2>&1'; echo $?",
    "nproc": "nproc; getconf PAGE_SIZE; arch",
    "date": "date -u -d @1000000000; TZ=Europe/Berlin date -d @0 +%H 2>/dev/null",
    "env": "env -i /usr/bin/printenv; echo $?; nice -n 5 nice; nohup echo x 2>/dev/null",
    "null-zero-full": "head -c 5 /dev/zero | od -An -c; echo x >/dev/full; echo $?; wc -c </dev/null; head -c 9 /dev/urandom | wc -c",
    "ps": "ps -eo ppid,comm --no-headers | head -2 | tr -s ' '; pgrep -c bash; ps -o comm= -p $$",
    "free": "free | head -2 | tail -1 | cut -d: -f1; uptime >/dev/null; echo $?; vmstat | wc -l",
    "mount": "grep -c . /proc/self/mountinfo >/dev/null; awk '$5 == \"/\" || $5 == \"/proc\" { print $5 }' /proc/self/mountinfo | sort",
}


@pytest.mark.parametrize("name", CASES)
def test_coreutils(run_script, name):
    run_script(CASES[name], timeout=120)
