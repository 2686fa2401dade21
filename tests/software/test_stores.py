from marks import software

MEMCACHED = r"""
memcached -u nobody -l 127.0.0.1 -p 11211 -s /tmp/mem.sock -t 4 -m 16 & p=$!
python3 - <<'END'
import socket, threading, time, os
while not os.path.exists('/tmp/mem.sock'): time.sleep(0.05)
END
kill $p; wait $p; memcached -u nobody -l 127.0.0.1 -p 11211 -t 4 -m 16 -c 200 & p=$!
cat >/tmp/c.py <<'END'
import socket, threading, time
def connect():
    while True:
        try: return socket.create_connection(("127.0.0.1", 11211))
        except ConnectionRefusedError: time.sleep(0.05)
class C:
    def __init__(self):
        self.s = connect(); self.f = self.s.makefile("rb")
    def ask(self, line, data=None):
        self.s.sendall(line.encode() + b"\r\n" + (data + b"\r\n" if data is not None else b""))
        return self.f.readline().strip().decode()
    def get(self, key):
        head = self.ask("gets " + key).split()
        if head[0] == "END": return None, 0
        data = self.f.read(int(head[3]) + 2)[:-2]; self.f.readline()
        return data, int(head[4])
good = []
def work(w):
    c = C()
    for i in range(500):
        k = f"k{w}-{i}"
        assert c.ask(f"set {k} {w} 0 {i}", b"v" * i) == "STORED"
        assert c.get(k)[0] == b"v" * i
    for i in range(200): assert c.ask("incr n 1").isdigit()
    for i in range(50):
        while True:
            old, cas = c.get("list")
            if c.ask(f"cas list 0 0 {len(old) + 1} {cas}", old + b"x") == "STORED": break
    assert c.ask("delete k%d-3" % w) == "DELETED" and c.get("k%d-3" % w)[0] is None
    good.append(w)
c = C(); c.ask("set n 0 0 1", b"0"); c.ask("set list 0 0 0", b"")
ts = [threading.Thread(target=work, args=(w,)) for w in range(8)]
for t in ts: t.start()
for t in ts: t.join()
print(sorted(good), c.get("n")[0], len(c.get("list")[0]))
for i in range(30): c.ask(f"set big{i} 0 0 1000000", bytes(1000000))
print(sum(c.get(f"big{i}")[0] is not None for i in range(30)) < 30, c.ask("set x 0 1 1", b"y"))
time.sleep(2.5); print(c.get("x"))
END
python3 /tmp/c.py; kill -INT $p; wait $p; echo $?
"""

ETCD = r"""
mkdir /tmp/e; cd /tmp/e; export ETCDCTL_API=3
peers=a=http://127.0.0.1:2380,b=http://127.0.0.1:3380,c=http://127.0.0.1:4380
up() { etcd --name $1 --data-dir /tmp/e/$1 --listen-client-urls http://127.0.0.1:${2}79 --advertise-client-urls http://127.0.0.1:${2}79 \
	--listen-peer-urls http://127.0.0.1:${2}80 --initial-advertise-peer-urls http://127.0.0.1:${2}80 --initial-cluster $peers \
	--initial-cluster-token t --heartbeat-interval 500 --election-timeout 5000 >>$1.log 2>&1 & eval "$1=$!"; }
all=http://127.0.0.1:2379,http://127.0.0.1:3379,http://127.0.0.1:4379
e() { etcdctl --endpoints $all --dial-timeout 20s --command-timeout 30s "$@"; }
up a 23; up b 33; up c 43; until e endpoint health --cluster >/dev/null 2>&1; do sleep 0.3; done
e watch --prefix k >watched 2>&1 & w=$!; sleep 1
for i in $(seq 30); do e put k$i v$i >/dev/null || echo bad; done
e get --prefix k | paste - - | sort | md5sum; until [ "$(grep -c PUT watched)" = 30 ]; do sleep 0.1; done; kill $w
e txn <<<$'value("k1") = "v1"\n\nput k1 changed\n\nput k1 wrong\n'; e get k1
l=$(e lease grant 2 | awk '{ print $2 }'); e put --lease=$l gone x; while [ -n "$(e get gone)" ]; do sleep 0.3; done
kill -9 $a; wait $a 2>/dev/null; until e put k3 after >/dev/null 2>&1; do sleep 0.3; done; until e del k2 >/dev/null 2>&1
do sleep 0.3; done; e get k2; up a 23; until e endpoint health --cluster >/dev/null 2>&1; do sleep 0.3; done
one="etcdctl --endpoints http://127.0.0.1:2379"; $one get k3; $one snapshot save s >/dev/null 2>&1 || echo no snapshot
kill $a $b $c; wait $a $b $c; etcdctl snapshot restore s --data-dir r >/dev/null 2>&1; ls r/member
"""


@software("memcached", layer="data")
def test_memcached(same_apart):
    """Eight clients: set, get, cas, incr, delete; eviction and expiry"""
    same_apart(MEMCACHED, timeout=60)


@software("etcd-server", layer="data")
def test_etcd(same_apart):
    """A cluster of three: watch, transaction, lease; one is killed and comes back; snapshot and restore"""
    same_apart(ETCD, timeout=150)
