"""features.md and features-linux.md: what the document says is what the runtime takes."""

import json
import re

import pytest

TOP = {"ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux", "annotations",
       "potentiallyUnsafeConfigAnnotations"}
LINUX = {"namespaces", "capabilities", "cgroup", "seccomp", "apparmor", "selinux", "intelRdt",
         "mountExtensions", "netDevices", "memoryPolicy"}


@pytest.fixture
def features(oci):
    result = oci.ok("features")
    assert result.stderr == ""
    return json.loads(result.stdout)


def listed(features, *path):
    for key in path:
        features = features.get(key) or {}
    return features or []


def numbers(version):
    return [int(n) for n in re.match(r"(\d+)\.(\d+)\.(\d+)", version).groups()]


def test_versions(oci, features):
    """Both are taken in a configuration, and are in order."""
    low, high = features["ociVersionMin"], features["ociVersionMax"]
    assert numbers(low) <= numbers(high)
    for version in (low, high):
        oci.prints("/bin/true", change=lambda c, v=version: c.update(ociVersion=v))


def test_known_properties_only(features):
    assert set(features) <= TOP and set(listed(features, "linux")) <= LINUX


def test_types(features):
    assert all(isinstance(k, str) and isinstance(v, str) for k, v in
               (features.get("annotations") or {}).items())
    for path in (("hooks",), ("mountOptions",), ("linux", "namespaces"), ("linux", "capabilities")):
        assert all(isinstance(name, str) for name in listed(features, *path)), path
    for key, value in (listed(features, "linux", "cgroup") or {}).items():
        assert isinstance(value, bool), key


def test_hooks(oci, features):
    hooks = {name: [{"path": "/bin/true"}] for name in listed(features, "hooks")}
    assert hooks
    oci.prints("/bin/true", change=lambda c: c.update(hooks=hooks))


def test_mount_options(oci, features):
    """Each is known: a name that is not would go to the file system, which refuses it."""
    names = listed(features, "mountOptions")
    assert {"bind", "ro", "nosuid", "rprivate"} <= set(names)
    skip = {"remount", "bind", "rbind", "defaults", "tmpcopyup", "idmap", "ridmap", "mand", "acl"}
    skip |= {"ratime", "rnostrictatime"} if oci.name == "runc" else set()
    mounts = [(f"/mnt/{name}", "none", "/etc", ["rbind", name]) for name in names if name not in skip]
    oci.prints("/bin/true", mounts=mounts)


def test_namespaces(oci, features):
    """Each is known as a type: the error for a bad path is another one than for an unknown type."""
    names = listed(features, "linux", "namespaces")
    assert {"pid", "network", "mount", "ipc", "uts"} <= set(names)
    for name in names:
        def change(c, name=name):
            c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != name]
            c["linux"]["namespaces"].append({"type": name, "path": "/no/such/path"})
        error = oci.refuses(change).stderr
        assert "unknown" not in error.lower(), error


@pytest.mark.callgate_only("runc 1.1 fails where the caller's own root lacks one")
def test_capabilities(oci, features):
    names = listed(features, "linux", "capabilities")
    assert len(names) >= 38
    sets = {kind: names for kind in ("bounding", "effective", "permitted")}
    result = oci.run("/bin/true", change=lambda c: c["process"].update(capabilities=sets))
    assert result.status == 0 and "CAP_" not in result.stderr, str(result)


def test_seccomp(oci, features):
    s = listed(features, "linux", "seccomp")
    assert s["enabled"] is True
    rules = [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO",
              "args": [{"index": 1, "value": 1, "valueTwo": 1, "op": op}]} for op in s["operators"]]
    rules += [{"names": [call], "action": action} for call, action in
              zip(("acct", "swapon", "swapoff", "reboot", "sethostname", "iopl", "ioperm", "vhangup",
                   "quotactl"), (a for a in s["actions"] if a != "SCMP_ACT_NOTIFY"), strict=False)]
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules,
               "architectures": [a for a in s["archs"] if a in ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32")]}
    oci.prints("/bin/true", change=lambda c: c["linux"].update(seccomp=profile))
    for flag in s.get("supportedFlags") or []:
        oci.prints("/bin/true", change=lambda c, f=flag: c["linux"].update(seccomp={**profile, "flags": [f]}))


@pytest.mark.callgate_only("runc 1.1 does not list network devices and memory policies")
def test_of_version_1_3(features):
    """What 1.3 added is told either way."""
    assert isinstance(features["linux"]["netDevices"]["enabled"], bool)
    assert set(features["linux"].get("memoryPolicy", {})) <= {"modes", "flags"}
    assert isinstance(features["linux"]["mountExtensions"]["idmap"]["enabled"], bool)
    assert isinstance(features["linux"]["intelRdt"]["enabled"], bool)


def test_the_same_anywhere(oci, features):
    """It is about the program, not about this host: no file system is needed for it."""
    again = oci.ok("features", env={"PATH": "/nonexistent"}, cwd="/")
    assert json.loads(again.stdout) == features
