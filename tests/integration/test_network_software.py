"""Servers and clients of the network as Debian packages them: the same output as under runc."""

import json
import subprocess

import pytest
from bundle import wait_for
from test_network import answers, free_port

READY = "until ss -Hltn | grep -q ':{port} '; do sleep 0.05; done; "

NGINX = r"""
mkdir -p /tmp/n/www; cd /tmp/n; seq 20000 >www/seq; echo hello >www/index.html; truncate -s 3M www/big
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -subj /CN=localhost -days 9 2>/dev/null
cat >conf <<END
worker_processes 2; pid /tmp/n/pid; error_log /tmp/n/error.log warn; events { worker_connections 256; }
http { access_log /tmp/n/access.log; include /etc/nginx/mime.types; sendfile on; tcp_nopush on; gzip on; gzip_types text/plain;
server { listen 127.0.0.1:PORT reuseport fastopen=5; listen [::1]:PORT; listen unix:/tmp/n/sock;
	 root /tmp/n/www; location /old { return 301 /; } location /status { stub_status; } }
server { listen 127.0.0.1:TLS ssl http2; ssl_certificate cert; ssl_certificate_key key; root /tmp/n/www; } }
END
sed -i 's/PORT/{port}/; s/PORT/{port}/; s/TLS/{other}/' conf
nginx -p /tmp/n -c conf && """ + READY + READY.replace("{port}", "{other}") + r"""
u=http://127.0.0.1:{port}; c='curl -sS'
$c $u/; $c $u/seq | md5sum; $c $u/big | md5sum; $c -r 100-199 $u/seq | md5sum; $c --compressed $u/seq | md5sum
$c -o /dev/null -w '%{http_code} %{size_download}\n' $u/old $u/none $u/index.html
$c -g "http://[::1]:{port}/"; $c --unix-socket /tmp/n/sock http://x/; $c --tcp-fastopen $u/
$c -k --http2 -w '%{http_version}\n' https://127.0.0.1:{other}/; $c -k --http2 https://127.0.0.1:{other}/big | md5sum
$c -k --http1.1 -w '%{http_version}\n' https://127.0.0.1:{other}/
for i in $(seq 100); do echo "url=$u/seq"; echo "output=/tmp/n/o$i"; done | curl -sS -Z -K -; md5sum /tmp/n/o* | cut -d' ' -f1 | uniq -c
kill -HUP $(cat pid); sleep 0.3; $c $u/; nginx -p /tmp/n -c conf -s quit; while [ -e pid ]; do sleep 0.05; done; cat error.log | grep -v 'signal process started\|GET /none'; echo
"""

DNSMASQ = r"""
dnsmasq --no-resolv --no-hosts --port={port} --listen-address=127.0.0.1,::1 --bind-interfaces --pid-file=/tmp/pid --user=root \
	--address=/a.test/192.0.2.7 --address=/a.test/2001:db8::7 --txt-record=t.test,"some text" --srv-host=_x._tcp.test,h.test,99 \
	--local-ttl=60 --no-daemon 2>/tmp/log & """ + READY + r"""
for how in "@127.0.0.1" "@::1" "+tcp @127.0.0.1" "+tcp @::1" "+noedns @127.0.0.1"; do
	d="dig +short +time=5 +tries=2 -p {port} $how"
	$d a.test; $d b.a.test AAAA; $d t.test TXT; $d _x._tcp.test SRV; $d none.test; $d -x 192.0.2.7
done
dig +noall +answer +time=5 -p {port} @127.0.0.1 a.test ANY | sort; kill %1; wait; echo done
"""

