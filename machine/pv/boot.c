// SPDX-License-Identifier: Apache-2.0
/*
 * The first code of a host image of the guest kernel.
 *
 * The image is executed in two cases. As vm0, by the hypervisor: it fills the VM's shared data,
 * installs the filter and starts the first guest process. And by a vfork child that execs
 * (mc_space_renew): then the VM is running, the image attaches to the shared data and
 * goes on where the task left off. argv tells: vm0 has one argument, the other two, the second
 * being the address of the task block in hexadecimal. The first is room for what the host's ps shows.
 */
#include <linux/mman.h>
#include <linux/audit.h>
#include <linux/auxvec.h>
#include <linux/seccomp.h>
#include <linux/filter.h>

#include "hostcall.h"

extern char kdata_start[], kdata_end[];

#define HWCAP2_FSGSBASE 2

struct host_stack {
	u64 argc;
	char **argv;
	u64 vdso;
	u64 hwcap2;
};

static void read_stack(u64 *sp, struct host_stack *h)
{
	u64 *p = sp + 1 + sp[0] + 1;

	h->argc = sp[0];
	h->argv = (char **)(sp + 1);
	while (*p)
		p++;
	for (p++; p[0] != AT_NULL; p += 2) {
		if (p[0] == AT_SYSINFO_EHDR)
			h->vdso = p[1];
		if (p[0] == AT_HWCAP2)
			h->hwcap2 = p[1];
	}
}

/* Before a task block exists the hostcall wrappers cannot count: they need gs. */
static struct pv_thread early_thread __attribute__((section(".data.hot")));

static void die(int status) __attribute__((noreturn));
static void die(int status)
{
	hostcall(exit, status); /* the only thread */
	__builtin_trap();
}

static void map_at(u64 addr, u64 len, int flags, int fd)
{
	long r = hostcall(mmap, addr, len, PROT_READ | PROT_WRITE, MAP_FIXED | flags, fd, 0);

	if (r != (long)addr)
		die(120);
}

/* Copy the initial .data to the VM's memory object before that replaces it. */
static void seed_data(void)
{
	char *from = kdata_start;
	size_t n = (size_t)(kdata_end - kdata_start), done = 0;

	while (done < n) {
		long r = hostcall(pwrite64, KFD_MEM, from + done, n - done, from + done - (char *)KMEM_BASE);

		if (r <= 0)
			die(121);
		done += (size_t)r;
	}
}

static void attach_memory(void)
{
	map_at(KMEM_BASE, KDATA_MAX + KHEAP_MAX + KARENA_MAX, MAP_SHARED, KFD_MEM);
	map_at(KRING_BASE, RING_SIZE, MAP_SHARED, KFD_RING);
	map_at(KPRIV_BASE, KPRIV_SIZE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

/*
 * From here on everything outside the hypercall table is impossible. The hypervisor takes the listener's descriptor. It makes
 * the container meanwhile: when it lets us go on the rest of the boot information is there.
 */
static void install_filter(void)
{
	struct sock_fprog prog = {
		.len = (u16)BOOT->filter_len,
		.filter = (struct sock_filter *)((char *)BOOT + BOOT->filter),
	};
	long fd = hostcall(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);

	if (fd < 0)
		die(122);
	__atomic_store_n(&RING->listener_fd, (u32)fd + 1, __ATOMIC_RELEASE);
	hostcall(futex, &RING->listener_fd, 1 /* FUTEX_WAKE */, 1, 0, 0, 0);
	while (__atomic_load_n(&RING->listener_fd, __ATOMIC_ACQUIRE) == (u32)fd + 1)
		hostcall(futex, &RING->listener_fd, 0 /* FUTEX_WAIT */, fd + 1, 0, 0, 0);
	hostcall(close, fd);
}

static void __attribute__((noreturn)) start_vm0(struct host_stack *h)
{
	struct pv_thread *t;

	seed_data();
	attach_memory();
	t = (struct pv_thread *)mc_task_alloc(TBLOCK_ALT); /* kernel code looks into its struct task */
	wrgsbase(t);
	pv_clock_setup(h->vdso);
	pv_signal_setup(true);
	pv_signal_stack(t);
	pv_cmdline_setup(h->argv, h->argc);
	install_filter();
	t->host_tid = t->host_pid = 1;
	pv_call_on_stack(t->regs, (void (*)(void *))pv_vm0_main, NULL);
}

static u64 parse_hex(const char *s)
{
	u64 v = 0;

	for (; *s; s++)
		v = v << 4 | (u64)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
	return v;
}

static void resume_task(void *arg)
{
	struct pv_thread *t = arg;

	t->resume(t->resume_arg);
}

/* A vfork child in its fresh space. */
static void __attribute__((noreturn)) attach(struct host_stack *h)
{
	struct pv_thread *t = (struct pv_thread *)parse_hex(h->argv[1]);

	attach_memory();
	wrgsbase(t);
	pv_touch_shared(t);
	pv_clock_setup(h->vdso);
	pv_signal_setup(false);
	pv_signal_stack(t);
	pv_cmdline_setup(h->argv, h->argc);
	pv_handle_exec_restore(t);
	t->shared_space = false;
	pv_run_on_empty_stack(resume_task, t);
}

void pv_start(u64 *stack)
{
	struct host_stack h = { 0 };

	read_stack(stack, &h);
	if (!(h.hwcap2 & HWCAP2_FSGSBASE))
		__asm__ volatile("mov $60, %%eax; mov $123, %%edi; call hostcall_site_plain" ::: "memory");
	wrgsbase(&early_thread);
	early_thread.self = &early_thread;
	if (h.argc == 1)
		start_vm0(&h);
	attach(&h);
}
