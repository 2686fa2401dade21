"""Connection policies: what a container may listen on and connect to, and every way around them that we know of."""

import json
import os
import socket
import subprocess
import threading

import pytest
from bundle import BUILD, RUNTIME, edit_config, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: callgate's own")


class Site:
    """A configuration folder of the administrator's."""

    def __init__(self, path):
        self.path, self.log = path, path / "policy.log"
        (path / "policy.d").mkdir()
        self.config()

    def config(self, default=None, annotation=()):
        lines = ["[policy]", f'log = "{self.log}"', f"annotation = {json.dumps(list(annotation))}"]
        if default:
            lines.append(f'default = "{default}"')
        (self.path / "config.toml").write_text("\n".join(lines))

    def policy(self, text, name="p"):
        path = self.path / "policy.d" / f"{name}.toml"
        path.write_text(text)
        return path

    def events(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture
def site(scratch, monkeypatch):
    monkeypatch.setenv("CALLGATE_CONFIG_DIR", str(scratch))
    return Site(scratch)


@pytest.fixture
def peer():
    """A TCP server and a UDP sink on one port of the host's loopback, v4 and v6: (port, what UDP has got)."""
    tcp = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    port = tcp.getsockname()[1]
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.bind(("::", port))
    got = []

    def accept():
        while True:
            try:
                connection, _ = tcp.accept()
            except OSError:
                return
            connection.sendall(b"peer")
            connection.close()

    def receive():
        while (data := udp.recv(100)) != b"end":
            got.append(data.decode())

    threads = [threading.Thread(target=accept), threading.Thread(target=receive)]
    for thread in threads:
        thread.start()
    yield port, got
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"end", ("::1", port))
    tcp.shutdown(socket.SHUT_RDWR)
    tcp.close()
    for thread in threads:
        thread.join()
    udp.close()


PRELUDE = """
import ctypes, errno, os, socket, struct, sys
from socket import *
def attempt(what, fn):
    try:
        fn()
        print(what, "ok")
    except OSError as e:
        print(what, errno.errorcode[e.errno])
def tcp(address, family=AF_INET):
    s = socket(family, SOCK_STREAM)
    s.settimeout(10)
    s.connect(address)
    assert s.recv(10) == b"peer"
def bind(address, kind=SOCK_STREAM, family=AF_INET):
    s = socket(family, kind)
    s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    s.bind(address)
    if kind == SOCK_STREAM:
        s.listen()
def v4(host, port, family=AF_INET):
    return struct.pack("=HH4s8x", family, htons(port), inet_aton(host))
libc = ctypes.CDLL(None, use_errno=True)
def raw_call(name, sock, *args):
    if getattr(libc, name)(sock.fileno(), *args) < 0:
        raise OSError(ctypes.get_errno(), name)
"""


@pytest.fixture
def python(run, site):
    """python(script): {what: outcome} of its attempts, in a container under the site's default policy "p"."""
    def go(script, **options):
        result = run("/usr/bin/python3", "-c", PRELUDE + script, **options)
        assert result.status == 0, str(result)
        return dict(line.split(" ", 1) for line in result.stdout.splitlines())
    return go


def annotate(name):
    return lambda bundle: edit_config(bundle, lambda c: c.update(annotations={"org.callgate.policy": name}))


# --- the ceiling ---------------------------------------------------------------------------

def test_connect(site, python, peer):
    port, _ = peer
    site.config("p")
    site.policy(f"""
        default = "deny"
        refuse = "ECONNREFUSED"
        [[rule]]
        name = "the one peer"
        action = "allow"
        operation = "connect"
        protocol = "tcp"
        address = ["127.0.0.1", "127.9.0.0/16"]
        port = {port}
        """)
    got = python(f"""
p = {port}
attempt("allowed", lambda: tcp(("127.0.0.1", p)))
attempt("range", lambda: tcp(("127.9.8.7", p)))
attempt("address", lambda: tcp(("127.0.0.2", p)))
attempt("v6", lambda: tcp(("::1", p), AF_INET6))
attempt("mapped-allowed", lambda: tcp(("::ffff:127.0.0.1", p), AF_INET6))
attempt("mapped", lambda: tcp(("::ffff:127.0.0.2", p), AF_INET6))
attempt("port", lambda: tcp(("127.0.0.1", 1)))
attempt("udp", lambda: socket(AF_INET, SOCK_DGRAM).sendto(b"no", ("127.0.0.1", p)))
attempt("udp-connect", lambda: socket(AF_INET, SOCK_DGRAM).connect(("127.0.0.1", p)))
attempt("listen", lambda: bind(("127.0.0.1", 0)))
""")
    no = "ECONNREFUSED"
    assert got == {"allowed": "ok", "range": "ok", "address": no, "v6": no, "mapped-allowed": "ok", "mapped": no,
                   "port": no, "udp": no, "udp-connect": no, "listen": no}
    events = site.events()
    assert {e["action"] for e in events} == {"denied"} and {e["rule"] for e in events} == {"default"}
    assert ("127.0.0.2", port) in {(e["address"], e["port"]) for e in events if e["protocol"] == "tcp"}
    assert all(e["container"].startswith("t-") and e["policy"] == "p" and e["pid"] == 1 for e in events)


