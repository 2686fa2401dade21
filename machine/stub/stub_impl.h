/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of machine/stub. Host code: libc is allowed. */
#ifndef STUB_IMPL_H
#define STUB_IMPL_H

#include <errno.h>
#include <pthread.h>

#include "layout.h"
#include "ring.h"
#include "machine.h"
#include "stub.h"

#define PAGE 4096ULL

struct space;

/* A thread of the guest. Outlives its struct task, which others may free while the thread is on its
 * last lines. */
struct stub_thread {
	int refs; /* the task's, the running thread's */
	struct task *task;
	struct space *space; /* NULL: kernel thread */
	struct pt_regs regs;
	u64 fsbase;
	u32 token;   /* mc_unpark */
	int wake_fd; /* eventfd: written by unpark and kick */
	enum mc_start how;
	stub_user_fn fn, child_fn, image_fn;
	void *arg, *child_arg, *image_arg;
	pthread_t thread;
	u32 host_tid;
	u64 affinity; /* the first word of what was asked for: for tests */
};

/* struct task begins with struct mc_thread: all that the machine may look at. */
static inline struct mc_thread *mc_of(struct task *t)
{
	return (struct mc_thread *)t;
}
static inline struct stub_thread *stub_of(struct task *t)
{
	return (struct stub_thread *)mc_of(t)->opaque[0];
}
struct stub_thread *stub_self(void);
/* Run what the kernel has made of the registers (handlers, a restart) until rip is `back` again. */
void stub_return_to(struct stub_thread *t, uaddr_t back);
struct task *stub_first_task(size_t size);
/* Sleep until woken, kicked, the deadline, or one of fds is ready (poll's result in revents). */
int stub_wait(struct pollfd *fds, int n, u64 deadline, bool interruptible);
bool stub_work_pending(void);

/* Ends the test: the kernel has broken machine.h. */
void stub_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
#define STUB_CHECK(cond)                                                                           \
	do {                                                                                       \
		if (!(cond))                                                                       \
			stub_fail("%s:%d: %s", __FILE__, __LINE__, #cond);                         \
	} while (0)

/* ---- space.c ---- */
struct space *space_new(void);
struct space *space_get(struct space *s);
void space_put(struct space *s);
struct space *space_fork(struct space *s);
/* Move bytes; stops at the first page that does not allow it. Returns what was moved. */
size_t space_copy(struct space *s, uaddr_t addr, void *buf, size_t len, bool write);
/* NUL found within len: its index; -EFAULT; or len if there is none. */
s64 space_strncpy(struct space *s, char *to, uaddr_t from, size_t len);
int space_cmpxchg(struct space *s, uaddr_t addr, u32 expect, u32 val, u32 *old);

/* ---- pv.c, handle.c ---- */
extern struct ring_header *stub_ring;
extern int stub_channel; /* donated descriptors arrive here */
void stub_server_init(const char *root, const struct stub_mount *mounts, u32 nmounts);
int stub_fd(u32 handle); /* the host's descriptor, or -errno */
void stub_take_donation(u32 handle, u32 sequence);
const struct boot_info *stub_boot_info(void);

#endif
