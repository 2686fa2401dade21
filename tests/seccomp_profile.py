"""A seccomp section such as Docker sends with every container: what it allows by name and by
argument, what it refuses in a way of its own, and names of other machines and of no kernel."""

import pathlib

TABLE = pathlib.Path(__file__).resolve().parent.parent / "kernel/sys/syscalls.tbl"
PRIVILEGED = set("""acct add_key bpf clock_adjtime clock_settime create_module delete_module fanotify_init
    finit_module fsconfig fsmount fsopen fspick get_mempolicy init_module io_uring_enter io_uring_register
    io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind mount
    mount_setattr move_mount move_pages nfsservctl open_by_handle_at open_tree perf_event_open
    pivot_root process_madvise ptrace query_module quotactl quotactl_fd reboot request_key
    set_mempolicy setdomainname sethostname setns settimeofday swapoff swapon sysfs _sysctl umount2
    unshare uselib userfaultfd ustat vhangup vmsplice""".split())
BY_RULE = {"clone", "clone3", "personality", "socket"}
NAMESPACE_FLAGS = 0x7e020000


def _names():
    rows = (line.split() for line in TABLE.read_text().splitlines() if line and line[0] != "#")
    return [name for _, name, handler, *_ in rows if handler != "-" and name not in PRIVILEGED | BY_RULE]


def rule(names, action="SCMP_ACT_ALLOW", args=(), **more):
    keys = ("index", "value", "valueTwo", "op")
    return {"names": names, "action": action, **more,
            "args": [dict(zip(keys, arg)) for arg in args]}


def profile(*rules, default="SCMP_ACT_ERRNO", **more):
    """The default profile; rules: further ones."""
    return {
        "defaultAction": default,
        **({"defaultErrnoRet": 1} if default == "SCMP_ACT_ERRNO" else {}),  # others have no number
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [
            rule([*_names(), "arm_fadvise64_64", "breakpoint", "socketcall", "no_such_call_yet"]),
            rule(["socket"], args=[(0, 40, 0, "SCMP_CMP_NE")]),
            *(rule(["personality"], args=[(0, value, 0, "SCMP_CMP_EQ")])
              for value in (0, 8, 0x20000, 0x20008, 0xffffffff)),
            rule(["clone"], args=[(0, NAMESPACE_FLAGS, 0, "SCMP_CMP_MASKED_EQ")]),
            rule(["clone3"], "SCMP_ACT_ERRNO", errnoRet=38),
            *rules,
        ],
        **more,
    }
