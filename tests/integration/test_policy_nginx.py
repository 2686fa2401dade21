"""Only nginx may listen on 8080, and only curl may reach one address: every way around it that docs/policy.md names."""

import subprocess
import sys

import pytest
from bundle import RUNTIME
from test_network import namespace  # noqa: F401
from policy_site import outcomes, site  # noqa: F401

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: callgate's own")

POLICY = """
    default = "deny"
    [executable.web]
    path = "/usr/sbin/nginx"
    [executable.fetch]
    path = "/usr/bin/curl"
    [[rule]]
    action = "allow"
    operation = "listen"
    protocol = "tcp"
    port = 8080
    executable = "web"
    [[rule]]
    action = "allow"
    operation = "connect"
    protocol = "tcp"
    address = "127.0.0.1"
    port = 8080
    [[rule]]
    action = "allow"
    operation = "connect"
    protocol = "tcp"
    address = "127.0.0.9"
    port = 9000
    executable = "fetch"
    """

PEER = """
import socket, threading
tcp = socket.create_server(("127.0.0.9", 9000))
udp = socket.socket(type=socket.SOCK_DGRAM)
udp.bind(("127.0.0.9", 9000))
def receive():
    while True:
        print("datagram", udp.recv(100), flush=True)
threading.Thread(target=receive, daemon=True).start()
print("up", flush=True)
while True:
    c, _ = tcp.accept()
    c.sendall(b"peer")
    c.close()
"""

TOOLS = r"""
cat >/tmp/conf <<'END'
daemon off; master_process on; worker_processes 1; pid /tmp/pid; error_log /tmp/log; events { worker_connections 64; }
http { access_log off; server { listen 127.0.0.1:8080; return 200 "nginx\n"; } }
END
cat >/tmp/t.py <<'END'
import errno, os, socket, sys
def bind(family, address, kind=socket.SOCK_STREAM):
    s = socket.socket(family, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind((address, 8080))
    if kind == socket.SOCK_STREAM: s.listen()
def connect(family, address):
    socket.socket(family).connect((address, 9000))
def send(how):
    s = socket.socket(type=socket.SOCK_DGRAM)
    if how == "sendto": s.sendto(b"x", ("127.0.0.9", 9000))
    if how == "sendmsg": s.sendmsg([b"x"], [], 0, ("127.0.0.9", 9000))
    if how == "connect": s.connect(("127.0.0.9", 9000)); s.send(b"x")
    if how == "fastopen": socket.socket().sendto(b"x", socket.MSG_FASTOPEN, ("127.0.0.9", 9000))
    if how == "mapped": socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"x", ("::ffff:127.0.0.9", 9000))
def inherited(how):
    s = socket.socket(fileno=int(os.environ["NGINX"].split(";")[0]))
    if how == "listen": s.listen()
    if how == "accept": s.setblocking(True); s.accept()
    if how == "bind": bind(s.family, "127.0.0.1")
what, *args = sys.argv[1:]
if what in ("bind", "connect"): args[0] = getattr(socket, args[0])
if len(args) == 3: args[2] = getattr(socket, args[2])
try:
    globals()[what](*args)
    print("ok")
except OSError as e:
    print(errno.errorcode[e.errno])
END
t() { python3 /tmp/t.py "$@"; }
# serves CMD...: is it nginx that answers then?
serves() {
	"$@" >/tmp/out 2>&1 & local p=$!
	for i in $(seq 100); do
		[ "$(curl -s http://127.0.0.1:8080/)" = nginx ] && echo ok && break
		kill -0 $p 2>/dev/null || { echo no; break; }
		sleep 0.05
	done
	[ -e /tmp/pid ] && kill $(cat /tmp/pid); kill $p 2>/dev/null; wait $p
}
fetches() { "$@" -s -m 5 telnet://127.0.0.9:9000 </dev/null 2>/dev/null | grep -q peer && echo ok || echo no; }
"""

LISTEN = TOOLS + r"""
echo nginx $(serves nginx -c /tmp/conf)
echo interpreter $(t bind AF_INET 127.0.0.1)
echo wildcard $(t bind AF_INET 0.0.0.0)
echo mapped $(t bind AF_INET6 ::ffff:127.0.0.1)
echo v6 $(t bind AF_INET6 ::)
echo udp $(t bind AF_INET 127.0.0.1 SOCK_DGRAM)
sed s/8080/8081/ /tmp/conf >/tmp/conf2; nginx -c /tmp/conf2 >/tmp/out 2>&1; echo other-port $(grep -c 'bind() to 127.0.0.1:8081 failed (13' /tmp/log)
sed 's/127.0.0.1:8080/[::ffff:127.0.0.1]:8080 ipv6only=off/' /tmp/conf >/tmp/conf3; echo nginx-mapped $(serves nginx -c /tmp/conf3)
echo preload $(LD_PRELOAD=/lib/x86_64-linux-gnu/libm.so.6 serves nginx -c /tmp/conf)
echo linker $(serves /lib64/ld-linux-x86-64.so.2 /usr/sbin/nginx -c /tmp/conf)
echo self-exe $(python3 -c 'import os; os.execv("/proc/self/exe", ["/usr/sbin/nginx", "/tmp/t.py", "bind", "AF_INET", "127.0.0.1"])')
echo argv0 $(bash -c 'exec -a /usr/sbin/nginx python3 /tmp/t.py bind AF_INET 127.0.0.1')
mkdir /tmp/a; printf '#!/usr/bin/python3\nimport runpy, sys\nsys.argv[1:] = ["bind", "AF_INET", "127.0.0.1"]\nrunpy.run_path("/tmp/t.py")\n' >/tmp/a/nginx
chmod +x /tmp/a/nginx; echo script $(PATH=/tmp/a:$PATH nginx)
ln /usr/sbin/nginx /usr/sbin/again; echo hard-link $(serves again -c /tmp/conf)
cp /usr/sbin/nginx /tmp/copy; echo copy $(serves /tmp/copy -c /tmp/conf)
mv /usr/sbin/nginx /usr/sbin/moved; echo renamed $(serves moved -c /tmp/conf)
cp $(readlink -f /usr/bin/python3) /usr/sbin/nginx; echo replaced $(/usr/sbin/nginx /tmp/t.py bind AF_INET 127.0.0.1)
"""

