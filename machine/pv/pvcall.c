// SPDX-License-Identifier: Apache-2.0
/* The guest's side of ring.h: slots, requests, the doorbell and the wait for the answer. */
#include <linux/futex.h>

#include "../ring_slots.h"
#include "hostcall.h"
#include "trace_ring.h"

/* The last one is for a panic: it can't wait for those who hold the others, who may be dead. */
#define PANIC_SLOT (RING_SLOTS - 1)
static struct ring_slots slots __attribute__((section(".data.hot"))) = { .free = ~(1ULL << PANIC_SLOT) };
static struct mutex ring_lock __attribute__((section(".data.hot")));

void mc_pv_get(struct pv_slot *s) { ring_slot_get(&slots, RING, s); }

void mc_pv_put(struct pv_slot *s) { ring_slot_put(&slots, s); }

bool pv_doorbell(void)
{
	u32 one = 1;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&RING->sleeping, __ATOMIC_RELAXED) ||
	    !__atomic_compare_exchange_n(&RING->sleeping, &one, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	hostcall(futex, &RING->sleeping, FUTEX_WAKE, 1, 0, 0, 0);
	return true;
}

#define CPUNODE_SEGMENT 0x7b /* Linux keeps the CPU's number in its limit, for the vdso */

/* The host's CPU, plus 1; 0: not known. */
static u32 host_cpu(void)
{
	u32 limit = ~0u;

	__asm__("lsl %1, %0" : "+r"(limit) : "r"(CPUNODE_SEGMENT) : "cc");
	return limit == ~0u ? 0 : (limit & 0xfff) + 1;
}

/* A panic goes on without the lock if its holder does not: what that was about is lost in any case. */
static void ring_lock_take(const struct pv_slot *s)
{
	u32 tries;

	if (s->index != PANIC_SLOT) {
		mutex_lock(&ring_lock);
		return;
	}
	for (tries = 0; tries < 1000 && !mutex_trylock(&ring_lock); tries++)
		mc_yield();
}

/* Is the answer worth polling for? Not where the hypervisor runs on this very CPU, and does once we sleep. */
static bool submit(struct pv_slot *s)
{
	u32 prod, cpu = host_cpu();

	s->req.req_id = s->index;
	__atomic_store_n(&RING->state[s->index], SLOT_PENDING, __ATOMIC_RELAXED);
	ring_lock_take(s);
	prod = RING->req_prod;
	RING->requests[prod % RING_SLOTS] = s->req;
	__atomic_store_n(&RING->caller_cpu, cpu, __ATOMIC_RELAXED);
	__atomic_store_n(&RING->req_prod, prod + 1, __ATOMIC_RELEASE);
	mutex_unlock(&ring_lock);
	return pv_doorbell() || !cpu || __atomic_load_n(&RING->server_cpu, __ATOMIC_RELAXED) != cpu;
}

/*
 * Most calls are answered in a few microseconds by the other CPU. A longer wait sleeps. The time
 * to poll adapts: where polling was in vain (one CPU, a busy host), it shrinks to nothing.
 */
#define SPIN_MAX 1500 /* about 75 us: a hypervisor that sleeps on an idle CPU takes 50 to wake */
#define SPIN_MIN 50
static u32 spin_budget __attribute__((section(".data.hot"))) = SPIN_MAX;

static bool poll_answer(u32 *state)
{
	u32 i, budget = BOOT->ncpus > 1 ? READ_ONCE(spin_budget) : 0;

	for (i = 0; i < budget; i++) {
		if (__atomic_load_n(state, __ATOMIC_ACQUIRE) == SLOT_DONE) {
			if (budget < SPIN_MAX)
				WRITE_ONCE(spin_budget, min(budget + SPIN_MAX / 8, (u32)SPIN_MAX));
			return true;
		}
		__builtin_ia32_pause();
	}
	if (budget > SPIN_MIN)
		WRITE_ONCE(spin_budget, budget - budget / 8);
	return false;
}

static void await(u32 *state, bool poll)
{
	u32 pending = SLOT_PENDING;

	if (poll && poll_answer(state))
		return;
	__atomic_compare_exchange_n(state, &pending, SLOT_SLEEPING, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(state, __ATOMIC_ACQUIRE) != SLOT_DONE)
		pv_futex_wait(state, SLOT_SLEEPING, MC_FOREVER, false);
}

/* The handle that a request creates, if its answer can carry a descriptor. */
static u32 new_handle(const struct pv_request *r)
{
	switch (r->cmd) {
	case PV_SOCKET:
		return (u32)r->u.socket.id;
	case PV_ACCEPT:
		return (u32)r->u.accept.id_new;
	case PV_OPEN:
	case PV_UNIX_CONNECT:
	case PV_UNIX_BIND:
		return (u32)r->u.path.arg;
	default:
		return r->u.handle.id;
	}
}

