// SPDX-License-Identifier: Apache-2.0
/*
 * libseccomp compiles the rules, as it does for runc, whose reading of the configuration this follows.
 *
 * A guest is x86-64 only: rules for other architectures could never match, and are left out. Calls of x32 have
 * numbers of their own, which the guest kernel does not know: they get ENOSYS, or if x32 is not listed what libseccomp
 * does to them. Rules for them would take as long again to compile.
 */
#include "vm/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define X32_BIT 0x40000000u
#define MAX_ARGS 6

static void free_context(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

/* ---- names ---- */

static int action_of(const char *name, const struct oci_opt *errno_ret, const char *where, uint32_t *out,
		     struct error *err)
{
	static const struct {
		const char *name;
		uint32_t action;
	} actions[] = {
		{ "SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD },
		{ "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD },
		{ "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS },
		{ "SCMP_ACT_TRAP", SCMP_ACT_TRAP },
		{ "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0) },
		{ "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0) },
		{ "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW },
		{ "SCMP_ACT_LOG", SCMP_ACT_LOG },
	};

	if (!strcmp(name, "SCMP_ACT_NOTIFY"))
		return error_set(err, ENOTSUP, "%s: SCMP_ACT_NOTIFY is not supported", where);
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(name, actions[i].name))
			continue;
		*out = actions[i].action;
		if (*out == SCMP_ACT_ERRNO(0) || *out == SCMP_ACT_TRACE(0))
			*out |= errno_ret->set ? (uint32_t)errno_ret->v & SECCOMP_RET_DATA : EPERM;
		return 0;
	}
	return error_set(err, EINVAL, "%s: unknown action '%s'", where, name);
}

static int operator_of(const char *name, enum scmp_compare *out)
{
	static const char *const operators[] = {
		[SCMP_CMP_NE] = "SCMP_CMP_NE", [SCMP_CMP_LT] = "SCMP_CMP_LT", [SCMP_CMP_LE] = "SCMP_CMP_LE",
		[SCMP_CMP_EQ] = "SCMP_CMP_EQ", [SCMP_CMP_GE] = "SCMP_CMP_GE", [SCMP_CMP_GT] = "SCMP_CMP_GT",
		[SCMP_CMP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
	};

	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		if (operators[i] && !strcmp(name, operators[i])) {
			*out = (enum scmp_compare)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* "SCMP_ARCH_X86_64" as libseccomp's "x86_64" */
static int check_architecture(const char *name, size_t i, struct error *err)
{
	char lower[32];
	size_t n = 0;

	if (!strncmp(name, "SCMP_ARCH_", 10)) {
		for (name += 10; n < sizeof(lower) - 1 && name[n]; n++)
			lower[n] = (char)(name[n] >= 'A' && name[n] <= 'Z' ? name[n] + 32 : name[n]);
		lower[n] = '\0';
		if (!name[n] && seccomp_arch_resolve_name(lower))
			return 0;
		name -= 10;
	}
	return error_set(err, EINVAL, "linux.seccomp.architectures[%zu]: unknown architecture '%s'", i, name);
}

/* ---- the parts of the configuration ---- */

static int check_architectures(const struct oci_seccomp *c, bool *x32, struct error *err)
{
	*x32 = false;
	for (size_t i = 0; i < c->architectures.n; i++) {
		int ret = check_architecture(c->architectures.v[i], i, err);

		if (ret)
			return ret;
		*x32 |= !strcmp(c->architectures.v[i], "SCMP_ARCH_X32");
	}
	return 0;
}

static int parse_flags(const struct oci_seccomp *c, uint32_t *flags, struct error *err)
{
	static const struct {
		const char *name;
		uint32_t flag; /* for the guest kernel; the others mean nothing to it */
	} known[] = {
		{ "SECCOMP_FILTER_FLAG_TSYNC", 0 },
		{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
		{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", 0 },
		{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 0 },
	};

	for (size_t i = 0; i < c->flags.n; i++) {
		size_t k = 0;

		while (k < sizeof(known) / sizeof(known[0]) && strcmp(c->flags.v[i], known[k].name))
			k++;
		if (k == sizeof(known) / sizeof(known[0]))
			return error_set(err, EINVAL, "linux.seccomp.flags[%zu]: unknown flag '%s'", i, c->flags.v[i]);
		*flags |= known[k].flag;
	}
	return 0;
}

struct conditions {
	struct scmp_arg_cmp v[64];
	unsigned int n;
	bool same_twice; /* some argument has more than one: then any of them will do */
};

static int read_conditions(const struct oci_seccomp_rule *rule, size_t i, struct conditions *out, struct error *err)
{
	bool seen[MAX_ARGS] = { false };

	*out = (struct conditions){ .n = 0 };
	for (size_t k = 0; k < rule->n_args; k++) {
		const struct oci_seccomp_arg *a = &rule->args[k];
		enum scmp_compare op;

		if (k == sizeof(out->v) / sizeof(out->v[0]))
			return error_set(err, EINVAL, "linux.seccomp.syscalls[%zu].args: too many", i);
		if (a->index >= MAX_ARGS)
			return error_set(err, EINVAL, "linux.seccomp.syscalls[%zu].args[%zu].index: at most %d", i, k,
					 MAX_ARGS - 1);
		if (operator_of(a->op, &op))
			return error_set(err, EINVAL, "linux.seccomp.syscalls[%zu].args[%zu].op: unknown operator '%s'", i,
					 k, a->op);
		out->same_twice |= seen[a->index];
		seen[a->index] = true;
		out->v[out->n++] = (struct scmp_arg_cmp){ a->index, op, a->value, a->value_two };
	}
	return 0;
}

static int add_call(scmp_filter_ctx ctx, uint32_t action, int nr, const struct conditions *c)
{
	int ret = 0;

	if (!c->same_twice)
		return seccomp_rule_add_array(ctx, action, nr, c->n, c->v);
	for (unsigned int k = 0; k < c->n && !ret; k++)
		ret = seccomp_rule_add_array(ctx, action, nr, 1, &c->v[k]);
	return ret;
}

static int add_rule(scmp_filter_ctx ctx, const struct oci_seccomp_rule *rule, size_t i, uint32_t default_action,
		    int *last, struct error *err)
{
	struct conditions conditions;
	char where[64];
	uint32_t action;
	int ret;

	snprintf(where, sizeof(where), "linux.seccomp.syscalls[%zu].action", i);
	ret = action_of(rule->action, &rule->errno_ret, where, &action, err);
	if (!ret)
		ret = read_conditions(rule, i, &conditions, err);
	for (size_t k = 0; !ret && k < rule->names.n; k++) {
		int nr = seccomp_syscall_resolve_name(rule->names.v[k]);

		if (nr == __NR_SCMP_ERROR) /* of a newer kernel than this library's: it falls to the default */
			continue;
		if (nr > *last)
			*last = nr;
		if (action == default_action || nr < 0)
			continue;
		ret = add_call(ctx, action, nr, &conditions);
		if (ret)
			return error_errno(err, -ret, "linux.seccomp.syscalls[%zu].names[%zu] (%s)", i, k,
					   rule->names.v[k]);
	}
	return ret;
}

static int add_rules(scmp_filter_ctx ctx, const struct oci_seccomp *c, uint32_t default_action, int *last,
		     struct error *err)
{
	for (size_t i = 0; i < c->n_rules; i++) {
		int ret = add_rule(ctx, &c->rules[i], i, default_action, last, err);

		if (ret)
			return ret;
	}
	return 0;
}

/* ---- the program ---- */

/*
 * As runc has it: calls newer than all that the configuration names get ENOSYS instead of the default action, so
 * that programs fall back to older ones.
 */
static size_t put_newer_calls(struct sock_filter *to, uint32_t last, bool x32)
{
	const struct sock_filter stub[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, x32 ? 1 : 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	memcpy(to, stub, sizeof(stub));
	return sizeof(stub) / sizeof(stub[0]);
}

/* last: of the calls that the configuration names */
static int export(scmp_filter_ctx ctx, int last, bool x32, struct seccomp_program *out, struct error *err)
{
	cleanup_close int fd = memfd_create("seccomp", MFD_CLOEXEC);
	int ret = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);
	size_t n = 0;
	struct stat st;

	if (ret || fstat(fd, &st))
		return error_errno(err, ret ? -ret : errno, "linux.seccomp: cannot make the filter");
	out->insns = malloc((size_t)st.st_size + 8 * sizeof(*out->insns));
	if (!out->insns)
		return error_errno(err, ENOMEM, "linux.seccomp");
	if (last >= 0 || x32)
		n = put_newer_calls(out->insns, last < 0 ? X32_BIT : (uint32_t)last, x32);
	if (pread(fd, out->insns + n, (size_t)st.st_size, 0) != st.st_size)
		return error_set(err, EIO, "linux.seccomp: cannot read the filter");
	n += (size_t)st.st_size / sizeof(*out->insns);
	if (n > BPF_MAXINSNS)
		return error_set(err, E2BIG, "linux.seccomp: %zu instructions, at most %d are possible", n, BPF_MAXINSNS);
	out->len = (uint32_t)n;
	return 0;
}

static bool wants_enosys_stub(uint32_t default_action)
{
	return default_action != SCMP_ACT_ALLOW && default_action != SCMP_ACT_LOG &&
	       default_action != SCMP_ACT_ERRNO(ENOSYS);
}

int seccomp_compile(const struct oci_seccomp *c, struct seccomp_program *out, struct error *err)
{
	cleanup(free_context) scmp_filter_ctx ctx = NULL;
	uint32_t action;
	int last = -1, ret;
	bool x32;

	*out = (struct seccomp_program){ .insns = NULL };
	if (c->listener_path && c->listener_path[0])
		return error_set(err, ENOTSUP, "linux.seccomp.listenerPath: not supported");
	ret = action_of(c->default_action, &c->default_errno_ret, "linux.seccomp.defaultAction", &action, err);
	if (!ret)
		ret = parse_flags(c, &out->flags, err);
	if (ret)
		return ret;
	ctx = seccomp_init(action);
	if (!ctx)
		return error_set(err, ENOMEM, "linux.seccomp: cannot make a filter");
	/* a search tree instead of one comparison for each rule */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	ret = check_architectures(c, &x32, err);
	if (!ret)
		ret = add_rules(ctx, c, action, &last, err);
	if (!ret)
		ret = export(ctx, wants_enosys_stub(action) ? last : -1, x32, out, err);
	if (ret)
		free(out->insns);
	return ret;
}
