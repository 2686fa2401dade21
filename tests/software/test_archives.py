from marks import software

FILES = r"""
mkdir -p /tmp/d/sub /tmp/o; cd /tmp/d
python3 - <<'END'
import os, random
random.seed(1)
for i in range(400): open(f"sub/f{i}", "wb").write(random.randbytes(random.randrange(9000)))
f = open("holes", "wb"); f.seek(5 << 20); f.write(b"x"); f.close(); open("text", "w").write("".join(f"line {i * i % 977}\n" for i in range(300000)))
END
ln -s text link; ln text hard; mkfifo pipe; chmod 4750 sub/f1; touch -d '2001-02-03 04:05:06.789 UTC' sub/f2
setfacl -m u:tester:r sub/f3 2>/dev/null; chown tester:tester sub/f4; touch $'odd \n name'; mkdir -m 1777 empty
list() { (cd $1
find . -printf '%p %y %m %u %g %n %s %l %T+\n' | grep -v '^\. \|^\./sub d\|^\./empty d' | LC_ALL=C sort | sed -E 's/ (d) ([0-9]+) (\S+ \S+ [0-9]+) [0-9]+/ \1 \2 \3/' | md5sum
find . -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum | md5sum); }
want=$(list .); is() { [ "$(list $1)" = "$want" ] && echo "$1 same" || { echo "$1 differs"; diff -r /tmp/d $1 | head -3; }; }
tar --xattrs -S -cf /tmp/o/a.tar .; mkdir /tmp/x1; tar -xpf /tmp/o/a.tar -C /tmp/x1; is /tmp/x1
[ $(du -k /tmp/x1/holes | cut -f1) -lt 100 ] && echo sparse
for how in '-T2 -9' '--long -19'; do tar -c . | zstd -q $how | zstd -qdc | tar -t | wc -l; done
tar --format=posix -I 'zstd -T2' -cf /tmp/o/a.tzst . && mkdir /tmp/x2 && tar -I zstd -xpf /tmp/o/a.tzst -C /tmp/x2; is /tmp/x2
xz -T2 --block-size=256KiB -k -c text >/tmp/o/text.xz; xz -l --robot /tmp/o/text.xz | awk '/^file/ { print ($3 > 1) }'
xz -T2 -dc /tmp/o/text.xz | cmp - text && echo xz; sha256sum </tmp/o/text.xz; bzip2 -kc text | bunzip2 | cmp - text && echo bzip2
gzip -nc text | tee /tmp/o/g.gz | zcat | cmp - text && sha256sum </tmp/o/g.gz
find . -depth -print0 | cpio -0 -o -H newc --quiet >/tmp/o/c; mkdir /tmp/x3; (cd /tmp/x3; cpio -idm --quiet </tmp/o/c)
find /tmp/x3 | wc -l; zip -qry /tmp/o/z.zip sub text link && unzip -tq /tmp/o/z.zip
rsync -aHS . /tmp/x4/; is /tmp/x4; echo more >>text; rm -r sub/f9
rsync -aH --delete --inplace --stats . /tmp/x4/ | grep -E 'deleted|regular files transferred'; want=$(list .); is /tmp/x4
cat >/tmp/o/rsyncd.conf <<'END'
port = 8730
address = 127.0.0.1
use chroot = yes
uid = root
gid = root
pid file = /tmp/o/pid
[m]
path = /tmp/x5
read only = no
auth users = u
secrets file = /tmp/o/secret
END
echo u:pw >/tmp/o/secret; chmod 600 /tmp/o/secret; mkdir /tmp/x5; rsync --daemon --config=/tmp/o/rsyncd.conf
export RSYNC_PASSWORD=pw; until rsync rsync://u@127.0.0.1:8730/m/ >/dev/null 2>&1; do sleep 0.1; done
rsync -aHz . rsync://u@127.0.0.1:8730/m/; is /tmp/x5; RSYNC_PASSWORD=no rsync rsync://u@127.0.0.1:8730/m/ >/dev/null 2>&1; echo $?
rsync -aHc --dry-run -i . rsync://u@127.0.0.1:8730/m/ | wc -l; kill $(cat /tmp/o/pid)
mkdir -p /run/sshd; ssh-keygen -q -t ed25519 -N '' -f /tmp/o/k; ssh-keygen -q -t ed25519 -N '' -f /tmp/o/h; mkdir -pm 700 /root/.ssh
cp /tmp/o/k.pub /root/.ssh/authorized_keys
/usr/sbin/sshd -p 2222 -h /tmp/o/h -o ListenAddress=127.0.0.1 -o UsePAM=no -o PermitRootLogin=yes -o PidFile=/tmp/o/spid
until [ -s /tmp/o/spid ]; do sleep 0.1; done
export RSYNC_RSH='ssh -q -p 2222 -i /tmp/o/k -o StrictHostKeyChecking=no'; rsync -aHS . root@127.0.0.1:/tmp/x6/; is /tmp/x6
rsync -aH root@127.0.0.1:/tmp/x6/ /tmp/x7/; is /tmp/x7; kill $(cat /tmp/o/spid)
"""


@software("rsync", layer="tools")
def test_archives(same_apart):
    """tar, zstd -T2, xz -T2, bzip2, cpio, zip of odd files (holes, pipes, links, ids, modes, nanoseconds); rsync
    local, to a daemon in a chroot, over ssh"""
    same_apart(FILES, timeout=150)