static bool start(struct pv_slot *s)
{
	pv_self()->npvcalls++;
	pv_handle_before(&s->req);
	return submit(s);
}

static s64 take_answer(struct pv_slot *s)
{
	s->rsp = RING->responses[s->index];
	__atomic_store_n(&RING->state[s->index], SLOT_FREE, __ATOMIC_RELAXED);
	return s->rsp.ret;
}

s64 mc_pv_call(struct pv_slot *s)
{
	await(&RING->state[s->index], start(s));
	take_answer(s);
	if (s->rsp.donation)
		pv_handle_take(new_handle(&s->req), s->rsp.donation);
	if (s->req.cmd == PV_OPEN && s->rsp.ret == 0)
		pv_handle_opened(&s->req);
	return s->rsp.ret;
}

void mc_pv_start(struct pv_slot *s) { start(s); }

bool mc_pv_wait(struct pv_slot *s, const u32 *word, u32 seen)
{
	u32 *state = &RING->state[s->index], cpu = host_cpu(), i;
	bool poll = BOOT->ncpus > 1 && __atomic_load_n(&RING->server_cpu, __ATOMIC_RELAXED) != cpu;

	for (i = 0; i < (poll ? READ_ONCE(spin_budget) : 1); i++) {
		if (__atomic_load_n(state, __ATOMIC_ACQUIRE) == SLOT_DONE)
			return true;
		if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != seen)
			return false;
		__builtin_ia32_pause();
	}
	await(state, false);
	return true;
}

s64 mc_pv_finish(struct pv_slot *s)
{
	await(&RING->state[s->index], true);
	return take_answer(s);
}

/* ---- console, end ---- */

static void call_text(struct pv_slot *s, u32 cmd, u64 arg, const char *text, size_t len)
{
	len = min(len, (size_t)RING_BUF_SIZE);
	memcpy(s->buf, text, len);
	s->req.cmd = cmd;
	s->req.u.ctl = (struct pv_req_ctl){ .arg = arg, .len = (u32)len };
	mc_pv_call(s);
}

static void send_text(u32 cmd, u64 arg, const char *text, size_t len)
{
	struct pv_slot s;

	mc_pv_get(&s);
	call_text(&s, cmd, arg, text, len);
	mc_pv_put(&s);
}

void mc_console(const char *text, size_t len) { send_text(PV_LOG, LOG_INFO, text, len); }

void mc_poweroff(int wait_status)
{
	for (;;)
		send_text(PV_POWEROFF, (u32)wait_status, "", 0);
}

static size_t backtrace(char *buf, size_t size)
{
	u64 *fp = __builtin_frame_address(0), base = (u64)pv_self();
	size_t n = 0;
	int i;

	for (i = 0; i < 24 && (u64)fp > base && (u64)fp < base + TBLOCK_SIZE - 16 && fp[1]; i++) {
		n += (size_t)snprintf(buf + n, size - n, "\n  #%d %#llx", i, (unsigned long long)fp[1]);
		fp = (u64 *)fp[0];
	}
	return n;
}

void mc_panic(const char *text)
{
	struct pv_slot s = { .index = PANIC_SLOT, .buf = ring_slot_buf(RING, PANIC_SLOT) };
	static bool panicked;
	char msg[2048];
	size_t n = (size_t)snprintf(msg, 1024, "%s", text);

	n = min(n, (size_t)1023);
	n += backtrace(msg + n, sizeof(msg) - n);
	/* The first is told; whoever it was may have died over it, which is vm0's to tell. */
	while (__atomic_exchange_n(&panicked, true, __ATOMIC_SEQ_CST) && !pv_is_vm0())
		mc_yield();
	for (;;)
		call_text(&s, PV_PANIC, 0, msg, n);
}

const void *mc_boot_info(void) { return BOOT; }
struct guest_counters *mc_counters(void) { return COUNTERS; }

struct trace_header *mc_trace(u8 **data)
{
	*data = (u8 *)KRING_BASE + RING_TRACE_DATA_OFF;
	return (struct trace_header *)(KRING_BASE + RING_TRACE_OFF);
}

static void *take(u64 *used, size_t len, u64 base, u64 limit)
{
	u64 old = __atomic_fetch_add(used, len, __ATOMIC_RELAXED);

	if (old + len > limit) {
		__atomic_fetch_sub(used, len, __ATOMIC_RELAXED);
		return NULL;
	}
	return (void *)(base + old);
}

static u64 heap_used __attribute__((section(".data.hot")));
static u64 arena_used __attribute__((section(".data.hot")));

void *mc_heap_grow(size_t len) { return take(&heap_used, len, KHEAP_BASE, KHEAP_MAX); }
void *pv_arena_alloc(size_t len) { return take(&arena_used, len, KARENA_BASE, KARENA_MAX); }
