"""python3: threads, processes, asyncio, sqlite3, sockets."""

import pytest

CASES = {
    "hello": "import sys; print(sys.version_info[:2], sys.executable, sys.argv)",
    "os": """
import os, platform
print(os.getpid(), os.getppid(), os.getuid(), os.getcwd(), platform.machine(), os.cpu_count() > 0)
print(sorted(os.listdir('/'))[:5], os.stat('/etc/passwd').st_size, os.sched_getaffinity(0) != set())
r = os.fork()
if r == 0:
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(r, 0)[1]), len(os.urandom(16)), os.access('/etc/shadow', os.R_OK))
""",
    "threads": """
import threading, queue
q, out = queue.Queue(), []
lock = threading.Lock()
def work():
    while (n := q.get()) is not None:
        with lock: out.append(n * n)
ts = [threading.Thread(target=work) for _ in range(16)]
[t.start() for t in ts]
for n in range(2000): q.put(n)
for t in ts: q.put(None)
[t.join() for t in ts]
print(sum(out), threading.active_count())
""",
    "thread-pool": """
from concurrent.futures import ThreadPoolExecutor, ProcessPoolExecutor
import hashlib
def h(n): return hashlib.sha256(bytes([n % 256]) * 10000).hexdigest()
with ThreadPoolExecutor(8) as a, ProcessPoolExecutor(3) as b:
    print(list(a.map(h, range(50))) == list(b.map(h, range(50))))
""",
    "subprocess": """
import subprocess as s
print(s.run(['sh', '-c', 'cat; exit 3'], input=b'abc', capture_output=True))
print(s.check_output('echo $X | tr a-z A-Z', shell=True, env={'X': 'yes', 'PATH': '/usr/bin:/bin'}))
try: s.run(['/no/such'])
except FileNotFoundError as e: print(e)
try: s.run(['sleep', '9'], timeout=0.1)
except s.TimeoutExpired: print('timeout')
p = s.Popen(['sleep', '9']); p.terminate(); print(p.wait())
print([s.Popen(['true'], close_fds=True, start_new_session=True).wait() for _ in range(20)])
""",
    "multiprocessing": """
import multiprocessing as m
def f(x): return x ** 2
def g(q, v, l):
    for _ in range(100):
        with l: v.value += 1
    q.put(v.value > 0)
if __name__ == '__main__':
    with m.Pool(4) as p: print(sum(p.map(f, range(1000))))
    for kind in 'fork', 'spawn', 'forkserver':
        c = m.get_context(kind)
        q, v, l = c.Queue(), c.Value('i', 0), c.Lock()
        ps = [c.Process(target=g, args=(q, v, l)) for _ in range(3)]
        [p.start() for p in ps]; got = [q.get() for _ in ps]; [p.join() for p in ps]
        print(kind, v.value, got, [p.exitcode for p in ps])
""",
    "shared-memory": """
from multiprocessing import shared_memory, Process
def f(name):
    s = shared_memory.SharedMemory(name); s.buf[:5] = b'hello'; s.close()
if __name__ == '__main__':
    s = shared_memory.SharedMemory(create=True, size=10000)
    p = Process(target=f, args=(s.name,)); p.start(); p.join()
    print(bytes(s.buf[:5])); s.close(); s.unlink()
""",
    "asyncio": """
import asyncio
async def serve(r, w):
    w.write((await r.readline()).upper()); await w.drain(); w.close()
async def ask(port, n):
    r, w = await asyncio.open_connection('127.0.0.1', port)
    w.write(b'line %d\\n' % n); out = await r.read(); w.close(); return out
async def main():
    s = await asyncio.start_server(serve, '127.0.0.1', 0)
    port = s.sockets[0].getsockname()[1]
    out = await asyncio.gather(*(ask(port, n) for n in range(50)))
    print(len(out), out[49])
    p = await asyncio.create_subprocess_exec('echo', 'child', stdout=asyncio.subprocess.PIPE)
    print(await p.communicate(), p.returncode)
    try: await asyncio.wait_for(asyncio.sleep(9), 0.05)
    except asyncio.TimeoutError: print('timeout')
    print(await asyncio.to_thread(sum, range(100)))
asyncio.run(main())
""",
    "sqlite3": """
import sqlite3, threading
d = sqlite3.connect('/tmp/db'); d.execute('pragma journal_mode=wal')
d.execute('create table t(a integer primary key, b text)')
with d: d.executemany('insert into t(b) values (?)', ((str(i),) for i in range(5000)))
def writer(n):
    c = sqlite3.connect('/tmp/db', timeout=15)
    for i in range(20):
        with c: c.execute('insert into t(b) values (?)', (f'{n}:{i}',))
    c.close()
ts = [threading.Thread(target=writer, args=(n,)) for n in range(4)]
[t.start() for t in ts]; [t.join() for t in ts]
print(d.execute('select count(*), max(a) from t').fetchone(), d.execute('pragma integrity_check').fetchone())
d.close()
""",
    "sockets": """
import socket, threading, select
def server(s):
    for _ in range(10):
        c, _ = s.accept()
        with c:
            while b := c.recv(65536): c.sendall(b[::-1])
for family, addr in ((socket.AF_INET, ('127.0.0.1', 0)), (socket.AF_INET6, ('::1', 0)), (socket.AF_UNIX, '/tmp/sock')):
    s = socket.socket(family, socket.SOCK_STREAM); s.bind(addr); s.listen()
    t = threading.Thread(target=server, args=(s,)); t.start()
    total = 0
    for n in range(10):
        c = socket.socket(family, socket.SOCK_STREAM); c.connect(s.getsockname())
        c.sendall(b'x' * 1000); c.shutdown(socket.SHUT_WR)
        while b := c.recv(65536): total += len(b)
        c.close()
    t.join(); s.close(); print(family.name, total)
a, b = socket.socketpair()
print(select.select([a], [b], [], 0)[1] == [b]); a.close(); print(b.recv(1))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0))
u.sendto(b'dgram', u.getsockname()); print(u.recv(100))
print(socket.getaddrinfo('localhost', 80, socket.AF_INET, socket.SOCK_STREAM)[0][4], 'lo' in [n for _, n in socket.if_nameindex()])
""",
    "signals": """
import signal, os, time
got = []
signal.signal(signal.SIGUSR1, lambda *a: got.append(a[0]))
for _ in range(10): os.kill(os.getpid(), signal.SIGUSR1); time.sleep(0)
signal.setitimer(signal.ITIMER_REAL, 0.05); signal.signal(signal.SIGALRM, lambda *a: got.append('alarm'))
signal.pause()
print(len(got) > 1, got[0], got[-1])
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2]); os.kill(os.getpid(), signal.SIGUSR2)
print(signal.sigpending(), signal.sigwait([signal.SIGUSR2]))
""",
    "files": """
import os, shutil, tempfile, pathlib, mmap, fcntl
d = pathlib.Path(tempfile.mkdtemp())
for i in range(300): (d / f'f{i}').write_text('x' * i)
print(len(list(d.iterdir())), sum(f.stat().st_size for f in d.iterdir()))
with open(d / 'm', 'w+b') as f:
    f.truncate(8192)
    with mmap.mmap(f.fileno(), 8192) as m: m[4096:4101] = b'mmap!'; m.flush()
    f.seek(4096); print(f.read(5)); fcntl.flock(f, fcntl.LOCK_EX)
os.symlink('m', d / 'l'); os.link(d / 'm', d / 'h'); print(os.readlink(d / 'l'), os.stat(d / 'm').st_nlink)
os.rename(d / 'h', d / 'r'); shutil.copytree(d, str(d) + '2', symlinks=True); shutil.rmtree(d); print(d.exists())
with tempfile.TemporaryFile() as t: t.write(b'abc'); t.seek(1); print(t.read())
os.memfd_create('x'); print(os.path.realpath('/proc/self/exe'))
""",
    "select-epoll": """
import select, os
r, w = os.pipe(); e = select.epoll(); e.register(r, select.EPOLLIN)
print(e.poll(0)); os.write(w, b'x'); print(e.poll(1) == [(r, select.EPOLLIN)]); os.close(w); os.read(r, 1)
print(e.poll(1) == [(r, select.EPOLLHUP)]); p = select.poll(); p.register(r); print(p.poll(0)[0][1])
""",
    "pty": """
import pty, os
def read(fd):
    try: return os.read(fd, 1024)
    except OSError: return b''
pid, fd = pty.fork()
if pid == 0: os.execvp('sh', ['sh', '-c', 'tty | grep -c pts; stty size; echo done'])
out = b''
while b := read(fd): out += b
os.waitpid(pid, 0); print(out)
""",
    "traceback": "import sys\ntry: 1 / 0\nexcept ZeroDivisionError: print('caught')\nsys.exit(0)",
    "decimal-json": "import json, decimal, zlib; print(json.dumps({'a': [1, 2.5]}), decimal.Decimal(2).sqrt(), zlib.crc32(b'x' * 10**6))",
    "time": "import time; a = time.monotonic(); time.sleep(0.1); print(0.09 < time.monotonic() - a < 5, time.time() > 1.6e9, time.strftime('%Z'))",
    "resource": "import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE)); r.setrlimit(r.RLIMIT_NOFILE, (10, 4096))\n"
                "try: [open('/dev/null') for _ in range(10)]\nexcept OSError as e: print(e.errno)",
    "big-memory": "b = bytearray(300 << 20); b[::4096] = b'x' * len(b[::4096]); print(sum(b[::4096])); del b",
}


@pytest.mark.parametrize("name", CASES)
def test_python(run_both, name):
    result = run_both("/usr/bin/python3", "-c", CASES[name], cwd="/tmp", timeout=40) \
        if "__main__" not in CASES[name] else run_both(
            "/bin/sh", "-c", 'printf %s "$1" >/tmp/main.py; exec python3 /tmp/main.py', "-", CASES[name],
            timeout=40)
    assert result.status == 0, str(result)


def test_uncaught_exception(run_both):
    assert run_both("/usr/bin/python3", "-c", "raise SystemExit(5)").status == 5
