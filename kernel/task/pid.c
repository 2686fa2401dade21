// SPDX-License-Identifier: Apache-2.0
/* Numbers of tasks: allocation and look-up. */
#include "cred.h"
#include "internal.h"
#include "syscall.h"

#define HASH_SIZE 512

struct mutex tasklist_lock __attribute__((section(".data.hot")));
struct process *init_process;

static u64 used[PID_MAX / 64];
static int last_pid;
static u32 nprocesses, ntasks;
static struct list_head tids[HASH_SIZE], pids[HASH_SIZE];

static struct list_head *bucket(struct list_head *table, int id)
{
	struct list_head *h = &table[(u32)id % HASH_SIZE];

	if (!h->next)
		list_init(h);
	return h;
}

/* A number stays taken while a process group or session bears it. */
static bool taken(int pid)
{
	return used[pid / 64] & (1ULL << (pid % 64)) || find_pgrp(pid) || session_exists(pid);
}

int pid_alloc(void)
{
	int i, pid = last_pid;

	for (i = 0; i < PID_MAX; i++) {
		if (++pid >= PID_MAX)
			pid = last_pid >= 300 ? 300 : 1; /* as Linux: low numbers are not used again */
		if (!taken(pid)) {
			used[pid / 64] |= 1ULL << (pid % 64);
			last_pid = pid;
			return pid;
		}
	}
	return -EAGAIN;
}

int pid_alloc_wanted(int pid)
{
	if (taken(pid))
		return -EEXIST;
	used[pid / 64] |= 1ULL << (pid % 64);
	return pid;
}

int pid_last(void) { return last_pid; }

void pid_free(int pid) { used[pid / 64] &= ~(1ULL << (pid % 64)); }

void task_hash(struct task *t)
{
	list_add(&t->tid_node, bucket(tids, t->tid));
	ntasks++;
}

void task_unhash(struct task *t)
{
	list_del(&t->tid_node);
	ntasks--;
}

void process_hash(struct process *p)
{
	list_add(&p->pid_node, bucket(pids, p->pid));
	nprocesses++;
}

void process_unhash(struct process *p)
{
	list_del(&p->pid_node);
	nprocesses--;
}

struct process *find_process(int pid)
{
	struct process *p;

	if (pid <= 0 || pid >= PID_MAX)
		return NULL;
	list_for_each(p, bucket(pids, pid), pid_node)
		if (p->pid == pid)
			return p;
	return NULL;
}

struct task *find_task(int tid)
{
	struct task *t;

	if (tid <= 0 || tid >= PID_MAX)
		return NULL;
	list_for_each(t, bucket(tids, tid), tid_node)
		if (t->tid == tid)
			return t;
	return NULL;
}

int next_pid(int after)
{
	int pid = after < 0 ? 0 : after + 1;

	while (pid < PID_MAX) {
		u64 word = used[pid / 64] >> (pid % 64);

		if (!word) {
			pid = (pid / 64 + 1) * 64;
			continue;
		}
		pid += __builtin_ctzll(word);
		if (find_process(pid))
			return pid;
		pid++;
	}
	return 0;
}

int for_each_process(int (*fn)(struct process *p, void *arg), void *arg)
{
	int pid = 0, r = 0;

	while (!r && (pid = next_pid(pid)))
		r = fn(find_process(pid), arg);
	return r;
}

u32 process_count(void) { return nprocesses; }
u32 task_count(void) { return ntasks; }

/* Threads of the real user, and its processes that nobody has waited for yet. */
u32 user_task_count(u32 uid)
{
	struct process *p;
	struct task *t;
	u32 n = 0;

	for (u32 i = 0; i < HASH_SIZE; i++) {
		list_for_each(t, bucket(tids, (int)i), tid_node)
			n += t->cred->uid == uid;
		list_for_each(p, bucket(pids, (int)i), pid_node)
			n += p->state == TASK_ZOMBIE && p->zombie_uid == uid;
	}
	return n;
}

void process_put(struct process *p)
{
	if (p && ref_put(&p->ref))
		process_free(p);
}

long sys_getpid(void) { return current->proc->vpid; }
long sys_gettid(void) { return current->vtid; }

long sys_getppid(void) { return READ_ONCE(current->proc->ppid); }
