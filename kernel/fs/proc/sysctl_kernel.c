// SPDX-License-Identifier: Apache-2.0
/* /proc/sys/kernel. */
#include "sysctl.h"

#include "core.h"
#include "cred.h"
#include "ipc_limits.h"
#include "task.h"
#include "uts.h"

#define INT_LOW (-0x80000000l)
#define INT_HIGH 0x7fffffffl

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

/* ---- core files ---- */

static int show_core_pattern(struct seq *m, const struct pseudo_ctx *c)
{
	seq_printf(m, "%s\n", core_pattern);
	return 0;
}

/* A program that is to be given the core file is not served. */
static s64 store_core_pattern(const struct pseudo_ctx *c, char *text, size_t len)
{
	char *end = strchr(text, '\n');

	if (end)
		*end = '\0';
	if (*text == '|' || strlen(text) >= CORE_PATTERN_MAX)
		return -EINVAL;
	strlcpy(core_pattern, text, CORE_PATTERN_MAX);
	return (s64)len;
}

/* ---- Yama ---- */

static const struct sysctl_ints scope_ints = { &yama_scope, 1, 0, 3, NULL };

/* 3 stays. */
static s64 store_scope(const struct pseudo_ctx *c, char *text, size_t len)
{
	const struct sysctl_ints least = { &yama_scope, 1, yama_scope == 3 ? 3 : 0, 3, NULL };
	const struct pseudo_entry e = { .arg = &least };

	if (!capable(CAP_SYS_PTRACE))
		return -EPERM;
	return sysctl_store_ints(&(struct pseudo_ctx){ .e = &e }, text, len);
}

static const struct pseudo_entry yama_entries[] = {
	PSEUDO_FILE("ptrace_scope", 0644, .show = sysctl_show_ints, .store = store_scope, .arg = &scope_ints),
	{ 0 },
};

/* ---- System V IPC ---- */

static const struct sysctl_ints sem_limits = { ipc_limits.sem, SEM_LIMITS, INT_LOW, INT_HIGH, NULL };

/* The last of the four, the number of sets, has bounds and an error of its own. */
static s64 store_sem(const struct pseudo_ctx *c, char *text, size_t len)
{
	s64 v[SEM_LIMITS];
	const struct sysctl_ints copy = { v, SEM_LIMITS, INT_LOW, INT_HIGH, NULL };
	const struct pseudo_entry e = { .arg = &copy };
	s64 ret;

	memcpy(v, ipc_limits.sem, sizeof(v));
	ret = sysctl_store_ints(&(struct pseudo_ctx){ .e = &e }, text, len);
	if (ret < 0)
		return ret;
	if (v[SEM_LIMIT_MNI] < 0 || v[SEM_LIMIT_MNI] > IPC_MNI_MAX)
		return -ERANGE;
	memcpy(ipc_limits.sem, v, sizeof(v));
	return ret;
}

const struct pseudo_entry sys_kernel_entries[] = {
	PSEUDO_TEXT("auto_msgmni", "0\n"),
	PSEUDO_TEXT("bootloader_type", "0\n"),
	PSEUDO_TEXT("cap_last_cap", "40\n"),
	PSEUDO_FILE("core_pattern", 0644, .show = show_core_pattern, .store = store_core_pattern),
	PSEUDO_TEXT("core_pipe_limit", "0\n"),
	SYSCTL_INTS("core_uses_pid", &core_uses_pid, 1, 0, 1, NULL),
	PSEUDO_TEXT("ctrl-alt-del", "0\n"),
	PSEUDO_TEXT("dmesg_restrict", "1\n"),
	UTS_RW("domainname"),
	UTS_RW("hostname"),
	PSEUDO_TEXT("kexec_load_disabled", "1\n"),
	PSEUDO_TEXT("kptr_restrict", "1\n"),
	PSEUDO_TEXT("modules_disabled", "1\n"),
	SYSCTL_INTS("msgmax", &ipc_limits.msgmax, 1, 0, INT_HIGH, NULL),
	SYSCTL_INTS("msgmnb", &ipc_limits.msgmnb, 1, 0, INT_HIGH, NULL),
	SYSCTL_INTS("msgmni", &ipc_limits.msgmni, 1, 0, IPC_MNI_MAX, NULL),
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
	PSEUDO_FILE("sem", 0644, .show = sysctl_show_ints, .store = store_sem, .arg = &sem_limits),
	SYSCTL_INTS("shm_rmid_forced", &ipc_limits.shm_rmid_forced, 1, 0, 1, ipc_limits_changed),
	SYSCTL_ULONG("shmall", &ipc_limits.shmall),
	SYSCTL_ULONG("shmmax", &ipc_limits.shmmax),
	SYSCTL_INTS("shmmni", &ipc_limits.shmmni, 1, 0, IPC_MNI_MAX, NULL),
	PSEUDO_TEXT("sysrq", "0\n"),
	PSEUDO_TEXT("tainted", "0\n"),
	PSEUDO_TEXT("threads-max", "62000\n"),
	PSEUDO_TEXT("unprivileged_bpf_disabled", "2\n"),
	PSEUDO_TEXT("unprivileged_userns_clone", "1\n"),
	UTS("version"),
	PSEUDO_DIR("yama", .children = yama_entries),
	{ 0 },
};
