// SPDX-License-Identifier: Apache-2.0
/* From linux.resources to files and values: what both versions have in common. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vm/cgroup_impl.h"

#define RES "linux.resources."

/* Besides those that come in arrays. */
#define SINGLE_SETTINGS 40

struct cgroup_setting *cgroup_put(struct cgroup_settings *out, const char *property,
				  const char *controller, const char *file, const char *fmt, ...)
{
	struct cgroup_setting *s = &out->v[out->n];
	char value[512];
	va_list ap;

	if (out->n < out->room)
		out->n++;
	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	*s = (struct cgroup_setting){ .property = property, .controller = controller, .file = file,
				      .value = arena_strdup(&out->arena, value) };
	return s;
}

/* Engines write a 0 for "not given" where 0 makes no sense as a limit. */
void cgroup_put_opt(struct cgroup_settings *out, struct oci_opt value, const char *property,
		    const char *controller, const char *file)
{
	if (value.set && value.v)
		cgroup_put(out, property, controller, file, "%" PRId64, value.v);
}

void cgroup_put_u64(struct cgroup_settings *out, struct oci_opt_u64 value, const char *property,
		    const char *controller, const char *file)
{
	if (value.set && value.v)
		cgroup_put(out, property, controller, file, "%" PRIu64, value.v);
}

/*
 * [2..262144] to [1..10000] so that both defaults, 1024 and 100, are the same: a curve
 * through these three, as runc 1.4 and crun 1.23 have it. (Before it was a straight line, on
 * which the default became 39.)
 */
uint64_t cgroup_weight_of_shares(uint64_t shares)
{
	double l;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = log2((double)shares);
	return (uint64_t)ceil(pow(10, (l * l + 125 * l) / 612 - 7.0 / 34));
}

/* [10..1000] to [1..10000] */
uint64_t cgroup_weight_of_blkio(uint64_t weight)
{
	return weight <= 10 ? 1 : 1 + (weight - 10) * 9999 / 990;
}

static void cpuset(const struct oci_cpu *c, struct cgroup_settings *out)
{
	if (c->cpus && c->cpus[0])
		cgroup_put(out, RES "cpu.cpus", "cpuset", "cpuset.cpus", "%s", c->cpus);
	if (c->mems && c->mems[0])
		cgroup_put(out, RES "cpu.mems", "cpuset", "cpuset.mems", "%s", c->mems);
}

/* "64KB", "2MB", "1GB", and nothing that leads to another file */
static bool is_page_size(const char *size)
{
	size_t digits = strspn(size, "0123456789");

	return digits && digits < 8 && size[0] != '0' && size[digits] && strchr("KMG", size[digits]) &&
	       !strcmp(size + digits + 1, "B");
}

static int hugepages(const struct oci_resources *r, bool v2, struct cgroup_settings *out,
		     struct error *err)
{
	for (size_t i = 0; i < r->n_hugepage_limits; i++) {
		const struct oci_hugepage_limit *h = &r->hugepage_limits[i];
		const char *suffix = v2 ? "max" : "limit_in_bytes";
		char *name = arena_printf(&out->arena, RES "hugepageLimits[%zu]", i);

		if (!is_page_size(h->page_size))
			return error_set(err, EINVAL, "%s.pageSize: '%s' is not a page size", name,
					 h->page_size);
		cgroup_put(out, name, "hugetlb",
			   arena_printf(&out->arena, "hugetlb.%s.%s", h->page_size, suffix),
			   "%" PRIu64, h->limit);
		/* reservations: since Linux 5.7 */
		cgroup_put(out, name, "hugetlb",
			   arena_printf(&out->arena, "hugetlb.%s.rsvd.%s", h->page_size, suffix),
			   "%" PRIu64, h->limit)
			->optional = true;
	}
	return 0;
}

static void rdma(const struct oci_resources *r, struct cgroup_settings *out)
{
	for (size_t i = 0; i < r->n_rdma; i++) {
		const struct oci_rdma *d = &r->rdma[i];
		char handles[40] = "";
		char objects[40] = "";

		if (d->hca_handles.set)
			snprintf(handles, sizeof(handles), " hca_handle=%" PRId64, d->hca_handles.v);
		if (d->hca_objects.set)
			snprintf(objects, sizeof(objects), " hca_object=%" PRId64, d->hca_objects.v);
		cgroup_put(out, arena_printf(&out->arena, RES "rdma.%s", d->device), "rdma",
			   "rdma.max", "%s%s%s", d->device, handles, objects);
	}
}

static void pids(const struct oci_resources *r, struct cgroup_settings *out)
{
	/* 0: not given; below: no limit */
	if (r->pids_limit.set && r->pids_limit.v < 0)
		cgroup_put(out, RES "pids.limit", "pids", "pids.max", "max");
	else
		cgroup_put_opt(out, r->pids_limit, RES "pids.limit", "pids", "pids.max");
}

/* Last, as it may overrule what the others have set. "io.max" may be several lines. */
static int unified(const struct oci_pairs *pairs, struct cgroup_settings *out, struct error *err)
{
	for (size_t i = 0; i < pairs->n; i++) {
		const char *key = pairs->v[i].key;
		char *property = arena_printf(&out->arena, RES "unified.%s", key);
		const char *dot = strchr(key, '.');

		if (strchr(key, '/') || !dot || dot == key)
			return error_set(err, EINVAL, "%s: not a cgroup file", property);
		cgroup_put(out, property,
			   arena_printf(&out->arena, "%.*s", (int)(dot - key), key), key, "%s",
			   "")->value = pairs->v[i].value;
	}
	return 0;
}

static size_t count(const struct oci_resources *r)
{
	const struct oci_block_io *b = &r->block_io;

	return SINGLE_SETTINGS + r->n_hugepage_limits * 2 + r->n_rdma + r->n_net_priorities +
	       r->unified.n + b->n_weight_devices * 2 + b->read_bps.n + b->write_bps.n +
	       b->read_iops.n + b->write_iops.n;
}

int cgroup_settings(const struct oci_resources *res, bool v2, struct cgroup_settings *out,
		    struct error *err)
{
	int ret;

	*out = (struct cgroup_settings){ .room = (unsigned int)count(res) };
	out->v = arena_array(&out->arena, out->room + 1, sizeof(*out->v));
	ret = v2 ? cgroup_settings_v2(res, out, err) : cgroup_settings_v1(res, out, err);
	if (ret)
		return ret;
	cpuset(&res->cpu, out);
	pids(res, out);
	rdma(res, out);
	ret = hugepages(res, v2, out, err);
	return ret || !v2 ? ret : unified(&res->unified, out, err);
}

void cgroup_settings_free(struct cgroup_settings *settings)
{
	arena_free(&settings->arena);
}
