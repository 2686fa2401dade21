// SPDX-License-Identifier: Apache-2.0
/*
 * keeper CGROUP: a native process beside the containers of an emulated machine. It says once a second on its standard output that
 * the machine is alive: "alive N", if a thread on each of its CPUs has woken since. And it keeps a VM, a CPU limit and a device
 * program (of CGROUP) in use: the machine's kernel changes its code with the first and the last of each, and QEMU 7 sometimes goes
 * on with the breakpoint that is there meanwhile, for ever.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_CPUS 64
#define APIC_BASE_ENABLED (1u << 11)

static unsigned long woken[MAX_CPUS];

/* A local interrupt controller that is off by its base, and one that is off by its register, as after a reset. */
static void keep_vm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm = fd < 0 ? -1 : ioctl(fd, KVM_CREATE_VM, 0), cpu;
	struct kvm_sregs s;

	if (vm < 0 || ioctl(vm, KVM_CREATE_IRQCHIP, 0))
		err(1, "/dev/kvm");
	for (unsigned long id = 0; id < 2; id++) {
		cpu = ioctl(vm, KVM_CREATE_VCPU, id);
		if (cpu < 0 || ioctl(cpu, KVM_GET_SREGS, &s))
			err(1, "virtual CPU");
		if (id)
			s.apic_base &= ~(unsigned long long)APIC_BASE_ENABLED;
		if (ioctl(cpu, KVM_SET_SREGS, &s))
			err(1, "virtual CPU");
	}
}

static void keep_device_program(const char *cgroup)
{
	static const struct bpf_insn allow[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr load = { 0 }, attach = { 0 };

	load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	load.insns = (unsigned long)allow;
	load.insn_cnt = sizeof(allow) / sizeof(allow[0]);
	load.license = (unsigned long)"GPL";
	attach.attach_type = BPF_CGROUP_DEVICE;
	attach.target_fd = (unsigned int)open(cgroup, O_RDONLY | O_CLOEXEC);
	attach.attach_bpf_fd = (unsigned int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)))
		err(1, "%s: device program", cgroup);
}

static void *on_cpu(void *arg)
{
	unsigned long id = (unsigned long)arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(id, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "CPU %lu", id);
	for (;;) {
		usleep(200 * 1000);
		__atomic_add_fetch(&woken[id], 1, __ATOMIC_RELAXED);
	}
}

static int all_woke(int cpus, unsigned long *seen)
{
	int all = 1;

	for (int i = 0; i < cpus; i++)
		all &= __atomic_load_n(&woken[i], __ATOMIC_RELAXED) != seen[i];
	for (int i = 0; i < cpus && all; i++)
		seen[i] = __atomic_load_n(&woken[i], __ATOMIC_RELAXED);
	return all;
}

int main(int argc, char **argv)
{
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	unsigned long seen[MAX_CPUS] = { 0 }, n = 0;
	pthread_t t;

	if (argc != 2 || cpus > MAX_CPUS)
		errx(2, "usage: keeper CGROUP");
	keep_vm();
	keep_device_program(argv[1]);
	for (long i = 0; i < cpus; i++)
		if ((errno = pthread_create(&t, NULL, on_cpu, (void *)i)))
			err(1, "thread");
	for (;; sleep(1))
		if (all_woke(cpus, seen))
			dprintf(1, "alive %lu\n", ++n);
}
