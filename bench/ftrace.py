"""Which functions of the host's kernel some processes enter: ftrace's function tracer, in an instance of its own, which
is taken away afterwards and leaves nothing changed.

A function that was seen is struck from what is traced: so the first moments cost much, the rest nearly nothing, and the
buffer does not run over for long. What hardware interrupts do is not the processes' doing and does not count.
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

CALL = re.compile(r"^__x64_sys_(\w+)$")
BUFFER_KIB = 8192  # for each CPU: what comes late is not worth more, it comes again
STRIKE = 1.0  # seconds at least between changes of what is traced: each costs the whole machine some time ...
SHARE = 0.1  # ... and all of them at most this share of it


def threads(pids):
    """The thread ids of processes, those that have gone left out."""
    for pid in pids:
        with contextlib.suppress(OSError):
            yield from map(int, os.listdir(f"/proc/{pid}/task"))


class Tracefs:
    """Mounted where it is, or at a place of our own while it is used."""

    def __init__(self):
        self.path, self.ours = pathlib.Path("/sys/kernel/tracing"), None
        if not (self.path / "instances").is_dir():
            self.path = self.ours = pathlib.Path(f"/run/callgate-tracefs-{os.getpid()}")
            self.path.mkdir()
            if subprocess.run(["mount", "-t", "tracefs", "none", self.path], check=False, capture_output=True).returncode:
                self.path.rmdir()
                raise RuntimeError("this host's kernel has no tracefs")

    def close(self):
        if self.ours:
            subprocess.run(["umount", self.ours], check=True)
            self.ours.rmdir()


def why_not(tracefs):
    """Why functions can't be traced here; None if they can."""
    try:
        if "function" not in (tracefs.path / "available_tracers").read_text().split():
            return "this host's kernel has no function tracer"
        with open(tracefs.path / "available_filter_functions", encoding="ascii"):
            return None
    except OSError as error:
        return f"this host does not let its kernel's functions be traced: {error.strerror}"


class Functions:
    """The numbers by which the kernel's functions are named to ftrace: looking up names is slow."""

    def __init__(self, tracefs):
        self.numbers = {}
        with open(tracefs.path / "available_filter_functions", encoding="ascii") as lines:
            for number, line in enumerate(lines, 1):
                self.numbers.setdefault(line.split()[0], []).append(str(number))


class Tracer:
    """`with Tracer(tracefs, functions, name, pids) as t: work`; then t.seen: {function: when it was seen first}."""

    def __init__(self, tracefs, functions, name, pids, reader):
        self.path = tracefs.path / "instances" / f"callgate-{name}-{os.getpid()}"
        self.functions, self.pids, self.seen, self.phase = functions, list(pids), {}, 0
        self.new, self.lost, self.program = [], 0, reader

    def _write(self, name, text, mode="w"):
        with open(self.path / name, mode, encoding="ascii") as file:
            file.write(text)

    def __enter__(self):
        self.path.mkdir()
        try:
            self._write("buffer_size_kb", str(BUFFER_KIB))
            self._write("options/function-fork", "1")
            self._write("set_ftrace_pid", " ".join(map(str, threads(self.pids))))
            self._write("tracing_on", "0")
            self._write("current_tracer", "function")  # not possible any more when the reader has its files
            self.process = subprocess.Popen([self.program, self.path.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        except OSError:
            self.path.rmdir()
            raise
        self.reader = threading.Thread(target=self._read, daemon=True)
        try:
            if self.process.stdout.readline() != "ready\n":
                raise RuntimeError(f"{self.program} failed")
            self._write("tracing_on", "1")
            self.reader.start()
        except (OSError, RuntimeError):
            self._close()
            raise
        return self

    def __exit__(self, *_):
        self._write("tracing_on", "0")
        self.process.stdin.close()
        self.reader.join(60)
        for name in self.path.glob("per_cpu/cpu*/stats"):
            fields = dict(line.split(": ", 1) for line in name.read_text().splitlines())
            self.lost += int(fields["overrun"])
        self._close()
        if self.process.returncode:
            raise RuntimeError(f"{self.program} failed")

    def _close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(60)
        finally:
            self.process.kill()
            self.process.stdout.close()
        self._write("current_tracer", "nop")
        self.path.rmdir()

    def _read(self):
        next_strike = time.monotonic() + STRIKE
        for line in self.process.stdout:
            self.seen.setdefault(line.strip(), self.phase)
            self.new.extend(self.functions.numbers.get(line.strip(), ()))
            if time.monotonic() > next_strike:
                start = time.monotonic()
                self._strike()
                end = time.monotonic()
                next_strike = end + max(STRIKE, (end - start) / SHARE)

    def _strike(self):
        numbers, self.new = self.new, []
        for first in range(0, len(numbers), 500):
            self._write("set_ftrace_notrace", " ".join(numbers[first:first + 500]), "a")

    def calls(self):
        return sorted(match.group(1) for match in map(CALL.match, self.seen) if match)


class CallTracer:
    """The host's system calls of some processes and their children, by the tracepoint: any host lets root do that.

    A call that was seen is filtered out."""

    def __init__(self, tracefs, name, pids):
        self.path = tracefs.path / "instances" / f"callgate-{name}-{os.getpid()}"
        self.pids, self.seen, self.phase, self.done = list(pids), {}, 0, threading.Event()

    def _write(self, name, text):
        with open(self.path / name, "w", encoding="ascii") as file:
            file.write(text)

    def __enter__(self):
        self.path.mkdir()
        self._write("buffer_size_kb", str(BUFFER_KIB))
        self._write("options/event-fork", "1")
        self._write("set_event_pid", " ".join(map(str, threads(self.pids))))
        self._write("events/raw_syscalls/sys_enter/enable", "1")
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def __exit__(self, *_):
        self._write("events/raw_syscalls/sys_enter/enable", "0")
        self.done.set()
        self.reader.join(60)
        self.path.rmdir()

    def _read(self):
        pipe, rest = os.open(self.path / "trace_pipe", os.O_RDONLY | os.O_NONBLOCK), b""
        try:
            while True:
                try:
                    data = os.read(pipe, 1 << 16)
                except BlockingIOError:
                    if self.done.wait(0.02):
                        return
                    continue
                *lines, rest = (rest + data).split(b"\n")
                new = {int(line.split(b": NR ")[1].split()[0]) for line in lines if b": NR " in line} - set(self.seen)
                if new:
                    self.seen.update(dict.fromkeys(new, self.phase))
                    self._write("events/raw_syscalls/sys_enter/filter", " && ".join(f"id != {number}" for number in self.seen))
        finally:
            os.close(pipe)

    def calls(self):
        return sorted(self.seen)


@contextlib.contextmanager
def interruptible():
    """SIGTERM and SIGHUP end the program as ^C does: with everything put back."""
    def stop(number, _):
        raise KeyboardInterrupt(signal.Signals(number).name)
    old = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
