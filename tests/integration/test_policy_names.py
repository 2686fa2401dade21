"""Connection policies by host name: addresses that the resolver told the container."""

import socket
import threading

import pytest
from bundle import RUNTIME
from policy_site import RULE, command, peer, python, site  # noqa: F401

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: callgate's own")


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
