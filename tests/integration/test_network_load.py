"""Many connections and many requests: the load generators that Debian packages, checked by what servers count."""

import pytest
from bundle import edit_config, wait_for
from test_network import answers, free_port
from test_network_software import READY

REDIS = r"""
redis-server --port {port} --bind 127.0.0.1 --save '' --daemonize yes --maxclients 2000 --pidfile /tmp/pid >/dev/null
""" + READY + r"""
b="redis-benchmark -p {port} -q"; c="redis-cli -p {port}"
load() { $b "$@" 2>&1 | tr '\r' '\n' | grep -v overall | sed -n 's/: [0-9.]* requests per second.*//p'; }
load -c 50 -n 20000 -t ping,set,get,incr,lpush,rpop,mset; $c get counter:__rand_int__; $c llen mylist
load -c 50 -n 100000 -P 16 -t set,get,incr,lpush; $c get counter:__rand_int__; $c llen mylist
load -c 1000 -n 20000 -t set,get,incr; $c get counter:__rand_int__
load -c 1000 -n 50000 -P 16 -t set,get,incr; $c get counter:__rand_int__
load -c 50 -n 3000 -d 30000 -t set,get; $c strlen key:__rand_int__
load -c 20 -n 500 -k 0 -t incr; $c get counter:__rand_int__
$c info stats | grep -E '^(rejected_connections|total_error_replies)' | tr -d '\r'; $c shutdown nosave; while [ -e /tmp/pid ]; do sleep 0.05; done
"""

# The server counts what it has answered (nothing to who is gone when wrk ends); wrk's own figures are of the time.
WRK = r"""
mkdir -p /tmp/n/www; cd /tmp/n; seq 100 >www/small; seq 20000 >www/big
cat >conf <<END
worker_processes 2; pid /tmp/n/pid; error_log /tmp/n/error.log; events { worker_connections 2048; }
http { access_log /tmp/n/access.log; sendfile on; keepalive_requests 1000000; server { listen 127.0.0.1:{port} backlog=1024; root /tmp/n/www; } }
END
cat >done.lua <<'END'
done = function(s) local e = s.errors
	print(e.connect, e.read, e.write, e.status, e.timeout, s.requests > 100, s.bytes > s.requests * (tonumber(os.getenv("size")) or 0)) end
END
nginx -p /tmp/n -c conf && """ + READY + r"""
load() { wrk -t2 --timeout 30s -s done.lua "$@" | tail -1; }
size=300 load -c 50 -d 1 http://127.0.0.1:{port}/small; size=108000 load -c 50 -d 1 http://127.0.0.1:{port}/big
load -c 1000 -d 2 http://127.0.0.1:{port}/small; load -c 20 -d 1 -H 'Connection: close' http://127.0.0.1:{port}/small
nginx -p /tmp/n -c conf -s quit; while [ -e pid ]; do sleep 0.05; done
grep -v ' 200 ' access.log | wc -l; awk '$10 { print $7, $10 }' access.log | sort -u; grep -v 'signal process started' error.log; echo
"""


@pytest.mark.parametrize("script", [REDIS, WRK], ids=["redis-benchmark", "wrk"])
def test_load(run_script, script):
    run_script(script.replace("{port}", str(free_port())), timeout=120)


MANY = 10000
ECHO = r"""
import asyncio, resource, sys
role, port, many = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
served = 0
async def echo(r, w):
    global served
    while data := await r.read(1000):
        w.write(data); await w.drain()
    w.close(); served += 1
async def server():
    s = await asyncio.start_server(echo, "127.0.0.1", port, backlog=1024)
    while served < many: await asyncio.sleep(0.1)
    print("served", served)
async def client(gate, here, i):
    async with gate:
        r, w = await asyncio.open_connection("127.0.0.1", port)
    here[0] += 1
    if here[0] == many: here[1].set()
    await here[1].wait()
    for n in range(2):
        data = (b"%d:%d " % (i, n)) * 20
        w.write(data)
        assert await r.readexactly(len(data)) == data
    w.write_eof(); assert not await r.read(); w.close()
    return 2
async def clients():
    gate, here = asyncio.Semaphore(200), [0, asyncio.Event()]
    print("echoed", sum(await asyncio.gather(*(client(gate, here, i) for i in range(many)))))
asyncio.run({"server": server, "clients": clients}[role]())
"""


def test_ten_thousand_connections(start):
    """All open at a time: a server in one container, its clients in another."""
    port = free_port()

    def prepare(bundle):
        edit_config(bundle, lambda c: c["process"].update(
            rlimits=[{"type": "RLIMIT_NOFILE", "hard": MANY + 100, "soft": 1024}]))

    def container(role):
        return start("/usr/bin/python3", "-c", ECHO, role, str(port), str(MANY), prepare=prepare)

    server = container("server")
    answers(server, port)  # one connection without a word, and served, too
    clients = container("clients")
    assert clients.wait(150).stdout == f"echoed {2 * MANY}\n"
    wait_for(lambda: server.process.poll() is not None, 60, "the end of the server")
    served = server.wait()
    assert served.status == 0 and int(served.stdout.split()[1]) >= MANY, str(served)