# nginx hands its listening sockets to the program that takes its place: by environment, descriptor and exec.
INHERIT = TOOLS + r"""
sed -i 's/daemon off/daemon on/' /tmp/conf
cat >/tmp/thief <<'END'
#!/bin/sh
python3 /tmp/t.py inherited $(cat /tmp/how) >/tmp/got.new 2>&1
mv /tmp/got.new /tmp/got
END
chmod +x /tmp/thief
for how in accept listen bind; do
	echo $how >/tmp/how; rm -f /tmp/got; ln -sfn /usr/sbin/nginx /tmp/web
	/tmp/web -c /tmp/conf; until [ "$(curl -s http://127.0.0.1:8080/)" = nginx ]; do sleep 0.05; done
	ln -sfn /tmp/thief /tmp/web; kill -USR2 $(cat /tmp/pid); until [ -e /tmp/pid.oldbin -o -e /tmp/got ]; do sleep 0.05; done
	pkill -WINCH -o nginx # the workers go: who else accepts
	until [ -e /tmp/got ]; do curl -s -m 1 http://127.0.0.1:8080/ >/dev/null; sleep 0.05; done
	echo $how $(cat /tmp/got); pkill -QUIT -o nginx; while pgrep nginx >/dev/null; do sleep 0.05; done
done
"""

CONNECT = TOOLS + r"""
nc=$(readlink -f /usr/bin/nc)
echo curl $(fetches curl)
echo curl-mapped $(curl -sg -m 5 'telnet://[::ffff:127.0.0.9]:9000' </dev/null | grep -q peer && echo ok || echo no)
echo interpreter $(t connect AF_INET 127.0.0.9)
echo mapped $(t connect AF_INET6 ::ffff:127.0.0.9)
for how in sendto sendmsg connect fastopen mapped; do echo udp-$how $(t send $how); done
echo curl-udp $(curl -s -m 5 tftp://127.0.0.9:9000/x >/dev/null; echo $?)
echo bash $( (exec 3<>/dev/tcp/127.0.0.9/9000) 2>/dev/null && echo ok || echo no)
echo preload $(LD_PRELOAD=/lib/x86_64-linux-gnu/libm.so.6 fetches curl)
echo self-exe $(python3 -c 'import os; os.execv("/proc/self/exe", ["/usr/bin/curl", "/tmp/t.py", "connect", "AF_INET", "127.0.0.9"])')
echo child $(curl -s --help >/dev/null; t connect AF_INET 127.0.0.9)
mv /usr/bin/curl /usr/bin/moved; echo renamed $(fetches moved)
cp $(readlink -f /usr/bin/python3) /usr/bin/curl; echo replaced $(/usr/bin/curl /tmp/t.py connect AF_INET 127.0.0.9)
"""


@pytest.fixture
def guarded(site, namespace, run):  # noqa: F811
    """guarded(script): the outcomes in a container under the policy, beside a peer of the host's."""
    path, inside = namespace
    site.config("p")
    site.policy(POLICY)
    peer = subprocess.Popen([*inside, sys.executable, "-c", PEER], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            text=True)
    assert peer.stdout.readline() == "up\n"
    yield lambda script: outcomes(run, script, network=path, timeout=60)
    peer.kill()
    said = peer.communicate()[0]
    assert said == "", "what must not arrive"


def test_listening(guarded, site):  # noqa: F811
    got = guarded(LISTEN)
    no = "EACCES"
    assert got == {"nginx": "ok", "interpreter": no, "wildcard": no, "mapped": no, "v6": no, "udp": no, "other-port": "1",
                   "nginx-mapped": "ok", "preload": "no", "linker": "no", "self-exe": no, "argv0": no, "script": no,
                   "hard-link": "ok", "copy": "no", "renamed": "ok", "replaced": no}
    assert {e["operation"] for e in site.events()} == {"listen"}
    assert {e["executable"] for e in site.events()} >= {"/usr/bin/python3.11", "/tmp/copy", "/usr/sbin/nginx"}


def test_inherited_listener(guarded):
    """What nginx gives away, it gives away: to accept on, not to listen anew."""
    assert guarded(INHERIT) == {"accept": "ok", "listen": "EACCES", "bind": "EACCES"}


def test_reaching(guarded):
    got = guarded(CONNECT)
    no = "EACCES"
    assert got == {"curl": "ok", "curl-mapped": "ok", "interpreter": no, "mapped": no, "udp-sendto": no, "udp-sendmsg": no,
                   "udp-connect": no, "udp-fastopen": no, "udp-mapped": no, "curl-udp": got["curl-udp"], "bash": "no",
                   "preload": "no", "self-exe": no, "child": no, "renamed": "ok", "replaced": no}
    assert got["curl-udp"] != "0"
