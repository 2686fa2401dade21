// SPDX-License-Identifier: Apache-2.0
/*
 * What a process runs, for the hypervisor: PV_EXEC_ID registers file, script and what was run before under
 * a number, which socket calls then carry. Only where there are connection policies; they believe it no
 * further than the container as a whole may go (docs/policy.md).
 *
 * A number is free again when nobody runs that program; the hypervisor forgets the old one when it is used anew.
 */
#include "exec_id.h"

#include "cred.h"
#include "exec.h"
#include "ring.h"
#include "sync.h"

struct exec_id {
	refcount_t ref;
	u32 number;
};

static struct mutex lock;
static u64 used[PV_MAX_EXEC_IDS / 64] = { 1 }; /* 0: unknown */

static bool wanted(void)
{
	return ((const struct boot_info *)mc_boot_info())->exec_ids;
}

static u32 number_take(void)
{
	guard(&lock);
	for (u32 i = 0; i < PV_MAX_EXEC_IDS; i++) {
		if (used[i / 64] & (1ULL << (i % 64)))
			continue;
		used[i / 64] |= 1ULL << (i % 64);
		return i;
	}
	return 0;
}

struct exec_id *exec_id_get(struct exec_id *id)
{
	if (id)
		ref_get(&id->ref);
	return id;
}

void exec_id_put(struct exec_id *id)
{
	if (!id || !ref_put(&id->ref))
		return;
	mutex_lock(&lock);
	used[id->number / 64] &= ~(1ULL << (id->number % 64));
	mutex_unlock(&lock);
	kfree(id);
}

u32 exec_id_cred(void)
{
	const struct exec_id *id = current->proc->exec_id;

	return cred_pv_id() | (id ? id->number << PV_EXEC_ID_SHIFT : 0);
}

/* Code of somebody else's choice comes in by the dynamic linker. */
static bool preloads(const struct exec_strings *s)
{
	static const char *const names[] = { "LD_PRELOAD=", "LD_AUDIT=", "LD_LIBRARY_PATH=" };
	const char *at = s->block + s->env_off;

	for (u32 i = 0; i < s->envc; i++) {
		for (u32 k = 0; k < ARRAY_SIZE(names); k++)
			if (!strncmp(at, names[k], strlen(names[k])))
				return true;
		at += strlen(at) + 1;
	}
	return false;
}

static s64 pv_register(const struct exec *x, u32 number)
{
	u32 cred = exec_id_cred();
	struct pv_slot s;
	s64 ret;

	mc_pv_get(&s);
	s.req.cmd = PV_EXEC_ID;
	s.req.u.handle = (struct pv_req_handle){ .id = x->prog.file->handle,
						 .id2 = x->script_file ? x->script_file->handle : 0,
						 .cred = cred,
						 .flags = preloads(&x->strings) ? PV_EXEC_PRELOADED : 0,
						 .off = number,
						 .pid = current->proc->pid };
	ret = mc_pv_call(&s);
	mc_pv_put(&s);
	return ret;
}

struct exec_id *exec_id_new(const struct exec *x)
{
	struct exec_id *id = wanted() ? kzalloc(sizeof(*id)) : NULL;

	if (!id)
		return NULL;
	ref_init(&id->ref);
	id->number = number_take();
	if (id->number && pv_register(x, id->number) >= 0)
		return id;
	/* unknown, to which no rule about an executable applies */
	if (id->number)
		exec_id_put(id);
	else
		kfree(id);
	return NULL;
}