def test_listen(site, python):
    site.config("p")
    site.policy("""
        default = "allow"
        [[rule]]
        action = "allow"
        operation = "listen"
        protocol = ["tcp", "udp"]
        address = ["127.0.0.1", "::"]
        port = [18080, "18090-18099"]
        [[rule]]
        action = "deny"
        operation = "listen"
        """)
    got = python("""
attempt("allowed", lambda: bind(("127.0.0.1", 18080)))
attempt("range", lambda: bind(("127.0.0.1", 18099)))
attempt("dual", lambda: bind(("::", 18095), family=AF_INET6))
attempt("behind", lambda: bind(("127.0.0.1", 18100)))
attempt("wildcard", lambda: bind(("0.0.0.0", 18080)))
attempt("mapped", lambda: bind(("::ffff:127.0.0.2", 18080), family=AF_INET6))
attempt("chosen", lambda: bind(("127.0.0.1", 0)))
attempt("unbound", lambda: socket(AF_INET, SOCK_STREAM).listen())
attempt("udp", lambda: bind(("127.0.0.1", 18080), SOCK_DGRAM))
attempt("udp-other", lambda: bind(("127.0.0.1", 18081), SOCK_DGRAM))
attempt("udp-chosen", lambda: bind(("127.0.0.1", 0), SOCK_DGRAM))
attempt("unspec", lambda: raw_call("bind", socket(AF_INET, SOCK_DGRAM), v4("0.0.0.0", 18081, 0), 16))
""")
    no = "EACCES"
    assert got == {"allowed": "ok", "range": "ok", "dual": "ok", "behind": no, "wildcard": no, "mapped": no,
                   "chosen": no, "unbound": no, "udp": "ok", "udp-other": no, "udp-chosen": "ok",
                   "unspec": "EAFNOSUPPORT"}


def test_ways_around_the_ceiling(site, python, peer):
    """One address is denied, all else allowed: nothing reaches it."""
    port, arrived = peer
    site.config("p")
    site.policy(f"""
        default = "allow"
        refuse = "EPERM"
        [[rule]]
        name = "not there"
        action = "deny"
        operation = "connect"
        address = ["127.0.0.1", "::1"]
        port = {port}
        [[rule]]
        action = "deny"
        protocol = "icmp"
        address = "127.0.0.1"
        """)
    got = python(f"""
p = {port}
there = ("127.0.0.1", p)
udp = lambda family=AF_INET: socket(family, SOCK_DGRAM)
attempt("tcp", lambda: tcp(there))
attempt("any", lambda: tcp(("0.0.0.0", p)))
attempt("any-v6", lambda: tcp(("::", p), AF_INET6))
attempt("any-mapped", lambda: tcp(("::ffff:0.0.0.0", p), AF_INET6))
attempt("mapped", lambda: tcp(("::ffff:127.0.0.1", p), AF_INET6))
attempt("udp-mapped", lambda: udp(AF_INET6).sendto(b"1", ("::ffff:127.0.0.1", p)))
attempt("udp-any", lambda: udp().sendto(b"2", ("0.0.0.0", p)))
attempt("udp-unspec", lambda: raw_call("sendto", udp(), b"3", 1, 0, v4("127.0.0.1", p, 0), 16))
attempt("udp-v4-on-v6", lambda: raw_call("sendto", udp(AF_INET6), b"4", 1, 0, v4("127.0.0.1", p), 16))
def connected_elsewhere():
    s = udp()
    s.connect(("127.0.0.2", p))
    s.send(b"elsewhere")
    s.sendto(b"5", there)
attempt("udp-connected-elsewhere", connected_elsewhere)
def dissolved():
    s = udp()
    s.connect(("127.0.0.2", p))
    raw_call("connect", s, v4("127.0.0.1", p, 0), 16)
    s.connect(there)
attempt("udp-dissolved", dissolved)
attempt("sendmsg", lambda: udp().sendmsg([b"6"], [], 0, there))
def sendmmsg():
    name, data = ctypes.create_string_buffer(v4("127.0.0.1", p)), ctypes.create_string_buffer(b"7")
    iov = ctypes.create_string_buffer(struct.pack("PN", ctypes.addressof(data), 1))
    vec = struct.pack("PI4xPNPNi4xI4x", ctypes.addressof(name), 16, ctypes.addressof(iov), 1, 0, 0, 0, 0)
    raw_call("sendmmsg", udp(), vec, 1, 0)
attempt("sendmmsg", sendmmsg)
def fastopen():
    s = socket(AF_INET, SOCK_STREAM)
    s.sendto(b"8", MSG_FASTOPEN, there)
attempt("fastopen", fastopen)
def fastopen_connect():
    s = socket(AF_INET, SOCK_STREAM)
    s.setsockopt(IPPROTO_TCP, 30, 1)
    s.connect(there)
attempt("fastopen-connect", fastopen_connect)
def passed_on():
    a, b = socketpair()
    s = udp()
    if os.fork() == 0:
        send_fds(a, [b"x"], [s.fileno()])
        os._exit(0)
    _, fds, _, _ = recv_fds(b, 1, 1)
    socket(fileno=fds[0]).sendto(b"9", there)
attempt("passed-on", passed_on)
def accepted():
    listener = create_server(("127.0.0.3", 0))
    client = create_connection(listener.getsockname())
    s, _ = listener.accept()
    raw_call("connect", s, v4("127.0.0.1", p, 0), 16)
    s.connect(there)
attempt("accepted", accepted)
def options():
    s = udp()
    s.setsockopt(IPPROTO_IP, IP_OPTIONS, bytes([131, 7, 4, 127, 0, 0, 1, 0]))
attempt("source-route", options)
def header():
    s = socket(AF_INET, SOCK_RAW, IPPROTO_UDP)
    s.setsockopt(IPPROTO_IP, IP_HDRINCL, 1)
attempt("own-header", header)
attempt("raw-header", lambda: socket(AF_INET, SOCK_RAW, IPPROTO_RAW))
attempt("packet", lambda: socket(AF_PACKET, SOCK_RAW, 0x300))
attempt("elsewhere", lambda: udp().sendto(b"elsewhere", ("127.0.0.2", p)))
""")
    assert {what for what, outcome in got.items() if outcome == "ok"} == {"elsewhere"}, got
    other = {"udp-unspec": "EAFNOSUPPORT", "packet": "EAFNOSUPPORT"}
    assert got == {what: other.get(what, "ok" if what == "elsewhere" else "EPERM") for what in got}
    assert set(arrived) <= {"elsewhere"}
    assert {e["rule"] for e in site.events() if e["operation"] == "connect"} <= {"not there", "rule[1]"}


