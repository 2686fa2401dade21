// SPDX-License-Identifier: Apache-2.0
/*
 * What virtual CPUs are doing, for who looks at a guest that does not answer. Each is called out of the guest, its own thread
 * reads its state, and it goes on: as it was, but a virtual CPU that slept through an interrupt takes it then.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "kvm/kvm_impl.h"

#define LOOK_SIGNAL SIGSTKFLT /* nobody sends it; calls that it interrupts go on */
#define FRAMES 24
#define APIC_ISR 0x100
#define APIC_IRR 0x200
#define APIC_TIMER_INIT 0x380
#define APIC_TIMER_NOW 0x390
#define USER_RPL 3
#define FLAG_IF 0x200

static void called(int sig)
{
}

void look_init(struct kvm_guest *g)
{
	struct sigaction sa = { .sa_handler = called, .sa_flags = SA_RESTART };

	sigaction(LOOK_SIGNAL, &sa, NULL);
	pthread_mutex_init(&g->look_lock, NULL);
	pthread_cond_init(&g->look_told, NULL);
}

void look_signal(sigset_t *set)
{
	sigdelset(set, LOOK_SIGNAL);
}

/* By the vCPU's thread, outside of the guest. */
void look_tell(struct vcpu *c)
{
	struct kvm_guest *g = c->guest;
	struct vcpu_look *l = &c->look;

	pthread_mutex_lock(&g->look_lock);
	__atomic_store_n(&c->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&l->asked, false, __ATOMIC_SEQ_CST);
	l->told = !ioctl(c->fd, KVM_GET_REGS, &l->regs) && !ioctl(c->fd, KVM_GET_SREGS, &l->sregs) &&
		  !ioctl(c->fd, KVM_GET_LAPIC, &l->apic) && !ioctl(c->fd, KVM_GET_MP_STATE, &l->mp) &&
		  !ioctl(c->fd, KVM_GET_VCPU_EVENTS, &l->events);
	pthread_cond_broadcast(&g->look_told);
	pthread_mutex_unlock(&g->look_lock);
}

/* With look_lock. */
static void ask(struct vcpu *c)
{
	c->look.told = false;
	__atomic_store_n(&c->look.asked, true, __ATOMIC_SEQ_CST);
	__atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(c->thread, LOOK_SIGNAL);
}

/* ---- as text ---- */

struct text {
	char *at;
	size_t len, room;
};

static void __attribute__((format(printf, 2, 3))) say(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->at + t->len, t->room - t->len, format, args);
	va_end(args);
	if (n > 0)
		t->len += (size_t)n < t->room - t->len ? (size_t)n : t->room - t->len - 1;
}

static u32 apic_word(const struct kvm_lapic_state *apic, u32 at)
{
	u32 v;

	memcpy(&v, apic->regs + at, sizeof(v));
	return v;
}

/* A set of 256 vectors. */
static void say_vectors(struct text *t, const char *what, const struct kvm_lapic_state *apic, u32 at)
{
	bool any = false;

	say(t, "%s", what);
	for (u32 v = 0; v < 256; v++) {
		if (!(apic_word(apic, at + v / 32 * 16) >> (v % 32) & 1))
			continue;
		say(t, " %#x", v);
		any = true;
	}
	say(t, "%s", any ? ";" : " none;");
}

/* Two words at an address of the guest kernel's data. False: it is none. */
static bool read_frame(struct kvm_guest *g, u64 va, u64 frame[2])
{
	u64 gpa = va >= KVM_TEXT ? va - KVM_TEXT + KVM_IMAGE_GPA : va - KVM_DIRECT;
	const u8 *at;

	if (va < KVM_DIRECT || va % 8 || gpa >= KVM_WINDOW_GPA)
		return false;
	at = memory_at(g, gpa, 16);
	if (at)
		fetch(frame, at, 16);
	return at;
}

static void say_backtrace(struct text *t, const struct vcpu *c)
{
	u64 frame[2] = { c->look.regs.rbp, c->look.regs.rip };

	for (int i = 0; i < FRAMES && frame[1]; i++) {
		say(t, "  #%d %#" PRIx64 "\n", i, (uint64_t)frame[1]);
		if (!read_frame(c->guest, frame[0], frame))
			break;
	}
}

static const char *where(const struct vcpu_look *l)
{
	if (l->mp.mp_state == KVM_MP_STATE_HALTED)
		return l->regs.rflags & FLAG_IF ? "idle" : "halted, with interrupts off";
	return (l->sregs.cs.selector & USER_RPL) == USER_RPL ? "runs user code" : "runs the guest kernel";
}

static void say_cpu(struct text *t, const struct vcpu *c)
{
	const struct vcpu_look *l = &c->look;
	u32 nr = __atomic_load_n(&c->serving, __ATOMIC_RELAXED);

	if (!l->told) {
		say(t, "virtual CPU %u: %s %s\n", c->id, nr ? "the hypervisor serves its call" : "does not answer",
		    nr && counts_call_name(nr) ? counts_call_name(nr) : "");
		return;
	}
	say(t, "virtual CPU %u: %s\n", c->id, where(l));
	say(t, "  rip %#llx rsp %#llx rflags %#llx rax %#llx cr2 %#llx cr3 %#llx\n", l->regs.rip, l->regs.rsp, l->regs.rflags,
	    l->regs.rax, l->sregs.cr2, l->sregs.cr3);
	say_vectors(t, "  interrupts: pending", &l->apic, APIC_IRR);
	say_vectors(t, " in service", &l->apic, APIC_ISR);
	if (l->events.interrupt.injected)
		say(t, " being delivered %#x;", l->events.interrupt.nr);
	say(t, " timer %u of %u ns\n", apic_word(&l->apic, APIC_TIMER_NOW), apic_word(&l->apic, APIC_TIMER_INIT));
	if ((l->sregs.cs.selector & USER_RPL) != USER_RPL)
		say_backtrace(t, c);
}

static void wait_for_answers(struct kvm_guest *g)
{
	struct timespec until;
	unsigned int i = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 2;
	while (i < g->ncpus) {
		if (!g->cpus[i].started || g->cpus[i].look.told)
			i++;
		else if (pthread_cond_timedwait(&g->look_told, &g->look_lock, &until))
			return;
	}
}

json_t *kvm_guest_look(struct kvm_guest *g)
{
	static char room[65536];
	struct text t = { room, 0, sizeof(room) };
	json_t *reply;

	pthread_mutex_lock(&g->look_lock);
	for (unsigned int i = 0; i < g->ncpus; i++)
		if (g->cpus[i].started)
			ask(&g->cpus[i]);
	wait_for_answers(g);
	for (unsigned int i = 0; i < g->ncpus; i++)
		if (g->cpus[i].started)
			say_cpu(&t, &g->cpus[i]);
	for (int i = 0; i <= SLOT_RAM; i++)
		say(&t, "memory %#llx: %#llx bytes at %p\n", (unsigned long long)g->slots[i].gpa,
		    (unsigned long long)g->slots[i].size, (void *)g->slots[i].at);
	reply = json_pack("{ss}", "text", room);
	pthread_mutex_unlock(&g->look_lock);
	return reply;
}
