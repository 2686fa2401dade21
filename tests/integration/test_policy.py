"""Connection policies: what a container may listen on and connect to, every way around them that we know of, and bad policies."""

import json
import socket
import subprocess

import pytest
from bundle import BUILD, RUNTIME, edit_config, wait_for
from policy_site import PRELUDE, RULE, command, peer, python, site  # noqa: F401

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: callgate's own")


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


# --- whose policy it is ----------------------------------------------------------------------

DENY_ALL = 'default = "deny"\n'
ALLOW_ALL = 'default = "allow"\n'
TRY = 'attempt("listen", lambda: bind(("127.0.0.1", 0)))'


def annotate(name):
    return lambda bundle: edit_config(bundle, lambda c: c.update(annotations={"org.callgate.policy": name}))


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


# --- events ----------------------------------------------------------------------------------

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
