// SPDX-License-Identifier: Apache-2.0
/* uname, sethostname, setdomainname. */
#include "uts.h"

#include <linux/personality.h>

#include "pv_ctl.h"
#include "ring.h"
#include "sync.h"
#include "syscall.h"
#include "task.h"
#include "user_ns.h"

static struct mutex lock; /* the names of all */

struct uts_ns init_uts_ns = {
	.ns = NS_INIT(NS_UTS, 4026531838u),
	.name = {
		.sysname = "Linux",
		.release = UTS_RELEASE,
		.version = UTS_VERSION,
		.machine = "x86_64",
	},
};

static const char *boot_string(u32 off, const char *otherwise)
{
	return off ? (const char *)mc_boot_info() + off : otherwise;
}

static void init_locked(void)
{
	const struct boot_info *b = mc_boot_info();
	struct new_utsname *u = &init_uts_ns.name;

	if (u->nodename[0])
		return;
	strlcpy(u->nodename, boot_string(b->hostname, "localhost"), sizeof(u->nodename));
	strlcpy(u->domainname, boot_string(b->domainname, "(none)"), sizeof(u->domainname));
}

static struct uts_ns *current_uts(void)
{
	return (struct uts_ns *)current_ns(NS_UTS);
}

struct ns *uts_ns_copy(struct ns *old, struct user_ns *user)
{
	struct uts_ns *u = kzalloc(sizeof(*u));

	if (!u)
		return ERR_PTR(-ENOMEM);
	ns_init(&u->ns, NS_UTS, user);
	guard(&lock);
	init_locked();
	u->name = ((struct uts_ns *)old)->name;
	return &u->ns;
}

void uts_ns_free(struct ns *ns)
{
	kfree(ns);
}

void uts_get(struct new_utsname *out)
{
	guard(&lock);

	init_locked();
	*out = current_uts()->name;
}

/* UNAME26: for programs that know no version beyond 2.6. Those of Linux 4 and later count on from 2.6.60. */
static void release_of_old(char *release)
{
	char rest[__NEW_UTS_LEN + 1];
	const char *p = release;
	u64 minor = 0;

	while (*p && *p != '.')
		p++;
	if (*p)
		parse_u64(p + 1, &p, 10, &minor);
	while (*p == '.' || (*p >= '0' && *p <= '9'))
		p++;
	strlcpy(rest, p, sizeof(rest));
	snprintf(release, __NEW_UTS_LEN + 1, "2.6.%lu%s", minor + 60, rest);
}

long sys_uname(u64 to)
{
	struct new_utsname u;

	uts_get(&u);
	if ((current->proc->personality & PER_MASK) == PER_LINUX32)
		strlcpy(u.machine, "i686", sizeof(u.machine));
	if (current->proc->personality & UNAME26)
		release_of_old(u.release);
	return mc_copy_to_user(to, &u, sizeof(u)) ? -EFAULT : 0;
}

/* The host's uts namespace follows the first one here: what the hypervisor and tools outside show should agree. */
static int tell_host(const char *name, size_t len)
{
	if (current_uts() != &init_uts_ns)
		return 0;
	/* any bytes will do here, but not in a PV call's string */
	return (int)pv_ctl_call(PV_SETHOSTNAME, 0, current->proc->pid, name, strnlen(name, len));
}

static int set_name(char *field, const char *name, size_t len)
{
	if (len > __NEW_UTS_LEN)
		return -EINVAL;
	guard(&lock);
	init_locked();
	memset(field, 0, __NEW_UTS_LEN + 1);
	memcpy(field, name, len);
	return 0;
}

int uts_set_hostname(const char *name, size_t len)
{
	int err = len > __NEW_UTS_LEN ? -EINVAL : tell_host(name, len);

	return err ? err : set_name(current_uts()->name.nodename, name, len);
}

int uts_set_domainname(const char *name, size_t len)
{
	return set_name(current_uts()->name.domainname, name, len);
}

static long from_user(int (*set)(const char *, size_t), uaddr_t name, int len)
{
	char copy[__NEW_UTS_LEN];

	if (!ns_capable(ns_owner(&current_uts()->ns), CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > __NEW_UTS_LEN)
		return -EINVAL;
	if (mc_copy_from_user(copy, name, (size_t)len))
		return -EFAULT;
	return set(copy, (size_t)len);
}

long sys_sethostname(u64 name, u64 len)
{
	return from_user(uts_set_hostname, name, (int)len);
}

long sys_setdomainname(u64 name, u64 len)
{
	return from_user(uts_set_domainname, name, (int)len);
}