def test_deny_of_a_wildcard(site, python):
    """What is denied in part is denied as a whole."""
    site.config("p")
    site.policy("""
        default = "allow"
        [[rule]]
        action = "deny"
        operation = "listen"
        address = "127.0.0.0/8"
        port = "18000-18999"
        """)
    got = python("""
attempt("v4", lambda: bind(("0.0.0.0", 18080)))
attempt("v6", lambda: bind(("::", 18080), family=AF_INET6))
attempt("unbound", lambda: socket(AF_INET, SOCK_STREAM).listen())
attempt("other", lambda: bind(("0.0.0.0", 19080)))
attempt("only-v6", lambda: bind(("::1", 18080), family=AF_INET6))
""")
    assert got == {"v4": "EACCES", "v6": "EACCES", "unbound": "EACCES", "other": "ok", "only-v6": "ok"}


def test_raw_sockets(site, python):
    site.config("p")
    site.policy('default = "deny"\n[[rule]]\naction = "allow"\nprotocol = ["raw", "icmp"]\naddress = "127.0.0.1"\n')
    ping = 'bytes([8, 0, 0xf7, 0xfe, 0, 1, 0, 0])'
    got = python(f"""
raw = lambda: socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
attempt("there", lambda: raw().sendto({ping}, ("127.0.0.1", 0)))
attempt("elsewhere", lambda: raw().sendto({ping}, ("127.0.0.2", 0)))
attempt("unspec", lambda: raw_call("sendto", raw(), {ping}, 8, 0, v4("127.0.0.2", 0, 0), 16))
""")
    assert got == {"there": "ok", "elsewhere": "EACCES", "unspec": "EAFNOSUPPORT"}
    site.policy('default = "allow"\n[[rule]]\naction = "deny"\nprotocol = "raw"\n')
    assert python('attempt("raw", lambda: socket(AF_INET, SOCK_RAW, IPPROTO_ICMP))') == {"raw": "EACCES"}
    assert site.events()[-1]["operation"] == "socket"


def test_audit_lets_pass_and_tells(site, python, peer):
    port, _ = peer
    site.config("p")
    site.policy('mode = "audit"\ndefault = "deny"\n')
    assert python(f'attempt("tcp", lambda: tcp(("127.0.0.1", {port})))') == {"tcp": "ok"}
    event = site.events()[-1]
    assert (event["action"], event["address"], event["port"], event["rule"]) == ("audit", "127.0.0.1", port, "default")


# --- whose policy it is ----------------------------------------------------------------------

DENY_ALL = 'default = "deny"\n'
ALLOW_ALL = 'default = "allow"\n'
TRY = 'attempt("listen", lambda: bind(("127.0.0.1", 0)))'


def test_annotation_adds_a_policy(site, python):
    site.policy(DENY_ALL, "strict")
    site.config(annotation=["str*"])
    assert python(TRY) == {"listen": "ok"}
    assert python(TRY, prepare=annotate("strict")) == {"listen": "EACCES"}


def test_annotation_never_widens(site, python):
    site.policy(DENY_ALL, "strict")
    site.policy(ALLOW_ALL, "lax")
    site.config("strict", annotation=["lax"])
    assert python(TRY, prepare=annotate("lax")) == {"listen": "EACCES"}


@pytest.mark.parametrize("name", ["other", "../strict", "missing"])
def test_annotation_must_be_allowed(site, run, name):
    site.policy(DENY_ALL, "strict")
    site.policy(ALLOW_ALL, "other")
    site.config(annotation=["strict", "missing"])
    result = run("/bin/true", prepare=annotate(name))
    assert result.status == 1 and "annotations.org.callgate.policy" in result.stderr
    assert ("there is no policy 'missing'" if name == "missing" else "is not among those") in result.stderr


# --- files -----------------------------------------------------------------------------------

