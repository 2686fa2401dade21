// SPDX-License-Identifier: Apache-2.0
/* What the core file is called: /proc/sys/kernel/core_pattern, as core(5) has it. Programs (a '|') are not served. */
#include "impl.h"

#include <linux/time.h>

#include "cred.h"
#include "pid_ns.h"
#include "user_ns.h"
#include "uts.h"

char core_pattern[CORE_PATTERN_MAX] = "core";
s64 core_uses_pid;

static void put_name(struct seq *m, const char *s)
{
	for (; *s; s++)
		seq_putc(m, *s == '/' ? '!' : *s);
}

static void put_exe(struct seq *m)
{
	char *text __kfree = current->mm->exe ? file_text(current->mm->exe) : NULL;

	put_name(m, text ? text : current->comm);
}

static void put_host(struct seq *m)
{
	struct new_utsname u;

	uts_get(&u);
	put_name(m, u.nodename);
}

static void put_item(struct seq *m, char c, int sig)
{
	struct task *t = current;

	switch (c) {
	case '%':
		seq_putc(m, '%');
		break;
	case 'p':
		seq_printf(m, "%d", t->proc->vpid);
		break;
	case 'P':
		seq_printf(m, "%d", t->proc->pid);
		break;
	case 'i':
		seq_printf(m, "%d", t->vtid);
		break;
	case 'I':
		seq_printf(m, "%d", t->tid);
		break;
	case 'u':
		seq_printf(m, "%u", t->cred->uid);
		break;
	case 'g':
		seq_printf(m, "%u", t->cred->gid);
		break;
	case 'd':
		seq_printf(m, "%d", t->proc->dumpable);
		break;
	case 's':
		seq_printf(m, "%d", sig);
		break;
	case 't':
		seq_printf(m, "%lu", mc_clock(CLOCK_REALTIME) / (u64)NSEC_PER_SEC);
		break;
	case 'c':
		seq_printf(m, "%lu", rlimit(RLIMIT_CORE));
		break;
	case 'h':
		put_host(m);
		break;
	case 'e':
	case 'f':
		put_name(m, t->comm);
		break;
	case 'E':
		put_exe(m);
		break;
	}
}

char *core_name(int sig)
{
	char pattern[CORE_PATTERN_MAX];
	struct seq m = { 0 };
	bool has_pid = false;

	strlcpy(pattern, core_pattern, sizeof(pattern));
	for (const char *p = pattern; *p; p++) {
		if (*p != '%') {
			seq_putc(&m, *p);
			continue;
		}
		if (!*++p)
			break;
		has_pid |= *p == 'p';
		put_item(&m, *p, sig);
	}
	if (core_uses_pid && !has_pid)
		seq_printf(&m, ".%d", current->proc->vpid);
	seq_putc(&m, '\0');
	if (!m.failed)
		return m.buf;
	kfree(m.buf);
	return NULL;
}
