"""callgate metrics: what a parser of OpenMetrics makes of it, and that it is true."""

import json
import pathlib
import re
import socket
import subprocess

import pytest
from bundle import BUILD, RUNTIME, TESTS
from prometheus_client import parser as plain
from prometheus_client.openmetrics.parser import text_string_to_metric_families

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")

CALLGATE = str(BUILD / "callgate")
SCRIPT = """
import ctypes, os, socket
a = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
for i in range(5000): os.getppid()
for i in range(7): ctypes.CDLL(None).syscall(139)
print("up", flush=True)
while True: input()
"""


def metrics(*args):
    return subprocess.run([CALLGATE, "metrics", *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, check=True).stdout


def samples(text, ident):
    """{(name, other labels): value} of one container."""
    found = {}
    for family in text_string_to_metric_families(text):
        for s in family.samples:
            if s.labels.get("id") == ident:
                found[s.name, *(v for k, v in sorted(s.labels.items()) if k != "id")] = s.value
    return found


@pytest.fixture
def container(start):
    box = start("/usr/bin/python3", "-c", SCRIPT.replace("while True: input()", "import time; time.sleep(1000)"))
    assert box.process.stdout.readline() == b"up\n"
    return box


def test_parsed(container):
    text = metrics()
    assert text.endswith("# EOF\n")
    one = samples(text, container.id)
    assert one["callgate_container_guest_calls_total", "local"] >= 5000
    assert one["callgate_container_guest_calls_total", "missing"] >= 7
    assert one["callgate_container_missed_calls_total", "sysfs"] == 7
    assert one["callgate_container_connections", "tcp", "listening"] == 3
    assert one["callgate_container_pv_calls_total",] > 10
    assert one["callgate_container_host_calls_total",] > 10
    containers = {s.labels["status"]: s.value for f in text_string_to_metric_families(text)
                  if f.name == "callgate_containers" for s in f.samples}
    assert containers["running"] >= 1 and set(containers) == {"creating", "created", "running", "paused", "stopped"}


def test_usage_is_the_cgroups(container):
    one = samples(metrics(), container.id)
    events = json.loads(subprocess.run([CALLGATE, "events", "--stats", container.id], stdin=subprocess.DEVNULL,
                                       capture_output=True, text=True, timeout=30, check=True).stdout)["data"]
    if "current" not in events["pids"]:
        assert ("callgate_container_pids",) not in one
        return
    assert one["callgate_container_pids",] >= 2
    assert 0 < one["callgate_container_cpu_seconds_total",] <= events["cpu"]["usage"]["total"] / 1e9
    assert one["callgate_container_memory_bytes",] > 1 << 20


def test_json(container):
    one, = (c for c in json.loads(metrics("--format", "json")) if c["id"] == container.id)
    assert one["status"] == "running" and one["missed"]["sysfs"] == 7
    assert {"protocol": "tcp", "state": "listening", "n": 3} in one["connections"]


def test_a_hypervisor_that_does_not_answer(container):
    """Its own numbers are missing; nobody waits for ever."""
    pid = int(json.loads(subprocess.run([CALLGATE, "state", container.id], stdin=subprocess.DEVNULL, capture_output=True,
                                        text=True, timeout=30, check=True).stdout)["pid"])
    subprocess.run(["kill", "-STOP", str(pid)], check=True)
    try:
        one = samples(metrics(), container.id)
        assert ("callgate_container_pv_calls_total",) not in one
    finally:
        subprocess.run(["kill", "-CONT", str(pid)], check=True)
    assert samples(metrics(), container.id)["callgate_container_pv_calls_total",] > 10


ENV = {"PATH": f"{pathlib.Path(CALLGATE).parent}:/usr/bin:/bin"}


def command(unit):
    """What a unit's shell is told, without systemd's own quoting."""
    text = re.search(r"ExecStart=/bin/sh -c '(.*?)'\n", (TESTS.parent / "packaging/metrics" / unit).read_text(), re.S)[1]
    return text.replace("\\\n", "").replace("$$", "$").replace("\\\\", "\\")


def test_socket_unit_speaks_http(container, tmp_path):
    """The service's command, with a socket as systemd gives it."""
    script = command("callgate-metrics@.service")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = subprocess.Popen(["/bin/sh", "-c", script], stdin=theirs, stdout=theirs,
                                 env=ENV)
        theirs.close()
        ours.settimeout(30)
        ours.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while chunk := ours.recv(65536):
            answer += chunk
        assert child.wait(timeout=30) == 0
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0")
    assert samples(body.decode(), container.id)


def test_textfile_unit_writes_what_the_node_exporter_reads(container, tmp_path):
    """That is the older format, which has no end mark and no types but a few; a run that fails leaves the file alone."""
    place = "/var/lib/prometheus/node-exporter"
    script = command("callgate-textfile.service")
    assert script.count(place) == 3
    script = script.replace(place, str(tmp_path))
    subprocess.run(["/bin/sh", "-c", script], env=ENV, stdin=subprocess.DEVNULL, timeout=60, check=True)
    written = (tmp_path / "callgate.prom").read_text()
    assert "EOF" not in written and [p.name for p in tmp_path.iterdir()] == ["callgate.prom"]
    found = {s.name: s.value for family in plain.text_string_to_metric_families(written) for s in family.samples
             if s.labels.get("id") == container.id}
    assert found["callgate_container_pids"] >= 1 and found["callgate_container_cpu_seconds_total"] > 0
    assert {line.split()[3] for line in written.splitlines() if line.startswith("# TYPE")} <= {"gauge", "counter"}
    failed = subprocess.run(["/bin/sh", "-c", script.replace("callgate metrics", "callgate metrics --none")], env=ENV,
                            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
    assert failed.returncode != 0 and (tmp_path / "callgate.prom").read_text() == written