UNBOUND = r"""
mkdir /tmp/u; cd /tmp/u
cat >conf <<END
server:
 interface: 127.0.0.1@{port}
 interface: ::1@{port}
 chroot: ""
 username: ""
 directory: /tmp/u
 pidfile: /tmp/u/pid
 logfile: /tmp/u/log
 use-syslog: no
 num-threads: 2
 do-not-query-localhost: no
 module-config: iterator
 local-zone: here.lan static
 local-data: "here.lan A 192.0.2.1"
 local-data: "here.lan TXT '$(printf x%.0s $(seq 240))' '$(printf y%.0s $(seq 240))' '$(printf z%.0s $(seq 240))' '$(printf w%.0s $(seq 240))' '$(printf v%.0s $(seq 240))'"
forward-zone:
 name: .
 forward-addr: 127.0.0.1@{other}
END
hosts=$(for i in $(seq 200); do echo --address=/n$i.lan/198.51.100.$i; done)
dnsmasq --no-resolv --no-hosts --port={other} --listen-address=127.0.0.1 --bind-interfaces --pid-file=/tmp/u/dpid --user=root --local-ttl=600 $hosts --no-daemon 2>/dev/null &
unbound -d -c conf & """ + READY + READY.replace("{port}", "{other}") + r"""
d="dig +short +time=5 +tries=3 -p {port}"
for how in @127.0.0.1 @::1 "+tcp @127.0.0.1" "+tcp +keepopen @::1" "+bufsize=512 @127.0.0.1"; do $d $how here.lan; $d $how here.lan TXT | md5sum; $d $how none.here.lan; $d $how n1.lan; done
for i in $(seq 200); do echo n$i.lan; done >names; dig +noall +answer +time=5 +tries=3 -p {port} @127.0.0.1 -f names | awk '!/^;/{print $1, $5}' | sort -u | md5sum
dig +noall +answer +tcp +keepopen +time=5 -p {port} @::1 -f names | awk '!/^;/{print $1, $5}' | sort -u | md5sum
kill %1; sleep 0.1; $d @127.0.0.1 n7.lan n9.lan; dig +time=5 -p {port} @::1 here.lan | grep -o 'status: [A-Z]*'
kill $(cat pid); wait; grep -ci 'error\|fatal' log; echo
"""

SSH = r"""
mkdir -p /run/sshd /root/.ssh /tmp/s; chmod 700 /root/.ssh; cd /tmp/s
ssh-keygen -q -t ed25519 -N '' -f host; ssh-keygen -q -t ed25519 -N '' -f id; cp id.pub /root/.ssh/authorized_keys
mkdir -p /home/tester/.ssh; cp id.pub /home/tester/.ssh/authorized_keys; chown -R tester /home/tester/.ssh
/usr/sbin/sshd -p {port} -o ListenAddress=127.0.0.1 -h /tmp/s/host -o PidFile=/tmp/s/pid -E /tmp/s/log
""" + READY + r"""
o="-i /tmp/s/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"; s="ssh -p {port} $o"
$s root@127.0.0.1 'id -un; pwd; echo $SSH_CONNECTION | cut -d" " -f1,3; tty'; $s tester@127.0.0.1 'id -un; exit 7'; echo $?
$s -tt root@127.0.0.1 'stty -a | head -1 | cut -d";" -f2-3; tty | sed s/[0-9]/N/; stty size; test -t 0 && echo terminal' </dev/null
echo piped | $s root@127.0.0.1 'cat; echo error >&2' 2>&1
head -c 3000000 /dev/urandom >data; scp -q -P {port} $o data root@127.0.0.1:/tmp/s/copy; cmp data copy && echo same
scp -q -r -O -P {port} $o root@127.0.0.1:/etc/ssh /tmp/s/dir; diff -r /etc/ssh dir && echo same
echo 'ls -1 /etc/ssl' | sftp -q -b - -P {port} $o root@127.0.0.1; tar c /etc/ssl | $s root@127.0.0.1 'tar t | wc -l'
$s -f -N -L 127.0.0.1:{other}:127.0.0.1:{port} root@127.0.0.1 </dev/null >/dev/null 2>&1; ssh-keyscan -p {other} -t ed25519 127.0.0.1 2>/dev/null | wc -l
kill $(cat pid) $(pgrep -f 'ssh -p'); grep -ci 'fatal\|bad ' log; echo
"""

IPERF = r"""
iperf3 -s -p {port} -D --pidfile /tmp/pid >/tmp/out; until ss -Hltn | grep -q :{port}; do sleep 0.05; done
for how in "127.0.0.1 -n 50M" "127.0.0.1 -n 9M -R" "127.0.0.1 -u -b 50M -n 2M" "::1 -n 9M -P 3" "::1 -u -b 50M -n 2M -R" "::1 -t 1 --bidir"; do
	iperf3 -J -p {port} -c $how >/tmp/j || cat /tmp/j
	python3 -c 'import json; e = json.load(open("/tmp/j"))["end"]; print(max(e[k]["bytes"] for k in e if k.startswith("sum")) > 1000000)'
done
kill $(cat /tmp/pid)
"""

