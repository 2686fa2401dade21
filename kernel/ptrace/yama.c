// SPDX-License-Identifier: Apache-2.0
/* Yama: who may attach to whom beyond what ptrace_may_access() says, as kernel.yama.ptrace_scope wants it. */
#include "impl.h"

#include "cred.h"
#include "pid_ns.h"
#include "user_ns.h"

enum { SCOPE_CLASSIC, SCOPE_RELATIONAL, SCOPE_CAPABLE, SCOPE_NONE };

#define ANYBODY ((struct process *)-1)

s64 yama_scope;

/* Is p `from`, or below it? */
static bool descends(const struct process *p, const struct process *from)
{
	while (p && p != from)
		p = p->parent;
	return p;
}

/* Current traces it already, or is whom it has named by PR_SET_PTRACER, or below that. */
static bool is_excepted(const struct task *t)
{
	const struct process *named = t->proc->ptracer;

	if (t->ptrace.tracer && t->ptrace.tracer->proc == current->proc)
		return true;
	return named == ANYBODY || (named && descends(current->proc, named));
}

bool ptrace_may_attach(struct task *t, enum ptrace_mode mode)
{
	s64 scope = READ_ONCE(yama_scope);

	if (!ptrace_may_access(t, mode))
		return false;
	if (t->proc == current->proc || scope == SCOPE_CLASSIC)
		return true;
	if (scope == SCOPE_RELATIONAL && (descends(t->proc, current->proc) || is_excepted(t)))
		return true;
	return scope != SCOPE_NONE && t->cred && ns_capable(t->cred->user_ns, CAP_SYS_PTRACE);
}

bool yama_may_traceme(const struct task *parent)
{
	s64 scope = READ_ONCE(yama_scope);

	if (scope == SCOPE_CAPABLE)
		return parent->cred && cred_capable(parent->cred, current->cred->user_ns, CAP_SYS_PTRACE);
	return scope != SCOPE_NONE;
}

static void name_ptracer(struct process *p, struct process *tracer)
{
	struct process *old = p->ptracer;

	p->ptracer = tracer;
	if (old != ANYBODY)
		process_put(old);
}

void yama_process_exit(struct process *p)
{
	name_ptracer(p, NULL);
}

long yama_set_ptracer(u64 arg)
{
	int pid = (int)arg;
	struct task *t;

	guard(&tasklist_lock);
	t = arg && pid != -1 ? find_vtask(pid) : NULL;
	if (arg && pid != -1 && !t)
		return -EINVAL;
	if (t)
		ref_get(&t->proc->ref);
	name_ptracer(current->proc, t ? t->proc : arg ? ANYBODY : NULL);
	return 0;
}
