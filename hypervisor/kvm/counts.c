// SPDX-License-Identifier: Apache-2.0
/*
 * How often the virtual CPUs have left the guest: calls by exit, which are counted here, and what the host kernel
 * handles by itself, which KVM counts for each of them (KVM_GET_STATS_FD, since Linux 5.14).
 */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm/kvm_impl.h"

#define NAME_ROOM 256
#define TOUCHED_MOST (64ULL << 20) /* a start uses each piece of memory from its beginning */

static const char *const stat_names[KVM_STATS] = {
	[KVM_STAT_EXITS] = "exits", [KVM_STAT_IO] = "io",     [KVM_STAT_HALT] = "halt",
	[KVM_STAT_FAULT] = "fault", [KVM_STAT_HOST] = "host", [KVM_STAT_WINDOW] = "window",
};

/* As KVM has them. */
static const char *const names[KVM_STATS] = {
	[KVM_STAT_EXITS] = "exits",	[KVM_STAT_IO] = "io_exits",    [KVM_STAT_HALT] = "halt_exits",
	[KVM_STAT_FAULT] = "pf_taken",	[KVM_STAT_HOST] = "irq_exits", [KVM_STAT_WINDOW] = "irq_window_exits",
};

static const char *const call_names[KVM_CALLS] = {
	[KVM_CALL_PV] = "pv",	      [KVM_CALL_START] = "start",   [KVM_CALL_CLOCKS] = "clocks", [KVM_CALL_IO] = "io",
	[KVM_CALL_SEND] = "send",     [KVM_CALL_RECV] = "recv",	    [KVM_CALL_SEEK] = "seek",	  [KVM_CALL_FSTAT] = "fstat",
	[KVM_CALL_POLL] = "poll",     [KVM_CALL_WATCH] = "watch",   [KVM_CALL_EVENTS] = "events", [KVM_CALL_MAP] = "map",
	[KVM_CALL_UNMAP] = "unmap",   [KVM_CALL_SIZE] = "size",	    [KVM_CALL_PUNCH] = "punch",	  [KVM_CALL_PANIC] = "panic",
	[KVM_CALL_LARGER] = "larger", [KVM_CALL_BOOTED] = "booted", [KVM_CALL_GIVE] = "give",
};

const char *counts_call_name(u32 nr)
{
	return nr < KVM_CALLS ? call_names[nr] : NULL;
}

/* The description of the i-th count. */
static bool describe(const struct vcpu *c, const struct kvm_stats_header *h, u32 i, struct kvm_stats_desc *d, char *name)
{
	off_t at = (off_t)(h->desc_offset + i * (sizeof(*d) + h->name_size));

	name[h->name_size - 1] = '\0';
	return pread(c->stats.fd, d, sizeof(*d), at) == sizeof(*d) &&
	       pread(c->stats.fd, name, h->name_size - 1, at + (off_t)sizeof(*d)) == (ssize_t)h->name_size - 1;
}

void counts_open(struct vcpu *c)
{
	struct kvm_stats_header h;
	struct kvm_stats_desc d;
	char name[NAME_ROOM];

	for (int k = 0; k < KVM_STATS; k++)
		c->stats.at[k] = -1;
	c->stats.fd = ioctl(c->fd, KVM_GET_STATS_FD, NULL);
	if (c->stats.fd < 0 || pread(c->stats.fd, &h, sizeof(h), 0) != sizeof(h) || !h.name_size || h.name_size > NAME_ROOM)
		return;
	for (u32 i = 0; i < h.num_desc && describe(c, &h, i, &d, name); i++)
		for (int k = 0; k < KVM_STATS; k++)
			if (!strcmp(name, names[k]))
				c->stats.at[k] = (s64)h.data_offset + d.offset;
}

void counts_close(struct vcpu *c)
{
	if (c->guest && c->stats.fd >= 0)
		close(c->stats.fd);
}

static void add_stats(const struct vcpu *c, struct kvm_counts *out)
{
	u64 value;

	for (int k = 0; k < KVM_STATS; k++)
		if (c->stats.at[k] >= 0 && pread(c->stats.fd, &value, sizeof(value), c->stats.at[k]) == sizeof(value))
			out->stats[k] = (out->stats[k] < 0 ? 0 : out->stats[k]) + (s64)value;
}

static void add_up(const struct kvm_guest *g, struct kvm_counts *out)
{
	memset(out, 0, sizeof(*out));
	for (int k = 0; k < KVM_STATS; k++)
		out->stats[k] = -1;
	for (unsigned int i = 0; i < g->ncpus; i++) {
		const struct vcpu *c = &g->cpus[i];

		for (int nr = 0; nr < KVM_CALLS; nr++)
			out->calls[nr] += __atomic_load_n(&c->calls[nr], __ATOMIC_RELAXED);
		out->kicks += __atomic_load_n(&c->kicks, __ATOMIC_RELAXED);
		out->timers += __atomic_load_n(&c->call->timers, __ATOMIC_RELAXED);
		out->eois += __atomic_load_n(&c->call->eois, __ATOMIC_RELAXED);
		out->ipis += __atomic_load_n(&c->call->kicks, __ATOMIC_RELAXED);
		add_stats(c, out);
	}
}

s64 counts_booted(struct kvm_guest *g)
{
	struct kvm_boot *b = &g->boot;
	const struct slot *heap = &g->slots[SLOT_HEAP];

	if (__atomic_load_n(&g->has_booted, __ATOMIC_ACQUIRE))
		return -EINVAL;
	add_up(g, &b->counts);
	b->touched = memory_touched(&g->slots[SLOT_LOW], 0, TOUCHED_MOST) + memory_touched(&g->slots[SLOT_RING], 0, TOUCHED_MOST) +
		     memory_touched(heap, 0, TOUCHED_MOST) +
		     memory_touched(heap, KVM_ARENA_GPA - KVM_HEAP_GPA, TOUCHED_MOST) +
		     memory_touched(&g->slots[SLOT_RAM], 0, TOUCHED_MOST);
	__atomic_store_n(&g->has_booted, true, __ATOMIC_RELEASE);
	return 0;
}

static json_t *to_json(const struct kvm_counts *c)
{
	json_t *calls = json_object(), *kvm = json_object();

	for (int i = 0; i < KVM_CALLS; i++)
		if (call_names[i])
			json_object_set_new(calls, call_names[i], json_integer((json_int_t)c->calls[i]));
	for (int k = 0; k < KVM_STATS; k++)
		if (c->stats[k] >= 0)
			json_object_set_new(kvm, stat_names[k], json_integer((json_int_t)c->stats[k]));
	return json_pack("{sososIs{sIsIsI}}", "call", calls, "kvm", kvm, "kicks", (json_int_t)c->kicks, "apic", "timer",
			 (json_int_t)c->timers, "eoi", (json_int_t)c->eois, "kick", (json_int_t)c->ipis);
}

json_t *kvm_guest_exits(const struct kvm_guest *g)
{
	struct kvm_counts now;
	json_t *all, *boot;

	add_up(g, &now);
	all = to_json(&now);
	if (!__atomic_load_n(&g->has_booted, __ATOMIC_ACQUIRE))
		return all;
	boot = to_json(&g->boot.counts);
	json_object_set_new(boot, "touched", json_integer((json_int_t)g->boot.touched));
	json_object_set_new(boot, "prefaulted", json_integer(g->boot.prefaulted));
	json_object_set_new(all, "boot", boot);
	return all;
}
