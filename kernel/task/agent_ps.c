// SPDX-License-Identifier: Apache-2.0
/* The guest's processes, for a `ps` outside: a line for each, as many as one answer to the hypervisor has room for. */
#include "cred.h"
#include "internal.h"

#define COMMAND_MAX 400
#define LINE_MAX (COMMAND_MAX + 120)

/* Plain text: neither a line of its own, nor what would fool a terminal. */
static size_t put_words(char *to, size_t room, const char *from, size_t len)
{
	size_t n;

	while (len && !from[len - 1])
		len--;
	for (n = 0; n < len && n < room; n++) {
		char c = from[n] ? from[n] : ' ';

		to[n] = c < ' ' || c > '~' ? '?' : c;
	}
	return n;
}

static size_t put_command(char *to, const struct process *p, const struct task *t)
{
	const char *name = t ? t->comm : p->zombie_comm;
	char text[sizeof(t->comm) + 16];
	size_t n;

	if (t && p->cmdline_len)
		return put_words(to, COMMAND_MAX, p->cmdline, p->cmdline_len);
	n = (size_t)snprintf(text, sizeof(text), "[%.16s]%s", name, t ? "" : " <defunct>");
	return put_words(to, COMMAND_MAX, text, n);
}

/* pid ppid uid tty, then start and CPU time in ns, and the command. */
static size_t put_process(char *to, struct process *p)
{
	struct task *t = p->state == TASK_ZOMBIE ? NULL : p->leader;
	u64 user = p->utime, sys = p->stime;
	int tty = 0, pgrp;
	size_t n;

	if (p->tty)
		tty_numbers(p->tty, &tty, &pgrp);
	if (t)
		mc_cpu_time(t, true, &user, &sys);
	n = (size_t)snprintf(to, LINE_MAX - COMMAND_MAX, "%d %d %u %d %lu %lu ", p->pid, p->parent ? p->parent->pid : 0,
			     t && t->cred ? t->cred->uid : p->zombie_uid, tty, p->start_time, user + sys);
	n += put_command(to + n, p, t);
	to[n++] = '\n';
	return n;
}

int agent_processes(u32 after, char *text, size_t size)
{
	int last = (int)min(after, (u32)PID_MAX), pid;
	size_t n = 0;

	guard(&tasklist_lock);
	for (; (pid = next_pid(last)) && n + LINE_MAX < size; last = pid)
		n += put_process(text + n, find_process(pid));
	text[n] = '\0';
	return pid ? last : 0;
}
