// SPDX-License-Identifier: Apache-2.0
/* PV calls: a request in the ring of ring.h, and an exit in which it is served. Those that block are answered later. */
#include "../ring_slots.h"
#include "kvm_impl.h"
#include "trace_ring.h"

static struct ring_slots slots = { .free = ~0ULL };
static struct mutex ring_lock;
static struct thread *slot_owner[RING_SLOTS]; /* who sleeps until it is answered */

void mc_pv_get(struct pv_slot *s) { ring_slot_get(&slots, RING, s); }

void mc_pv_put(struct pv_slot *s) { ring_slot_put(&slots, s); }

static void submit(struct pv_slot *s)
{
	u32 prod;

	s->req.req_id = s->index;
	__atomic_store_n(&RING->state[s->index], SLOT_PENDING, __ATOMIC_RELAXED);
	guard(&ring_lock);
	prod = RING->req_prod;
	RING->requests[prod % RING_SLOTS] = s->req;
	__atomic_store_n(&RING->req_prod, prod + 1, __ATOMIC_RELEASE);
}

static bool answered(u32 slot) { return __atomic_load_n(&RING->state[slot], __ATOMIC_ACQUIRE) == SLOT_DONE; }

/* The hypervisor sends KVM_VEC_EVENT when it answers a slot of which somebody sleeps. */
static void await(u32 slot)
{
	u32 pending = SLOT_PENDING;

	if (answered(slot))
		return;
	__atomic_store_n(&slot_owner[slot], self(), __ATOMIC_SEQ_CST);
	__atomic_compare_exchange_n(&RING->state[slot], &pending, SLOT_SLEEPING, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	while (!answered(slot))
		sched_park(TOKEN_READY, MC_FOREVER, false);
	__atomic_store_n(&slot_owner[slot], NULL, __ATOMIC_SEQ_CST);
}

void slots_answered(void)
{
	struct thread *t;
	u32 i;

	for (i = 0; i < RING_SLOTS; i++) {
		t = __atomic_load_n(&slot_owner[i], __ATOMIC_SEQ_CST);
		if (t && answered(i))
			sched_wake(t, TOKEN_READY);
	}
}

void mc_pv_start(struct pv_slot *s)
{
	self()->pv_calls++;
	submit(s);
	call_begin();
	call_make(KVM_CALL_PV);
}

/* It has been served in the exit. */
bool mc_pv_wait(struct pv_slot *s, const u32 *word, u32 seen)
{
	await(s->index);
	return true;
}

s64 mc_pv_finish(struct pv_slot *s)
{
	await(s->index);
	s->rsp = RING->responses[s->index];
	__atomic_store_n(&RING->state[s->index], SLOT_FREE, __ATOMIC_RELAXED);
	return s->rsp.ret;
}

s64 mc_pv_call(struct pv_slot *s)
{
	mc_pv_start(s);
	return mc_pv_finish(s);
}

/* ---- handles: numbers only, the hypervisor has the descriptors ---- */

static struct mutex handle_lock;
static u64 used_map[MAX_HANDLES / 64] BSS_LARGE;
static u32 first_free;

u32 mc_handle_alloc(void)
{
	u32 w, h;

	guard(&handle_lock);
	used_map[0] |= 0xffff; /* 0 is the root; 1..15 are given out at boot */
	for (w = first_free / 64; w < MAX_HANDLES / 64 && !~used_map[w]; w++)
		;
	if (w == MAX_HANDLES / 64)
		return 0;
	h = w * 64 + (u32)__builtin_ctzll(~used_map[w]);
	used_map[w] |= 1ULL << (h % 64);
	first_free = h;
	return h;
}

void mc_handle_release(u32 h)
{
	struct pv_slot s;

	objects_forget(h);
	mc_pv_get(&s);
	s.req.cmd = PV_RELEASE;
	s.req.u.release = (struct pv_req_xen_release){ .id = h };
	mc_pv_call(&s);
	mc_pv_put(&s);
	if (h < 16)
		return;
	guard(&handle_lock);
	used_map[h / 64] &= ~(1ULL << (h % 64));
	first_free = min(first_free, h);
}

/* An open file is every process's. */
bool mc_handle_here(u32 handle) { return handle; }

void mc_handle_bring(u32 handle) { (void)handle; }

/* ---- console, end ---- */

static void send_text(u32 cmd, u64 arg, const char *text, size_t len)
{
	struct pv_slot s;

	mc_pv_get(&s);
	len = min(len, (size_t)RING_BUF_SIZE);
	memcpy(s.buf, text, len);
	s.req.cmd = cmd;
	s.req.u.ctl = (struct pv_req_ctl){ .arg = arg, .len = (u32)len };
	mc_pv_call(&s);
	mc_pv_put(&s);
}

void mc_console(const char *text, size_t len) { send_text(PV_LOG, LOG_INFO, text, len); }

void mc_poweroff(int wait_status)
{
	for (;;)
		send_text(PV_POWEROFF, (u32)wait_status, "", 0);
}

/* A frame may be on a thread's stack, of the heap, or on a CPU's. */
static bool is_frame_pointer(u64 at)
{
	u64 heap = KVM_DIRECT + KVM_HEAP_GPA, stacks = (u64)cpu_stacks;

	return at % 8 == 0 && ((at >= heap && at < heap + KHEAP_MAX - 16) ||
			       (at >= stacks && at < stacks + sizeof(cpu_stacks) - 16 && (at - stacks) % CPU_STACK_ROOM >= PAGE_SIZE));
}

/* Whatever locks are held. */
void mc_panic(const char *text)
{
	struct kvm_call *k = call_begin();
	u64 *fp = __builtin_frame_address(0);
	size_t n = (size_t)snprintf(k->u.text, 1024, "%s", text);
	int i;

	n = min(n, (size_t)1023);
	for (i = 0; i < 24 && is_frame_pointer((u64)fp) && fp[1]; i++) {
		n += (size_t)snprintf(k->u.text + n, sizeof(k->u.text) - n, "\n  #%d %#llx", i, (unsigned long long)fp[1]);
		fp = (u64 *)fp[0];
	}
	for (;;)
		call_make(KVM_CALL_PANIC);
}

const void *mc_boot_info(void) { return BOOT; }
struct guest_counters *mc_counters(void) { return COUNTERS; }

struct trace_header *mc_trace(u8 **data)
{
	*data = (u8 *)RING + RING_TRACE_DATA_OFF;
	return (struct trace_header *)((u8 *)RING + RING_TRACE_OFF);
}

/* ---- data rings: not on this machine, where a socket's data needs one exit and no copy between ---- */

bool mc_data_rings(void) { return false; }
struct data_ring *mc_data_ring(u32 ref) { return NULL; }
void mc_data_bell(u32 ref) { }

u32 mc_data_next(void)
{
	for (;;)
		mc_park_killable(MC_FOREVER);
}
