/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the kernel on the stub machine. Each test boots a VM of its own in a child process;
 * its body is the user code of guest pid 1, which calls the kernel by sc(). The container's root is
 * an empty directory of the host, with proc, dev and tmp (a tmpfs) of the guest's own.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <asm/unistd_64.h>

#include "kernel.h"

/* VM_TEST(name) { user code; } defines a cmocka test `name`. */
#define VM_TEST(name)                                                                              \
	static void name##_vm(void);                                                               \
	static void name(void **state)                                                             \
	{                                                                                          \
		vm_run(name##_vm, 0);                                                              \
	}                                                                                          \
	static void name##_vm(void)

/* Boot a VM, run fn as pid 1, and expect the VM to end with this exit code, or by signal -expect. */
void vm_run(void (*fn)(void), int expect);

/* In this process, for good: the calling thread becomes pid 1 of a VM, and goes on with its own code. */
void vm_become(void);

/*
 * Boot a VM whose pid 1 executes a program by itself; `outside` runs in a thread of the host, where there is no
 * current task: it posts events.
 */
void vm_boot(const char *const *argv, bool wait_start, void (*outside)(void), int expect);

/* System calls of the current task: up to six arguments. */
#define sc(...) sc_pad(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define sc_pad(nr, a, b, c, d, e, f, ...)                                                          \
	stub_syscall((u64)(nr), (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f))

void check_failed(const char *file, int line, const char *what, long got, long want)
	__attribute__((noreturn));
#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			check_failed(__FILE__, __LINE__, #cond, 0, 1);                             \
	} while (0)
#define CHECK_EQ(got, want)                                                                        \
	do {                                                                                       \
		long got_ = (long)(got), want_ = (long)(want);                                     \
		if (got_ != want_)                                                                 \
			check_failed(__FILE__, __LINE__, #got " == " #want, got_, want_);          \
	} while (0)

/* User memory. */
uaddr_t ualloc(size_t size);	       /* anonymous pages, never given back */
uaddr_t ustr(const char *text);	       /* a string in user memory */
uaddr_t uput(const void *p, size_t n); /* a copy in user memory */
void poke(uaddr_t at, const void *p, size_t n);
void peek(uaddr_t at, void *p, size_t n);
u32 peek32(uaddr_t at);
u64 peek64(uaddr_t at);
void poke32(uaddr_t at, u32 val);
void poke64(uaddr_t at, u64 val);
bool ueq(uaddr_t at, const char *text); /* user memory begins with text, without its NUL */

/* Processes and threads. fn's result is the exit code. Returns the pid, the tid. */
long fork_run(int (*fn)(void *arg), void *arg);
long vfork_run(int (*fn)(void *arg), void *arg);
long thread_run(int (*fn)(void *arg), void *arg);
int wait_status(long pid); /* wait4 for this child */
void sleep_ms(u64 ms);
/* A signal handler: fn runs when sig is delivered to the current process. */
void handle(int sig, void (*fn)(int sig, uaddr_t info, uaddr_t context), u64 flags);
/* Repeat until cond or some seconds have passed. */
#define EVENTUALLY(cond)                                                                           \
	do {                                                                                       \
		for (int tries_ = 0; !(cond); tries_++) {                                          \
			if (tries_ > 5000)                                                         \
				check_failed(__FILE__, __LINE__, "eventually " #cond, 0, 1);       \
			sleep_ms(1);                                                               \
		}                                                                                  \
	} while (0)

/* A file in the container's root, put there by the host before boot. */
void host_file(const char *name, const void *data, size_t len, u32 mode);
void host_files_on_boot(void (*fn)(void)); /* fn calls host_file() */

/* A number from the host's environment. */
long host_setting(const char *name, long otherwise);

/* From stub.h, which host code and tests share. */
long stub_syscall(u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
void stub_next_image(int (*fn)(void *arg), void *arg);
int stub_page_prot(uaddr_t addr);
u64 stub_affinity(struct task *t);
bool stub_load(uaddr_t addr, void *to, size_t len);
bool stub_store(uaddr_t addr, const void *from, size_t len);

#endif