POSTGRES = r"""
export PATH=$PATH:/usr/lib/postgresql/15/bin; mkdir /tmp/pg; chown postgres /tmp/pg; cd /tmp/pg
as() { runuser -u postgres -- env PATH="$PATH" LC_ALL=C "$@"; }
as initdb -D data -A trust --no-sync >/dev/null && as pg_ctl -D data -w -l log -o "-p {port} -k /tmp/pg -h 127.0.0.1,::1 -c fsync=off" start | tail -1
for h in 127.0.0.1 ::1 /tmp/pg; do
	q="psql -h $h -p {port} -U postgres -Atq"
	$q -c "select inet_server_addr(), inet_client_addr()" -c "create table t as select g, md5(g::text) m from generate_series(1, 20000) g" \
	   -c "select count(*), sum(g), min(m) from t" -c "\copy t to '/tmp/pg/out'" -c "create index on t (m); select g from t where m = md5('777'); drop table t"
	md5sum <out
	pgbench -h $h -p {port} -U postgres -i -q -s 1 postgres >/dev/null 2>&1; pgbench -h $h -p {port} -U postgres -c 4 -j 2 -t 50 postgres 2>&1 | grep -E 'processed|failed'
done
echo 'listen x; notify x, $$payload$$;' | psql -h /tmp/pg -p {port} -U postgres -q | cut -d' ' -f1-6
as pg_ctl -D data -w -m fast stop | tail -1; grep -cE 'FATAL|PANIC|could not' log; echo
"""

NODE = r"""
cat >/tmp/n.js <<'END'
const http = require('http'), net = require('net'), dgram = require('dgram'), fs = require('fs'), os = require('os');
const server = http.createServer((q, r) => { let n = 0; q.on('data', d => n += d.length); q.on('end', () => r.end(q.method + q.url + n)); });
server.listen(0, '127.0.0.1', async () => {
	const port = server.address().port, agent = new http.Agent({ keepAlive: true, maxSockets: 10 });
	const get = i => new Promise(ok => { const q = http.request({ port, host: '127.0.0.1', path: '/' + i, agent, method: 'POST' }, r => { let s = '';
		r.on('data', d => s += d); r.on('end', () => ok(s)); }); q.end(Buffer.alloc(i * 1000)); });
	const all = await Promise.all([...Array(200).keys()].map(get)); console.log(all[0], all[199], new Set(all).size);
	const got = await fetch('http://127.0.0.1:' + port + '/fetch'); console.log(await got.text());
	agent.destroy(); server.close(); server.closeAllConnections();
	const u = dgram.createSocket('udp6'); u.on('message', (m, from) => { console.log(m.toString(), from.address); u.close(); });
	u.bind(0, '::1', () => u.send('datagram', u.address().port, '::1'));
	const un = net.createServer(c => c.pipe(c)).listen('\0callgate-' + process.pid, () => { const c = net.connect('\0callgate-' + process.pid, () => c.end('unix'));
		c.on('data', d => console.log(d.toString())); c.on('end', () => un.close()); });
	net.connect(1, '127.0.0.1').on('error', e => console.log(e.code));
	console.log(os.networkInterfaces().lo.map(i => i.cidr).join());
});
END
node /tmp/n.js | sort
"""

