"""What operations cost on the kvm machine: exits of virtual CPUs, counted by the hypervisor and by the host's KVM."""

import contextlib
import json
import os
import pathlib
import re
import subprocess

import pytest
from bundle import BUILD, TIMEOUT, wait_for
from exits import FIGURES, TIMES, WAITING, counts, difference, most, most_waiting, own, wrong_start


class Operations:
    """A container that does what it is told, and the counts of its virtual CPUs."""

    def __init__(self, bundle, ident):
        self.id = ident
        self.process = subprocess.Popen(
            [BUILD / "callgate", "run", "--bundle", bundle, ident],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)

    def do(self, name, times):
        self.process.stdin.write(f"{name} {times}\n".encode())
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"done\n", name

    def exits(self):
        done = subprocess.run([BUILD / "callgate", "debug", "exits", self.id], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=TIMEOUT, check=True)
        return counts(done.stdout.split())

    def cost(self, *lines):
        """The exits of these operations by their reasons."""
        before = self.exits()
        for name, times in lines:
            self.do(name, times)
        return difference(before, self.exits())


@pytest.fixture
def operations(bundles):
    started = []

    def go(cpus, *args):
        bundle = bundles.make(["/t/kvm_ops-static", *args], cwd="/var/tmp")
        data = json.loads((bundle / "config.json").read_text())
        data["linux"]["resources"] = {"cpu": {"quota": cpus * 100000, "period": 100000}}
        (bundle / "config.json").write_text(json.dumps(data))
        started.append(Operations(bundle, f"exits-{os.getpid()}-{len(started)}"))
        return started[-1]

    yield go
    for one in started:
        one.process.kill()
        one.process.wait(10)


@pytest.mark.parametrize("cpus", [1, 2])
def test_exits_of_operations(operations, cpus):
    ops = operations(cpus)
    ops.do("local", 1)
    too_many = {}
    for name in FIGURES:
        cost = ops.cost((name, TIMES))
        print(cpus, name, own(cost), cost)
        if own(cost) > most(name, cpus):
            too_many[name] = own(cost), cost
    assert not too_many


@pytest.mark.parametrize("how", WAITING)
def test_exits_of_waiting(operations, how):
    ops = operations(1, how)
    ops.do("local", 1)
    cost = ops.cost(*[("local", 0)] * TIMES)
    print(how, own(cost), cost)
    assert own(cost) <= most_waiting(how)


def hypervisor_memory():
    """Resident bytes of the one hypervisor that has virtual CPUs."""
    for task in pathlib.Path("/proc").glob("[0-9]*/task/*/comm"):
        with contextlib.suppress(OSError):
            if task.read_text() == "vcpu0\n":
                status = (task.parents[2] / "status").read_text()
                return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) << 10
    raise AssertionError("no virtual CPU runs")


def test_exits_of_a_start(operations):
    ops = operations(1)
    ops.do("local", 1)
    assert not wrong_start(ops.exits())


def test_exits_of_memory_that_is_given_back(operations):
    """What a process has had is the host's again, in few exits; 200 MiB come as huge pages where the host has them."""
    ops = operations(2)
    ops.do("some-memory", 2)
    base = hypervisor_memory()
    before = ops.exits()
    ops.do("much-memory", 1)
    assert hypervisor_memory() > base + (190 << 20)
    wait_for(lambda: hypervisor_memory() < base + (24 << 20), seconds=60, what="memory that is given back")
    cost = difference(before, ops.exits())
    assert 1 <= cost["call.give"] <= 3
    if "[never]" not in pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text():
        assert cost["kvm.fault"] < 10000  # of 51,200 pages
    ops.do("much-memory", 1)
