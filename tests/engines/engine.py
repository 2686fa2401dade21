"""The engines under test: each in a cell of its own, with the runtime as its default."""

import contextlib
import json
import os

from bundle import wait_for
from cell import HERE, Cell
from image import NAME

# The runtime in the engines. CALLGATE_ENGINE_RUNTIME=runc checks the tests themselves.
RUNTIME = os.environ.get("CALLGATE_ENGINE_RUNTIME", "callgate")
RUNC = "/usr/sbin/runc"
NAMESERVER = "10.212.0.53"


class Engine:
    """An engine with the image loaded. Calling it runs its command line: docker("ps")."""

    user = uid = None
    at_once = []  # options of "rm" not to wait for what does not heed SIGTERM
    harmless = ""  # what the engine itself leaves behind: a pattern of Cell.traces()

    def __init__(self, archive):
        self.cell = Cell(self.user, self.uid)
        self.runtime = f"{self.cell.bin}/callgate" if RUNTIME == "callgate" else RUNC
        try:
            self.start()
            self.load(archive)
            self.before = self.cell.traces()
        except BaseException:
            self.cell.close()
            raise

    def __call__(self, *args, env=None, **options):
        more = self.options()
        more["env"] = {**more.get("env", {}), **(env or {})}
        return self.cell.run(*self.client(), *args, **more, **options)

    def options(self):
        """What all commands are run with in the cell."""
        return {}

    def popen(self, *args, **options):
        return self.cell.popen(*self.client(), *args, **self.options(), **options)

    def command(self, *args):
        return self.cell.command(*self.client(), *args, **self.options())

    def box(self, *args, options=(), **more):
        """Run a command in a container that is gone afterwards."""
        return self("run", "--rm", *options, NAME, *args, **more)

    def script(self, text, options=(), **more):
        return self.box("/bin/bash", "-c", text, options=options, **more)

    def up(self, *args, options=(), **more):
        """Start a container in the background; its id."""
        return str(self("run", "-d", *options, NAME, *args, **more))

    def inspect(self, container, template=None):
        """A container as a dictionary, or one value of it."""
        if template:
            return str(self("inspect", "--format", template, container))
        return json.loads(str(self("inspect", container)))[0]

    def wait_log(self, container, text, seconds=30):
        """Wait until a container has printed a text; its log."""
        def found():
            done = self("logs", container)
            return text in done.stdout + done.stderr and done.stdout + done.stderr
        return wait_for(found, seconds, f"{text!r} in the log of {container}")

    def wait_state(self, container, template, value, seconds=30):
        wait_for(lambda: self.inspect(container, template) == value, seconds,
                 f"{template} of {container} is {value}")

    def clean(self):
        """Remove what a test has made, and say what of it is left."""
        containers = str(self("ps", "-aq")).split()
        if containers:
            self("rm", "-f", "-v", *self.at_once, *containers, check=False)
        self("network", "prune", "--force")
        self("volume", "prune", "--force")
        return self.cell.settle(self.before, self.harmless)

    def close(self):
        self.cell.close()