CADDY = r"""
mkdir -p /tmp/c/www; cd /tmp/c; echo from Go >www/index.html; truncate -s 2M www/big; export HOME=/tmp/c XDG_DATA_HOME=/tmp/c
printf '{\n admin off\n skip_install_trust\n auto_https disable_redirects\n}\nhttp://127.0.0.1:{port} {\n root * www\n file_server browse\n}\nhttps://localhost:{other} {\n tls internal\n root * www\n file_server\n}\n' >conf
caddy run --config conf --adapter caddyfile 2>log & """ + READY + READY.replace("{port}", "{other}") + r"""
c='curl -sS'; $c http://127.0.0.1:{port}/; $c http://127.0.0.1:{port}/big | md5sum
for i in $(seq 20); do $c -k --http2 https://localhost:{other}/ >got 2>/dev/null && break; sleep 0.3; done
$c -k --http2 -w '%{http_version}\n' https://localhost:{other}/; $c -k --http2 https://localhost:{other}/big | md5sum
for i in $(seq 60); do echo "url=http://127.0.0.1:{port}/big"; echo "output=o$i"; done | curl -sS -Z -K -; md5sum o* | cut -d' ' -f1 | uniq -c
kill %1; wait; grep -c '"error"' log; echo
"""

ASYNCIO = r"""
cat >/tmp/echo.py <<'END'
import asyncio, resource
N = 1000
async def echo(r, w):
    while data := await r.read(1000):
        w.write(data); await w.drain()
    w.close()
async def client(port, gate, i):
    r, w = await asyncio.open_connection("127.0.0.1", port)
    gate[0] += 1
    while gate[0] < N: await asyncio.sleep(0.05)
    total = 0
    for n in range(3):
        w.write(bytes([i & 255]) * 700); await w.drain()
        total += len(await r.readexactly(700))
    w.write_eof(); assert not await r.read(); w.close()
    return total
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=N)
    port, gate = server.sockets[0].getsockname()[1], [0]
    print(sum(await asyncio.gather(*(client(port, gate, i) for i in range(N)))))
    server.close()
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
asyncio.run(main())
END
python3 /tmp/echo.py
"""

CASES = {"nginx": NGINX, "dnsmasq-dig": DNSMASQ, "unbound-dig": UNBOUND, "ssh": SSH, "iperf3": IPERF, "postgresql": POSTGRES, "node": NODE,
         "caddy": CADDY, "asyncio-1000": ASYNCIO}


@pytest.mark.parametrize("name", CASES)
def test_software(run_script, name):
    run_script(CASES[name].replace("{port}", str(free_port())).replace("{other}", str(free_port())), timeout=60)


def test_ping(run_script):
    """As root, by a raw or an echo socket, as ping chooses."""
    run_script("for a in 127.0.0.1 '-6 ::1' '-s 4000 127.0.0.1' '-t 3 127.0.0.2'; do "
               "ping -n -q -i 0.1 -c 3 $a 2>&1 | sed 's/, time.*//; /^rtt/d'; done; ping -c1 -W1 192.0.2.1 >/dev/null; echo $?")


PROXIES = {
    "haproxy": "printf 'defaults\\n mode http\\n timeout connect 5s\\n timeout client 5s\\n timeout server 5s\\nfrontend f\\n bind 127.0.0.1:{port}\\n"
               " default_backend b\\nbackend b\\n server s 127.0.0.1:{backend}\\n' >/tmp/conf; exec haproxy -db -q -f /tmp/conf",
    "nginx": "printf 'daemon off; pid /tmp/pid; error_log stderr; events {{ }} http {{ access_log off; server {{ listen 127.0.0.1:{port}; "
             "location / {{ proxy_pass http://127.0.0.1:{backend}; }} }} }}' >/tmp/conf; exec nginx -c /tmp/conf",
}


@pytest.mark.parametrize("name", PROXIES)
def test_proxy_between_containers(start, name):
    backend, port = free_port(), free_port()
    server = start("/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", str(backend), cwd="/etc")
    answers(server, backend)
    proxy = start("/bin/sh", "-c", PROXIES[name].format(port=port, backend=backend))
    answers(proxy, port)
    urls = [f"http://127.0.0.1:{port}/passwd"] * 30 + [f"http://127.0.0.1:{port}/none"]
    done = subprocess.run(["curl", "-sSZ", *urls], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.stdout.count("root:x:0:0") == 30 and done.stdout.count("Error code: 404") == 1, done
    server.kill()
    wait_for(lambda: server.process.poll() is not None, what="the end of the backend")
    status = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", urls[0]]
    wait_for(lambda: subprocess.run(status, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                                    check=False).stdout in ("502", "503"), what="an answer of the proxy's own")
    proxy.kill()
