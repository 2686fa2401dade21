/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written to files of /proc and of cgroups made inside as text. An input: which file, whether in a user namespace of its own, then the pieces
 * that are written one after another. After each the file is read again.
 */
#include <linux/fcntl.h>
#include <linux/sched.h>

#include "../unit/kernel/harness.h"
#include "guest.h"

#define CGROUPS "/tmp/cg"
#define CGROUP	CGROUPS "/x"

static const char *const files[] = {
	"/proc/self/uid_map", "/proc/self/gid_map", "/proc/self/setgroups", "/proc/self/oom_score_adj", "/proc/self/comm",
	"/proc/self/coredump_filter", "/proc/self/timerslack_ns", "/proc/self/mem", "/proc/sys/kernel/hostname",
	"/proc/sys/kernel/domainname", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/core_uses_pid",
	"/proc/sys/kernel/shmmax", "/proc/sys/kernel/sem", "/proc/sys/kernel/msgmax", "/proc/sys/kernel/ns_last_pid",
	"/proc/sys/kernel/printk", "/proc/sys/fs/mqueue/msg_max", "/proc/sys/fs/pipe-max-size",
	"/proc/sys/fs/inotify/max_user_watches", "/proc/sys/vm/overcommit_memory", "/proc/sys/vm/overcommit_ratio",
	"/proc/sys/vm/drop_caches", "/proc/sys/net/ipv4/ip_local_port_range", "/proc/sys/net/ipv4/ping_group_range",
	"/proc/sys/net/core/somaxconn", "/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/user/max_user_namespaces",
	CGROUP "/cgroup.procs", CGROUP "/cgroup.threads", CGROUP "/cgroup.max.depth", CGROUP "/cgroup.subtree_control",
	CGROUP "/cgroup.kill", CGROUP "/cpu.weight", CGROUP "/cpu.max", CGROUP "/pids.max", CGROUP "/memory.max",
};

/* In a mount namespace of its own: there is one hierarchy, which stays. */
static void mount_cgroups(void)
{
	uaddr_t at = ustr(CGROUPS);

	sc(__NR_unshare, CLONE_NEWNS);
	sc(__NR_mkdir, at, 0755);
	sc(__NR_mount, ustr("none"), at, ustr("cgroup2"), 0, 0);
	sc(__NR_mkdir, ustr(CGROUP), 0755);
}

static int write_text(struct input *in)
{
	const char *file = files[input_below(in, ARRAY_SIZE(files))];
	u32 how = input_number(in, 1);
	uaddr_t name = ustr(file);
	long fd;

	if (!strncmp(file, CGROUPS, sizeof(CGROUPS) - 1))
		mount_cgroups();
	if (how & 1) /* an input may have set how many there may be */
		sc(__NR_unshare, CLONE_NEWUSER);
	fd = sc(__NR_open, name, how & 2 ? O_RDWR : O_WRONLY, 0);
	for (int i = 0; i < 20 && in->left; i++) {
		size_t len;
		uaddr_t at = input_piece(in, 5000, &len);

		sc(__NR_pwrite64, fd, at, len, how & 4 ? input_number(in, 1) : 0);
		sc(__NR_pread64, fd, guest_room(512), 500, 0);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = {data, size};

	guest_child(write_text, &in);
	return 0;
}