class Docker(Engine):
    """Debian's dockerd and containerd."""

    def start(self, *args):
        state = self.cell.state
        self.socket = state / "docker.sock"
        (state / "daemon.json").write_text("{}")
        (state / "containerd.toml").write_text(containerd_config(state))
        self.cell.daemon("/usr/bin/containerd", "--config", state / "containerd.toml")
        wait_for((state / "containerd.sock").exists, what="containerd's socket")
        self.cell.run("ip", "addr", "add", f"{NAMESERVER}/32", "dev", "lo")
        self.cell.daemon("/usr/bin/python3", HERE / "nameserver.py", NAMESERVER)
        self.start_dockerd(*args)

    def start_dockerd(self, *args):
        state = self.cell.state
        self.dockerd = self.cell.daemon(
            "/usr/sbin/dockerd", "--config-file", state / "daemon.json",
            "--containerd", state / "containerd.sock", "--data-root", state / "docker",
            "--exec-root", "/run/docker", "--pidfile", state / "docker.pid",
            "--host", f"unix://{self.socket}", "--bip", "10.213.0.1/24",
            "--default-address-pool", "base=10.214.0.0/16,size=24",
            "--dns", NAMESERVER,
            "--add-runtime", f"under-test={self.runtime}", "--default-runtime", "under-test", *args)
        with contextlib.suppress(TimeoutError):
            wait_for(lambda: self("version", check=False).status == 0 or self.dockerd.poll(), 60)
        assert self("version", check=False).status == 0, self.cell.log("dockerd")

    def stop_dockerd(self):
        self.dockerd.terminate()
        self.dockerd.wait(60)
        self.cell.daemons.remove(self.dockerd)

    def client(self):
        return ["/usr/bin/docker", "--host", f"unix://{self.socket}"]

    def load(self, archive):
        self("load", "--input", archive, timeout=300)
        for network in ("bridge", "host"):  # what docker makes once: its cgroups, its netns files
            self("run", "--rm", "--runtime", "runc", "--network", network, NAME, "/bin/true")


class Podman(Engine):
    """Podman of root, with networks by netavark."""

    at_once = ["-t", "0"]
    harmless = "cgroup /libpod_parent/[0-9a-f]{64}"  # a pod's own, in some hierarchies of v1

    def start(self):
        state = self.cell.state
        (state / "containers.conf").write_text(podman_config(self.runtime))
        self.write_storage(state / "podman", "/run/podman")

    def write_storage(self, graph, run):
        (self.cell.state / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{graph}"\nrunroot = "{run}"\n')

    def options(self):
        state = self.cell.state
        return {"env": {"CONTAINERS_CONF": f"{state}/containers.conf",
                        "CONTAINERS_STORAGE_CONF": f"{state}/storage.conf"}}

    def client(self):
        return ["/usr/bin/podman"]

    def load(self, archive):
        self("load", "--input", archive, timeout=300)
        self("run", "--rm", "--runtime", RUNC, NAME, "/bin/true")

    def clean(self):
        self("pod", "rm", "--force", "--all", *self.at_once, check=False)
        return super().clean()


class RootlessPodman(Podman):
    """Podman of an ordinary user, with networks by slirp4netns."""

    user, uid = "callgate-test", 20020

    def start(self):
        super().start()
        self.write_storage(f"{self.cell.state}/home/storage", f"/run/user/{self.uid}/containers")

    def options(self):
        return {**super().options(), "as_user": True}


class Containerd(Engine):
    """containerd with its runc shim, driven by ctr."""

    image = f"docker.io/library/{NAME}:latest"

    def start(self):
        state = self.cell.state
        (state / "containerd.toml").write_text(containerd_config(state))
        self.cell.daemon("/usr/bin/containerd", "--config", state / "containerd.toml")
        wait_for((state / "containerd.sock").exists, what="containerd's socket")

    def client(self):
        return ["/usr/bin/ctr", "--address", self.cell.state / "containerd.sock", "-n", "test"]

    def load(self, archive):
        self("images", "import", archive, timeout=300)
        self("run", "--rm", self.image, "warm-up", "/bin/true")

    def run_args(self, *options):
        return ["run", "--runtime", "io.containerd.runc.v2", "--runc-binary", self.runtime, *options,
                self.image]

    def clean(self):
        for line in str(self("tasks", "ls", "-q")).split():
            self("tasks", "kill", "-s", "KILL", line, check=False)
            wait_for(lambda: self("tasks", "rm", line, check=False).status == 0
                     or line not in str(self("tasks", "ls", "-q")))
        for line in str(self("containers", "ls", "-q")).split():
            self("containers", "rm", line)
        return self.cell.settle(self.before)


def containerd_config(state):
    return f"""version = 2
root = "{state}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{state}/containerd.sock"
"""


def podman_config(runtime):
    # Hard limits of their own: podman's defaults need CAP_SYS_RESOURCE on a machine with lower ones.
    return f"""[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[network]
network_backend = "netavark"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "under-test"
[engine.runtimes]
under-test = ["{runtime}"]
"""
