"""The operations of the runtime specification, as the command lines of runtimes have them."""

import json
import os
import subprocess
import uuid

from bundle import Result, edit_config, runtime_command, wait_for


class Runtime:
    """One runtime, with a folder of its own for state; what it makes is deleted at the end."""

    def __init__(self, name, root, bundles):
        self.name, self.root, self.bundles = name, root, bundles
        self.boxes = []

    def call(self, *args, timeout=30, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        done = subprocess.run([*runtime_command(self.name), "--root", str(self.root), *map(str, args)],
                              timeout=timeout, check=False, **options)
        return Result(done.returncode, (done.stdout or b"").decode(errors="replace"),
                      (done.stderr or b"").decode(errors="replace"))

    def ok(self, *args, **options):
        result = self.call(*args, **options)
        assert result.status == 0, f"{self.name} {args}: {result}"
        return result

    def fails(self, *args, says="", **options):
        result = self.call(*args, **options)
        assert result.status != 0, f"{self.name} {args} did not fail: {result}"
        assert result.stderr.strip(), "no reason was given"
        assert says.lower() in result.stderr.lower(), f"{says!r} is not in {result.stderr}"
        return result

    def box(self, *args, change=None, bundle=None, **options):
        self.boxes.append(Box(self, args or ("/bin/true",), change, bundle, options))
        return self.boxes[-1]

    def created(self, *args, **options):
        return self.box(*args, **options).create()

    def started(self, *args, **options):
        return self.box(*args, **options).create().start()

    def run(self, *args, change=None, **options):
        """What a container prints, and its status; it is over then."""
        return self.box(*args, change=change, **options).run()

    def prints(self, *args, **options):
        result = self.run(*args, **options)
        assert result.status == 0, f"{self.name}: {result}"
        return result.stdout

    def shell(self, script, **options):
        return self.prints("/bin/bash", "-c", "set -e; " + script, **options)

    def refuses(self, change, says=""):
        """Creation fails, and nothing of the container remains."""
        box = self.box(change=change)
        result = box.create(may_fail=True)
        assert result.status != 0, f"{self.name} accepted it"
        assert result.stderr.strip(), "no reason was given"
        assert says.lower() in result.stderr.lower(), f"{says!r} is not in {result.stderr}"
        self.fails("state", box.id)
        return result

    def close(self):
        for box in self.boxes:
            self.call("delete", "--force", box.id)


class Box:
    """One container."""

    def __init__(self, oci, args, change, bundle, options):
        self.oci, self.id = oci, f"c-{uuid.uuid4().hex[:10]}"
        self.bundle = bundle or oci.bundles.make(args, **options)
        self.out = self.bundle / f"{self.id}.out"
        if change:
            edit_config(self.bundle, change)

    @property
    def rootfs(self):
        return self.bundle / "rootfs"

    def create(self, *flags, may_fail=False, bundle=None):
        with open(self.out, "wb") as out, open(f"{self.out}.err", "wb") as err:
            result = self.oci.call("create", "--bundle", bundle or self.bundle, *flags, self.id,
                                   stdout=out, stderr=err)
        result.stderr = (self.bundle / f"{self.id}.out.err").read_text(errors="replace")
        if may_fail:
            return result
        assert result.status == 0, f"{self.oci.name} create: {result}"
        return self

    def start(self):
        self.oci.ok("start", self.id)
        return self

    def run(self, *flags, **options):
        return self.oci.call("run", "--bundle", self.bundle, *flags, self.id, **options)

    def state(self):
        return json.loads(self.oci.ok("state", self.id).stdout)

    def status(self):
        return self.state()["status"]

    def reaches(self, status):
        wait_for(lambda: self.status() == status, what=f"{self.id} is {status}")
        return self

    def says(self, text):
        """Wait until the container has printed it."""
        wait_for(lambda: text in self.output(), what=f"{text!r} in the output of {self.id}")
        return self

    def output(self):
        return self.out.read_text(errors="replace")

    def kill(self, signal="KILL"):
        self.oci.ok("kill", self.id, signal)
        return self

    def delete(self, *flags):
        self.oci.ok("delete", *flags, self.id)


def cgroups_of(pid):
    """{controller or '': path} of a host process."""
    lines = open(f"/proc/{pid}/cgroup", encoding="ascii").read().splitlines()
    return {name: path for _, names, path in (line.split(":", 2) for line in lines)
            for name in names.split(",")}


def traces_of(box):
    """What of the container is to be found on the host: mounts, cgroups, processes."""
    found = [line for line in open("/proc/self/mountinfo", encoding="utf-8")
             if box.id in line or (str(box.bundle) in line and f" {box.rootfs} " not in line)]
    found += [path for path, _, _ in os.walk("/sys/fs/cgroup") if box.id in path]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = open(f"/proc/{pid}/cmdline", "rb").read()
        except OSError:
            continue
        if box.id.encode() in command and int(pid) != os.getpid():
            found.append(command)
    return found