def command(*args):
    return subprocess.run([BUILD / "callgate", "policy", *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=20, check=False)


RULE = 'default = "deny"\n[[rule]]\naction = "allow"\n'
BAD = {
    'default = "deny"\nports = 1\n': ":2: ports: unknown key; expected one of",
    'mode = "audit"\n': ": default: this property is required",
    'default = "maybe"\n': ':1: default: expected one of "allow", "deny"',
    RULE + 'port = 70000\n': ":4: rule[0].port: expected a port (80) or a range",
    RULE + 'port = "9-1"\n': ":4: rule[0].port: expected a port",
    RULE + 'address = ["::1", "10.0.0.1/8"]\n': ":4: rule[0].address[1]: expected an address or a range",
    RULE + 'protocol = "icmp"\nport = 1\n': ":2: rule[0]: port: only tcp and udp have ports",
    RULE + 'operation = []\n': ":4: rule[0].operation: expected at least one",
    RULE + 'action = "deny"\n': ":4:",
    'default = \n': ":1:",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_policy(site, run, text):
    path = site.policy(text)
    site.config("p")
    result = run("/bin/true")
    assert result.status == 1 and f"{path}{BAD[text]}" in result.stderr, str(result)
    checked = command("check", str(path))
    assert checked.returncode == 1 and BAD[text] in checked.stderr


def test_bad_configuration(site, run):
    (site.path / "config.toml").write_text("[policy]\nlog = 1\n")
    result = run("/bin/true")
    assert result.status == 1 and "config.toml:2: policy.log: expected a string" in result.stderr


def test_check_and_list(site):
    site.policy(RULE + 'port = 80\n', "web")
    site.policy("broken", "x")
    site.config("web", annotation=["x"])
    assert "web: valid: mode enforce, default deny, 1 rule\n" in command("check", "web").stdout
    lines = command("list").stdout.splitlines()
    assert lines[1].split() == ["web", "enforce", "deny", "1", "every", "container"]
    assert lines[2].split()[:2] == ["x", "invalid"]
    assert command("check", "nothing").returncode == 1


# --- executables -----------------------------------------------------------------------------

PERL_LISTENS = ("use Socket; socket(S, PF_INET, SOCK_STREAM, 0) && setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1)"
                " && bind(S, sockaddr_in(18080, INADDR_LOOPBACK)) && listen(S, 1) ? print(\"ok\") : print(\"no\")")
NC = "nc -z 127.0.0.1 {port} >/dev/null 2>&1 && echo ok || echo no"


@pytest.fixture
def only_perl(site):
    """Only perl may listen on 18080, only curl may reach 127.0.0.1:PORT."""
    def go(port, more=""):
        site.config("p")
        site.policy(f"""
            default = "deny"
            [executable.server]
            path = "/usr/bin/perl"
            [executable.client]
            path = ["/usr/bin/curl", "/opt/not/there"]
            [[rule]]
            name = "the server"
            action = "allow"
            operation = "listen"
            protocol = "tcp"
            port = 18080
            executable = "server"
            [[rule]]
            name = "the client"
            action = "allow"
            operation = "connect"
            protocol = "tcp"
            address = "127.0.0.1"
            port = {port}
            executable = ["client"]
            {more}
            """)
    return go


def outcomes(run, script, **options):
    """{name: word} of a bash script's lines "name word"."""
    result = run("/bin/bash", "-c", script, **options)
    assert result.status == 0, str(result)
    return dict(line.split() for line in result.stdout.splitlines())


def fetch(program="curl", port=0):
    return f"$({program} -s -m 5 telnet://127.0.0.1:{port} </dev/null | grep -q peer && echo ok || echo no)"


def test_only_one_executable(site, run, only_perl, peer):
    port, _ = peer
    only_perl(port)
    python = ("import socket; s = socket.socket(); s.setsockopt(1, 2, 1); s.bind((\"127.0.0.1\", 18080)); s.listen()")
    got = outcomes(run, f"""
echo perl $(perl -e '{PERL_LISTENS}')
echo python $(python3 -c '{python}' 2>/dev/null && echo ok || echo no)
echo curl {fetch(port=port)}
echo fork $( (curl -s -m 5 telnet://127.0.0.1:{port} </dev/null; true) | grep -q peer && echo ok || echo no)
echo nc $({NC.format(port=port)})
echo bash $( (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo ok || echo no)
echo curl-elsewhere $(curl -s -m 5 telnet://127.0.0.2:{port} </dev/null | grep -q peer && echo ok || echo no)
""")
    assert got == {"perl": "ok", "python": "no", "curl": "ok", "fork": "ok", "nc": "no", "bash": "no",
                   "curl-elsewhere": "no"}
    events = site.events()
    by = {e["executable"]: e for e in events}
    assert {"/usr/bin/python3.11", "/usr/bin/nc.openbsd", "/usr/bin/bash", "/usr/bin/curl"} == set(by)
    assert by["/usr/bin/nc.openbsd"]["lineage"] == "/usr/bin/bash"
    assert by["/usr/bin/python3.11"]["rule"] == "default"


def test_data_rings_tell_the_executable(site, run, peer, monkeypatch):
    port, _ = peer
    monkeypatch.setattr("bundle.runtime_command", lambda runtime: [str(BUILD / runtime), "--data-plane=ring"])
    test_denied_executable(site, run, peer)
    events = site.events()
    assert {e["executable"] for e in events} == {"/usr/bin/curl", "/usr/bin/x"} and {e["port"] for e in events} == {port}


def test_ways_around_the_executable(site, run, only_perl, peer):
    """As an ordinary program in the container, root of the guest as it may be."""
    port, _ = peer
    only_perl(port)
    got = outcomes(run, f"""
try() {{ "$@" -s -m 5 telnet://127.0.0.1:{port} </dev/null 2>/dev/null | grep -q peer && echo ok || echo no; }}
nc=$(readlink -f /usr/bin/nc)
takes() {{ "$@" -d -w 5 127.0.0.1 {port} 2>/dev/null | grep -q peer && echo ok || echo no; }}
cp /usr/bin/curl /tmp/copy; echo copy $(try /tmp/copy)
echo hard-link $(ln /usr/bin/curl /usr/bin/hard && try /usr/bin/hard)
echo symlink $(ln -s /usr/bin/curl /tmp/sym && try /tmp/sym)
echo argv0 $(takes bash -c 'exec -a /usr/bin/curl "$0" "$@"' $nc)
echo linker $(try /lib64/ld-linux-x86-64.so.2 /usr/bin/curl)
echo preload $(LD_PRELOAD=/lib/x86_64-linux-gnu/libm.so.6 try /usr/bin/curl)
echo library-path $(LD_LIBRARY_PATH=/tmp try /usr/bin/curl)
echo audit $(LD_AUDIT=/lib/x86_64-linux-gnu/libm.so.6 try /usr/bin/curl)
echo interpreter $(printf '#!/usr/bin/perl\\nuse Socket; socket(S, PF_INET, SOCK_STREAM, 0); print connect(S, sockaddr_in({port}, INADDR_LOOPBACK)) ? "ok" : "no"' >/tmp/s; chmod +x /tmp/s; /tmp/s)
echo self-exe $(python3 -c 'import os; os.execv("/proc/self/exe", ["/usr/bin/curl", "-c", "import socket; print(\\"ok\\" if not socket.socket().connect_ex((\\"127.0.0.1\\", {port})) else \\"no\\")"])')
echo memfd $(python3 -c 'import os
fd = os.memfd_create("curl"); os.write(fd, open("'$nc'", "rb").read())
os.execve(fd, ["curl", "-z", "127.0.0.1", "{port}"], {{}})' 2>/dev/null && echo ok || echo no)
mv /usr/bin/curl /usr/bin/moved; echo renamed $(try /usr/bin/moved)
cp $nc /usr/bin/curl; echo replaced $(takes /usr/bin/curl)
mkdir -p /opt/not; cp $nc /opt/not/there; echo late $(takes /opt/not/there)
""")
    assert got == {"copy": "no", "hard-link": "ok", "symlink": "ok", "argv0": "no", "linker": "no", "preload": "no",
                   "library-path": "no", "audit": "no", "interpreter": "no", "self-exe": "no", "memfd": "no",
                   "renamed": "ok", "replaced": "no", "late": "ok"}
    assert any(e.get("preloaded") for e in site.events())
    assert {e.get("script") for e in site.events()} >= {"/tmp/s"}


def test_interpreter_and_script(site, run, peer):
    port, _ = peer
    site.config("p")
    site.policy(f"""
        default = "deny"
        [executable.tool]
        path = "/usr/bin/perl"
        script = "/usr/local/bin/tool"
        [[rule]]
        action = "allow"
        address = "127.0.0.1"
        port = {port}
        executable = "tool"
        """)
    body = f'use Socket; socket(S, PF_INET, SOCK_STREAM, 0); print connect(S, sockaddr_in({port}, INADDR_LOOPBACK)) ? "ok" : "no";'

    def prepare(bundle):
        for name in ("tool", "other"):
            path = bundle / "rootfs/usr/local/bin" / name
            path.write_text("#!/usr/bin/perl\n" + body)
            path.chmod(0o755)

    got = outcomes(run, "echo tool $(tool); echo other $(other); echo perl $(perl /usr/local/bin/tool); "
                   "echo child $(bash -c 'tool; true')", prepare=prepare)
    assert got == {"tool": "ok", "other": "no", "perl": "no", "child": "ok"}


def test_hash_follows_the_content(site, run, rootfs, peer):
    port, _ = peer
    digest = subprocess.run(["sha256sum", f"{rootfs}/usr/bin/curl"], capture_output=True, text=True,
                            check=True).stdout.split()[0]
    site.config("p")
    site.policy(f"""
        default = "deny"
        [executable.client]
        sha256 = ["{'0' * 64}", "{digest}"]
        [[rule]]
        action = "allow"
        executable = "client"
        """)
    got = outcomes(run, f"""
echo curl {fetch(port=port)}
cp /usr/bin/curl /tmp/copy; echo copy {fetch("/tmp/copy", port)}
echo >>/tmp/copy; echo changed {fetch("/tmp/copy", port)}
echo nc $({NC.format(port=port)})
""")
    assert got == {"curl": "ok", "copy": "ok", "changed": "no", "nc": "no"}
    assert len(site.events()[-1]["sha256"]) == 64


def test_denied_executable(site, run, peer):
    port, _ = peer
    site.config("p")
    site.policy("""
        default = "allow"
        [executable.client]
        path = "/usr/bin/curl"
        [[rule]]
        action = "deny"
        executable = "client"
        """)
    got = outcomes(run, f"echo curl {fetch(port=port)}; echo nc $({NC.format(port=port)}); "
                   f"ln /usr/bin/curl /usr/bin/x; echo link {fetch('x', port)}")
    assert got == {"curl": "no", "nc": "ok", "link": "no"}


def test_further_processes(site, box, only_perl, peer):
    """exec into a running container: they are programs as any other."""
    port, _ = peer
    only_perl(port)
    running = box()
    assert running.exec("/bin/bash", "-c", f"echo {fetch(port=port)}").stdout == "ok\n"
    assert running.exec("/bin/bash", "-c", NC.format(port=port)).stdout == "no\n"
    assert "peer" in running.exec("/usr/bin/curl", "-s", "-m", "5", f"telnet://127.0.0.1:{port}").stdout


EXECUTABLE = '[executable.x]\n'
BAD_EXECUTABLES = {
    'default = "deny"\n' + EXECUTABLE: ":2: executable.x: expected a path or a sha256",
    'default = "deny"\n' + EXECUTABLE + 'path = "bin/x"\n': ":3: executable.x.path: expected an absolute path",
    'default = "deny"\n' + EXECUTABLE + 'sha256 = "ABC"\n': ":3: executable.x.sha256: expected a SHA-256",
    'default = "deny"\n' + EXECUTABLE + 'hash = "ABC"\n': ":3: executable.x.hash: unknown key; expected one of path",
    RULE + 'executable = "y"\n' + EXECUTABLE + 'path = "/x"\n': ":4: rule[0].executable: expected the name of an",
}


@pytest.mark.parametrize("text", BAD_EXECUTABLES)
def test_bad_executable(site, text):
    checked = command("check", str(site.policy(text)))
    assert checked.returncode == 1 and BAD_EXECUTABLES[text] in checked.stderr, checked.stderr


# --- learning --------------------------------------------------------------------------------

def test_learned_policy(site, run, peer):
    """A run is learned; the same run is allowed afterwards, and nothing else."""
    port, _ = peer
    site.config("p")
    site.policy('mode = "learn"\ndefault = "deny"\n')
    script = f"""
echo curl {fetch(port=port)}
echo tool $(tool)
echo server $(perl -e '{PERL_LISTENS}')
"""

    def prepare(bundle):
        tool = bundle / "rootfs/usr/local/bin/tool"
        tool.write_text("#!/usr/bin/python3\nimport socket\ns = socket.socket(type=socket.SOCK_DGRAM)\n"
                        f"try:\n s.connect(('::ffff:127.0.0.1'[7:], {port})); print('ok')\nexcept OSError: print('no')\n")
        tool.chmod(0o755)

    everything = {"curl": "ok", "tool": "ok", "server": "ok"}
    assert outcomes(run, script, prepare=prepare) == everything
    assert outcomes(run, script, prepare=prepare) == everything
    assert {e["action"] for e in site.events()} == {"learn"}
    learned = command("learn", "p")
    assert learned.returncode == 0, learned.stderr
    assert learned.stdout.count("[[rule]]") == 3 and 'script = "/usr/local/bin/tool"' in learned.stdout
    site.policy(learned.stdout)
    assert command("check", "p").returncode == 0
    assert outcomes(run, script, prepare=prepare) == everything
    got = outcomes(run, script.replace("curl -s", "/tmp/other -s").replace("18080", "18081"), prepare=lambda bundle: (
        prepare(bundle), (bundle / "rootfs/tmp/other").write_bytes((bundle / "rootfs/usr/bin/curl").read_bytes()),
        (bundle / "rootfs/tmp/other").chmod(0o755)))
    assert got == {"curl": "no", "tool": "ok", "server": "no"}
    assert command("learn", "other").returncode == 1


# --- datagrams -------------------------------------------------------------------------------

def test_udp_server_may_answer(site, start):
    """... who has sent it something, and nobody else."""
    site.config("p")
    site.policy("""
        default = "deny"
        [[rule]]
        action = "allow"
        operation = "listen"
        protocol = "udp"
        port = 18080
        """)
    server = start("/usr/bin/python3", "-c", PRELUDE + """
s = socket(AF_INET, SOCK_DGRAM)
s.bind(("127.0.0.1", 18080))
data, peer = s.recvfrom(1000)
attempt("unasked", lambda: s.sendto(data, ("127.0.0.1", 9)))
attempt("other-socket", lambda: socket(AF_INET, SOCK_DGRAM).sendto(data, peer))
s.sendto(data[::-1], peer)
""")
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        answer = None
        for _ in range(100):
            try:
                client.sendto(b"ping", ("127.0.0.1", 18080))
                answer = client.recv(100)
                break
            except OSError:  # it does not listen yet
                pass
    assert answer == b"gnip"
    assert server.wait().stdout == "unasked EACCES\nother-socket EACCES\n"


@pytest.fixture
def resolver(peer):
    """A name server of the host at 127.0.0.153 and, not to be believed, 127.0.0.154."""
    names = {b"\x04good\x04test\x00": ("127.0.0.41", None), b"\x03www\x04good\x04test\x00": ("127.0.0.42", b"\x05alias\x04test\x00"),
             b"\x03bad\x04test\x00": ("127.0.0.43", None)}
    servers = []

    def reply(query, lie):
        end = query.index(0, 12) + 5
        question = query[12:end]
        address, alias = names.get(question[:-4].lower(), (None, None))
        records = []
        owner = b"\xc0\x0c"
        if address and question[-4:-2] == b"\0\1":
            if alias:
                records.append(owner + b"\0\5\0\1\0\0\0\x3c" + len(alias).to_bytes(2, "big") + alias)
                owner = alias
            records.append(owner + b"\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton("127.0.0.44" if lie else address))
        return (query[:2] + (b"\x81\x80" if address else b"\x81\x83") + b"\0\1" + len(records).to_bytes(2, "big")
                + bytes(4) + question + b"".join(records))

    def serve(server, lie):
        while True:
            query, sender = server.recvfrom(512)
            if query == b"end":
                return
            server.sendto(reply(query, lie), sender)

    for host, lie in (("127.0.0.153", False), ("127.0.0.154", True)):
        server = socket.socket(type=socket.SOCK_DGRAM)
        server.bind((host, 53))
        thread = threading.Thread(target=serve, args=(server, lie))
        thread.start()
        servers.append((server, thread, host))
    yield peer[0]
    for server, thread, host in servers:
        socket.socket(type=socket.SOCK_DGRAM).sendto(b"end", (host, 53))
        thread.join()
        server.close()


def test_host_names(site, python, resolver):
    """A name's addresses are allowed once the resolver has told them to the container."""
    port = resolver
    site.config("p")
    site.policy(f"""
        default = "deny"
        resolver = "127.0.0.153"
        [[rule]]
        action = "allow"
        operation = "connect"
        protocol = "udp"
        address = ["127.0.0.153", "127.0.0.154"]
        port = 53
        [[rule]]
        name = "by name"
        action = "allow"
        protocol = "tcp"
        host = ["good.test", "*.good.test"]
        port = {port}
        """)

    def prepare(bundle):
        path = bundle / "rootfs/etc/resolv.conf"
        path.unlink(missing_ok=True)
        path.write_text("nameserver 127.0.0.153\n")

    got = python(f"""
p = {port}
def ask(server, name):
    s = socket(AF_INET, SOCK_DGRAM)
    s.settimeout(10)
    q = b"ab\\x01\\0\\0\\1\\0\\0\\0\\0\\0\\0" + b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\\0\\0\\1\\0\\1"
    s.sendto(q, (server, 53))
    assert len(s.recv(512)) > len(q)
attempt("before", lambda: tcp(("127.0.0.41", p)))
attempt("name", lambda: tcp(("good.test", p)))
attempt("address", lambda: tcp(("127.0.0.41", p)))
attempt("mapped", lambda: tcp(("::ffff:127.0.0.41", p), AF_INET6))
attempt("alias", lambda: tcp(("www.good.test", p)))
attempt("other-name", lambda: tcp(("bad.test", p)))
attempt("other-port", lambda: tcp(("127.0.0.41", 1)))
ask("127.0.0.154", "good.test")
attempt("liar", lambda: tcp(("127.0.0.44", p)))
def forged():
    s = socket(AF_INET, SOCK_DGRAM)
    s.setsockopt(IPPROTO_IP, 11, 1)  # IP_RECVERR: the error queue gives back what was sent
    answer = (b"ab\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0\\x04good\\x04test\\0\\0\\1\\0\\1\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4" + inet_aton("127.0.0.45"))
    s.sendto(answer, ("127.0.0.153", 53))
    tcp(("127.0.0.45", p))
attempt("forged", forged)
""", prepare=prepare)
    no = "EACCES"
    assert got == {"before": no, "name": "ok", "address": "ok", "mapped": "ok", "alias": "ok", "other-name": no,
                   "other-port": no, "liar": no, "forged": no}


BAD_HOSTS = {
    RULE + 'host = "x.test"\n': ":4: rule[0].host: needs `resolver`",
    'resolver = "x"\n' + RULE: ":1: resolver: expected the address of a name server",
    'resolver = "::1"\n' + RULE + 'host = "X.test"\n': ":5: rule[0].host: expected a name in lower case",
    'resolver = "::1"\n' + RULE + 'host = "x.test"\naddress = "::1"\n': ":3: rule[0]: host: is about operation",
}


@pytest.mark.parametrize("text", BAD_HOSTS)
def test_bad_host(site, text):
    checked = command("check", str(site.policy(text)))
    assert checked.returncode == 1 and BAD_HOSTS[text] in checked.stderr, checked.stderr


# --- unix sockets --------------------------------------------------------------------------

@pytest.fixture
def sockets(tmp_path):
    """Servers of the host's in a folder that a container has as /vol: (its mount, the folder)."""
    servers = []
    for name in ("a.sock", "b.sock"):
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(tmp_path / name))
        server.listen(10)
        servers.append(server)
    (tmp_path / "dgram").unlink(missing_ok=True)
    servers.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    servers[-1].bind(str(tmp_path / "dgram"))
    yield ("/vol", "bind", str(tmp_path), ["bind", "callgate.unix=both"]), tmp_path
    for server in servers:
        server.close()


UNIX = """
def connect(path, kind=SOCK_STREAM):
    socket(AF_UNIX, kind).connect(path)
def listen(path):
    s = socket(AF_UNIX)
    s.bind(path)
    s.listen()
"""


def test_unix(site, python, sockets):
    mount, _ = sockets
    site.config("p")
    site.policy("""
        default = "deny"
        refuse = "EPERM"
        [[rule]]
        name = "a"
        action = "allow"
        operation = "connect"
        path = ["/vol/a.*", "/x"]
        [[rule]]
        action = "allow"
        operation = "listen"
        path = "/vol/own"
        [[rule]]
        action = "allow"
        address = ["0.0.0.0/0", "::/0"]
    """)
    result = python(UNIX + """
attempt("a", lambda: connect("/vol/a.sock"))
attempt("b", lambda: connect("/vol/b.sock"))
os.symlink("b.sock", "/vol/a.link")
attempt("link", lambda: connect("/vol/a.link"))
os.symlink("a.sock", "/vol/to-a")
attempt("to-a", lambda: connect("/vol/to-a"))
attempt("datagram", lambda: connect("/vol/dgram", SOCK_DGRAM))
attempt("sendto", lambda: socket(AF_UNIX, SOCK_DGRAM).sendto(b"x", "/vol/dgram"))
attempt("own", lambda: listen("/vol/own"))
attempt("other", lambda: listen("/vol/other"))
attempt("inside", lambda: listen("/tmp/other"))
""", mounts=[mount])
    assert result == {"a": "ok", "b": "EPERM", "link": "EPERM", "to-a": "ok", "datagram": "EPERM", "sendto": "EPERM",
                      "own": "ok", "other": "EPERM", "inside": "ok"}
    told = [(e["operation"], e["protocol"], e["path"], e["rule"], "address" in e) for e in site.events()]
    assert told == [("connect", "unix", "/vol/b.sock", "default", False)] * 2 + \
        [("connect", "unix", "/vol/dgram", "default", False)] * 2 + [("listen", "unix", "/vol/other", "default", False)]


def test_unix_by_executable(site, run, sockets):
    """As with addresses: what the program is, not what it is called."""
    mount, _ = sockets
    site.config("p")
    site.policy("""
        default = "deny"
        [executable.py]
        path = "/usr/bin/python3"
        [[rule]]
        action = "allow"
        protocol = "unix"
        executable = "py"
    """)
    script = "python3 -c 'from socket import *; socket(AF_UNIX).connect(\"/vol/a.sock\")' 2>&1 | tail -1; " \
        "perl -MSocket -e 'socket(S,AF_UNIX,SOCK_STREAM,0); connect(S, sockaddr_un(\"/vol/a.sock\")) or print \"$!\\n\"'; " \
        "LD_PRELOAD=libm.so.6 python3 -c 'from socket import *; socket(AF_UNIX).connect(\"/vol/a.sock\")' 2>&1 | tail -1"
    result = run("/bin/bash", "-c", script, mounts=[mount])
    assert result.stdout.splitlines() == ["Permission denied", "PermissionError: [Errno 13] Permission denied"], str(result)
    assert {e["executable"] for e in site.events()} == {"/usr/bin/perl", os.path.realpath("/usr/bin/python3")} or \
        len(site.events()) == 2


def test_unix_learned(site, run, sockets):
    mount, _ = sockets
    site.config("p")
    site.policy('mode = "learn"\ndefault = "deny"\n')
    script = "from socket import *; [socket(AF_UNIX).connect('/vol/' + n) for n in ('a.sock', 'b.sock', 'a.sock')]"
    assert run("/usr/bin/python3", "-c", script, mounts=[mount]).status == 0
    learned = subprocess.run([BUILD / "callgate", "policy", "learn", "p"], capture_output=True, text=True, check=True).stdout
    assert [line for line in learned.splitlines() if line.startswith("path = \"/vol")] == \
        ['path = "/vol/a.sock"', 'path = "/vol/b.sock"']
    site.policy(learned)
    assert run("/usr/bin/python3", "-c", script, mounts=[mount]).status == 0
    result = run("/usr/bin/python3", "-c", "from socket import *; socket(AF_UNIX).bind('/vol/new')", mounts=[mount])
    assert "PermissionError" in result.stderr, str(result)


@pytest.mark.parametrize("text, message", [
    ('path = "relative"', "expected an absolute path in the container"),
    ('path = "/x"\nport = 80', "instead of address, host and port"),
    ('path = "/x"\nprotocol = "tcp"', "is about protocol \"unix\""),
    ('protocol = "unix"\naddress = "10.0.0.1"', "unix sockets have a path, no address"),
])
def test_mistakes_with_paths(site, text, message):
    path = site.policy(f'default = "deny"\n[[rule]]\naction = "allow"\n{text}\n')
    result = subprocess.run([BUILD / "callgate", "policy", "check", path], capture_output=True, text=True, check=False)
    assert result.returncode == 1 and message in result.stderr, result.stderr


def test_denials_are_events(site, start, peer):
    """callgate events --connections tells what a policy has refused, as the log does, while it happens."""
    port, _ = peer
    site.config("p")
    site.policy('default = "deny"\n')
    script = PRELUDE + f"attempt('tcp', lambda: tcp(('127.0.0.1', {port})))"
    container = start("/bin/bash", "-c", "while ! test -e /tmp/go; do sleep 0.05; done; exec python3 -c \"$0\"", script)
    callgate = str(BUILD / "callgate")
    watch = wait_for(lambda: watching(callgate, container.id), 20, "the container")
    try:
        assert subprocess.run([callgate, "exec", container.id, "touch", "/tmp/go"], check=False).returncode == 0
        while (event := json.loads(watch.stdout.readline()))["type"] != "policy":
            pass
        data = event["data"]
        assert (event["id"], data["action"], data["rule"], data["operation"], data["address"], data["port"]) == \
            (container.id, "denied", "default", "connect", "127.0.0.1", port)
        assert data["executable"].startswith("/usr/bin/python3") and data["lineage"].startswith("/usr/bin/bash")
        assert container.wait(20).stdout == "tcp EACCES\n"
        assert [(e["address"], e["port"], e["executable"]) for e in site.events()] == [("127.0.0.1", port, data["executable"])]
    finally:
        watch.kill()
        watch.communicate()


def watching(callgate, ident):
    """callgate events --connections of it, or None: there is no such container yet."""
    watch = subprocess.Popen([callgate, "events", "--connections", "--format", "json", ident], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if watch.stderr.readline() == f"watching {ident}\n":
        return watch
    watch.communicate()
    return None
