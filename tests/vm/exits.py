"""How many exits of virtual CPUs operations may cost: see docs/kvm.md."""

import collections

TIMES = 50
SLACK = 20  # that the operations are asked for and answered

# Exits per operation at most.
FIGURES = {"local": 0, "clock": 0, "fault": 0, "fork": 0, "exec": 6, "exec-name": 1, "read": 1, "write": 1, "send": 1,
           "send-recv": 2, "some-memory": 0}
PROCESSES = ("fork", "exec", "exec-name")  # with two virtual CPUs the other one may be woken, and is idle again
# A call that waits costs one exit to ask, one that the CPU is idle, and one for what has come; the answer is another one.
WAITING = {"read": 3, "poll": 3, "epoll": 4}


def counts(words):
    """{reason: exits} of what `callgate debug exits` says."""
    return collections.Counter(dict(zip(words[::2], map(int, words[1::2]))))


def own(cost):
    """Without interrupts of the host and of timers: there are the more the slower the machine is."""
    return cost["kvm.exits"] - sum(cost[key] for key in ("kvm.host", "kvm.window", "apic.timer", "apic.eoi"))


def difference(before, after):
    cost = collections.Counter(after)
    cost.subtract(before)
    return cost


def most(name, cpus):
    return (FIGURES[name] + (2 if cpus > 1 and name in PROCESSES else 0)) * TIMES + SLACK


def most_waiting(how):
    return (WAITING[how] + 1) * TIMES + SLACK


def wrong_start(counted):
    """What is too much about a start, or None. Where the host's KVM can't be told which memory is used first (before Linux 6.12), each
    page of that is an exit."""
    start = collections.Counter({name[5:]: n for name, n in counted.items() if name.startswith("boot.")})
    pages = start["kvm.fault"]
    if start["touched"] > 1.5 * (1 << 20) or own(start) - pages > 25 or pages > 210 or start["prefaulted"] and own(start) > 40:
        return start
    return None
