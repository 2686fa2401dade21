// SPDX-License-Identifier: Apache-2.0
/* A virtual CPU: segments, interrupt table, features, and the start of each. */
#include "kvm_impl.h"

#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084
#define MSR_KERNEL_GS_BASE 0xc0000102

#define SEG_CODE 0x00af9b000000ffffULL
#define SEG_DATA 0x00cf93000000ffffULL
#define SEG_USER (3ULL << 45)

#define FLAGS_MASK 0x47700ULL /* at a system call: TF, IF, DF, IOPL, NT, AC are off */

/* On stacks of their own. (#MC is the hypervisor's KVM_VEC_SHRUNK here: an exception as others.) */
#define NMI_VECTOR 2
#define DOUBLE_FAULT_VECTOR 8
enum { STACK_IDLE, STACK_DOUBLE_FAULT, STACK_NMI };

struct gate {
	u16 low, selector;
	u8 ist, type;
	u16 mid;
	u32 high, zero;
};

struct table_register {
	u16 limit;
	u64 base;
} __attribute__((packed));

struct cpu cpus[KVM_MAX_CPUS];
u32 ncpus = 1;
bool cpu_smap;
static u64 cr4;
static struct gate idt[256] __attribute__((aligned(16)));

static u64 stack_top(const struct cpu *c, u32 stack) { return (u64)cpu_stacks[c->id][stack] + CPU_STACK_ROOM; }

struct cpu *cpu_of_stack(const void *sp)
{
	u64 off = (u64)sp - (u64)cpu_stacks;

	return &cpus[off / sizeof(cpu_stacks[0])];
}

static void guard_stacks(void)
{
	u32 i, k;

	for (i = 0; i < ncpus; i++)
		for (k = 0; k < CPU_STACKS; k++)
			guard_page(cpu_stacks[i][k]);
}

static void load_segments(struct cpu *c)
{
	u64 tss = (u64)c->tss;
	struct table_register gdtr = { sizeof(c->gdt) - 1, (u64)c->gdt };

	c->gdt[KERNEL_CS / 8] = SEG_CODE;
	c->gdt[KERNEL_SS / 8] = SEG_DATA;
	c->gdt[USER_SS / 8] = SEG_DATA | SEG_USER;
	c->gdt[USER_CS / 8] = SEG_CODE | SEG_USER;
	c->gdt[TSS_SEL / 8] = (sizeof(c->tss) - 1) | (tss & 0xffffff) << 16 | 0x89ULL << 40 | (tss >> 24 & 0xff) << 56;
	c->gdt[TSS_SEL / 8 + 1] = tss >> 32;
	*(u64 *)(c->tss + 36) = stack_top(c, STACK_DOUBLE_FAULT); /* IST 1, 2 */
	*(u64 *)(c->tss + 44) = stack_top(c, STACK_NMI);
	*(u16 *)(c->tss + 102) = sizeof(c->tss); /* no I/O permission map */
	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "lea 1f(%%rip), %%rax\n\t"
			 "push %%rax\n\t"
			 "lretq\n"
			 "1:\tmov %w2, %%ss\n\t"
			 "mov %w3, %%ds\n\t"
			 "mov %w3, %%es\n\t"
			 "mov %w3, %%fs\n\t"
			 "mov %w3, %%gs\n\t"
			 "ltr %w4"
			 ::"m"(gdtr), "i"(KERNEL_CS), "r"(KERNEL_SS), "r"(0), "r"(TSS_SEL) : "rax", "memory");
}

static void fill_idt(void)
{
	u64 at;
	u32 i;

	for (i = 0; i < 256; i++) {
		at = (u64)kvm_stubs + 16 * i;
		idt[i] = (struct gate){ .low = (u16)at, .selector = KERNEL_CS, .type = 0x8e, .mid = (u16)(at >> 16),
					.high = (u32)(at >> 32) };
	}
	idt[3].type = idt[4].type = 0xee; /* int3, into: for user code */
	idt[DOUBLE_FAULT_VECTOR].ist = 1;
	idt[NMI_VECTOR].ist = 2;
}

static u64 read_cr4(void)
{
	u64 v;

	__asm__ volatile("mov %%cr4, %0" : "=r"(v));
	return v;
}

bool cpu_has_cr4(u64 bit) { return cr4 & bit; }

static void system_calls(void)
{
	/* syscall: cs, then ss behind it; sysret: ss = base + 8, cs = base + 16, both for user code */
	wrmsr(MSR_STAR, (u64)(USER_SS - 8) << 48 | (u64)KERNEL_CS << 32);
	wrmsr(MSR_LSTAR, (u64)kvm_syscall_entry);
	wrmsr(MSR_FMASK, FLAGS_MASK);
}

void cpu_set_stack(struct cpu *c, u64 top)
{
	c->stack = top;
	*(u64 *)(c->tss + 4) = top; /* rsp0 */
}

void cpu_init(u32 id)
{
	struct cpu *c = &cpus[id];
	struct table_register idtr = { sizeof(idt) - 1, (u64)idt };

	c->self = c;
	c->id = id;
	c->timer = MC_FOREVER;
	c->call = (struct kvm_call *)(KVM_LOWMEM + KVM_CALLS_GPA + (u64)id * KVM_CALL_ROOM);
	c->thread = &c->idle_thread;
	c->idle_thread.on_cpu = true;
	c->idle_thread.cpu = id;
	load_segments(c);
	wrmsr(MSR_GS_BASE, (u64)c);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	if (id == 0) {
		fill_idt();
		cr4 = read_cr4();
		cpu_smap = cr4 & CR4_SMAP;
	}
	__asm__ volatile("lidt %0" ::"m"(idtr));
	system_calls();
	fpu_init_cpu();
	if (id == 0)
		clock_init();
}

void kvm_start(u32 id)
{
	cpu_init(id);
	if (id == 0) {
		ncpus = clamp(BOOT->ncpus, 1u, (u32)KVM_MAX_CPUS);
		guard_stacks();
		frames_init();
		vm_thread_start();
		if (ncpus > 1) {
			call_begin();
			call_make(KVM_CALL_START);
		}
	}
	sched_idle();
}
