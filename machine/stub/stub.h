/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stub machine: the whole of machine.h on POSIX threads, in one ordinary process, for unit
 * tests. User memory is simulated page by page, so that faults are exact. PV calls go over a real
 * ring to the hypervisor's own server, which runs in other threads of the process.
 *
 * "User mode" is a C function that makes system calls by stub_syscall().
 */
#ifndef STUB_H
#define STUB_H

#include "machine.h"

struct boot_info;
struct stub_mount;

/* The root of the container is `root`; boot is copied. Makes the calling thread the first one. */
void stub_init(const char *root, const struct boot_info *boot, const struct stub_mount *mounts,
	       u32 nmounts);

typedef int (*stub_user_fn)(void *arg);
/* What the next thread or process that the calling one starts does in user mode; its result is its
 * exit code. */
void stub_next_child(stub_user_fn fn, void *arg);
/* What the calling process does in user mode after execve; NULL: exits with 0. */
void stub_next_image(stub_user_fn fn, void *arg);
/* Code of a signal handler: what runs when the kernel sends user mode to this address. */
typedef void (*stub_handler_fn)(int sig, uaddr_t info, uaddr_t context);
void stub_handler(uaddr_t address, stub_handler_fn fn);
void stub_any_handler(
	stub_handler_fn fn); /* for every other address; by default that fails the test */

/* vm0, which takes events (stub_server.h); processes that they add do `image` in user mode. */
void stub_start_vm0(size_t task_size, stub_user_fn image);

/* A system call of the calling task, with everything that happens on the way back to user mode. */
long stub_syscall(u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);

/* User memory as the calling task sees it, by plain loads and stores: a fault is a fault of user
 * code. */
bool stub_load(uaddr_t addr, void *to, size_t len);
bool stub_store(uaddr_t addr, const void *from, size_t len);
/* Protection of a page, PROT_*, or -1: not mapped. */
int stub_page_prot(uaddr_t addr);
u64 stub_affinity(struct task *t); /* the first word of the CPUs that it is to use; 0: all */
u64 stub_space_pages(void); /* mapped in the calling task's space */

#endif
