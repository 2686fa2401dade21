// SPDX-License-Identifier: Apache-2.0
/* /proc/sys/kernel. */
#include "sysctl.h"

#include "uts.h"

/* ---- names ---- */

static int show_uts(struct seq *m, const struct pseudo_ctx *c)
{
	struct new_utsname u;
	const char *name = c->e->name;

	uts_get(&u);
	if (!strcmp(name, "ostype"))
		name = u.sysname;
	else if (!strcmp(name, "osrelease"))
		name = u.release;
	else if (!strcmp(name, "version"))
		name = u.version;
	else if (!strcmp(name, "hostname"))
		name = u.nodename;
	else
		name = u.domainname;
	seq_printf(m, "%s\n", name);
	return 0;
}

static s64 store_uts(const struct pseudo_ctx *c, char *text, size_t len)
{
	char *end = strchr(text, '\n');
	size_t n = end ? (size_t)(end - text) : strlen(text);
	int err = c->e->name[0] == 'h' ? uts_set_hostname(text, n) : uts_set_domainname(text, n);

	return err ? err : (s64)len;
}

#define UTS(n) PSEUDO_FILE(n, 0444, .show = show_uts)
#define UTS_RW(n) PSEUDO_FILE(n, 0644, .show = show_uts, .store = store_uts)

/* ---- random ---- */

static void show_uuid_of(struct seq *m, const u8 *u)
{
	for (int i = 0; i < 16; i++)
		seq_printf(m, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", u[i]);
	seq_putc(m, '\n');
}

static void make_uuid(u8 *u)
{
	random_bytes(u, 16);
	u[6] = (u8)((u[6] & 0x0f) | 0x40); /* version 4 */
	u[8] = (u8)((u[8] & 0x3f) | 0x80); /* RFC 4122 */
}

static int show_uuid(struct seq *m, const struct pseudo_ctx *c)
{
	u8 u[16];

	make_uuid(u);
	show_uuid_of(m, u);
	return 0;
}

static int show_boot_id(struct seq *m, const struct pseudo_ctx *c)
{
	static struct mutex lock;
	static u8 boot_id[16];

	guard(&lock);
	if (!boot_id[6])
		make_uuid(boot_id);
	show_uuid_of(m, boot_id);
	return 0;
}

static const struct pseudo_entry random_entries[] = {
	PSEUDO_FILE("boot_id", 0444, .show = show_boot_id),
	PSEUDO_TEXT("entropy_avail", "256\n"),
	PSEUDO_TEXT("poolsize", "256\n"),
	PSEUDO_TEXT("urandom_min_reseed_secs", "60\n"),
	PSEUDO_FILE("uuid", 0444, .show = show_uuid),
	PSEUDO_TEXT("write_wakeup_threshold", "256\n"),
	{ 0 },
};

static const struct pseudo_entry pty_entries[] = {
	PSEUDO_TEXT("max", "4096\n"),
	PSEUDO_TEXT("nr", "0\n"),
	PSEUDO_TEXT("reserve", "1024\n"),
	{ 0 },
};

const struct pseudo_entry sys_kernel_entries[] = {
	PSEUDO_TEXT("auto_msgmni", "0\n"),
	PSEUDO_TEXT("bootloader_type", "0\n"),
	PSEUDO_TEXT("cap_last_cap", "40\n"),
	PSEUDO_TEXT("core_pattern", "core\n"),
	PSEUDO_TEXT("core_pipe_limit", "0\n"),
	SYSCTL_BOOL("core_uses_pid", 0),
	PSEUDO_TEXT("ctrl-alt-del", "0\n"),
	PSEUDO_TEXT("dmesg_restrict", "1\n"),
	UTS_RW("domainname"),
	UTS_RW("hostname"),
	PSEUDO_TEXT("kexec_load_disabled", "1\n"),
	PSEUDO_TEXT("kptr_restrict", "1\n"),
	PSEUDO_TEXT("modules_disabled", "1\n"),
	SYSCTL_ANY("msgmax", 8192),
	SYSCTL_ANY("msgmnb", 16384),
	SYSCTL_ANY("msgmni", 32000),
	PSEUDO_TEXT("ngroups_max", "1024\n"),
	PSEUDO_TEXT("numa_balancing", "0\n"),
	UTS("osrelease"),
	UTS("ostype"),
	PSEUDO_TEXT("overflowgid", "65534\n"),
	PSEUDO_TEXT("overflowuid", "65534\n"),
	PSEUDO_TEXT("panic", "0\n"),
	PSEUDO_TEXT("panic_on_oops", "0\n"),
	PSEUDO_TEXT("perf_event_paranoid", "3\n"),
	PSEUDO_TEXT("pid_max", "32768\n"),
	PSEUDO_TEXT("printk", "4\t4\t1\t7\n"),
	PSEUDO_DIR("pty", .children = pty_entries),
	PSEUDO_DIR("random", .children = random_entries),
	PSEUDO_TEXT("randomize_va_space", "2\n"),
	PSEUDO_TEXT("sched_autogroup_enabled", "0\n"),
	PSEUDO_TEXT("sched_rr_timeslice_ms", "100\n"),
	PSEUDO_TEXT("sched_rt_period_us", "1000000\n"),
	PSEUDO_TEXT("sched_rt_runtime_us", "950000\n"),
	PSEUDO_TEXT("sem", "32000\t1024000000\t500\t32000\n"),
	PSEUDO_TEXT("shm_rmid_forced", "0\n"),
	PSEUDO_TEXT("shmall", "18446744073692774399\n"),
	PSEUDO_TEXT("shmmax", "18446744073692774399\n"),
	PSEUDO_TEXT("shmmni", "4096\n"),
	PSEUDO_TEXT("sysrq", "0\n"),
	PSEUDO_TEXT("tainted", "0\n"),
	PSEUDO_TEXT("threads-max", "62000\n"),
	PSEUDO_TEXT("unprivileged_bpf_disabled", "2\n"),
	UTS("version"),
	{ 0 },
};
