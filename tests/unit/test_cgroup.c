// SPDX-License-Identifier: Apache-2.0
/* From linux.resources to files and values, and from linux.cgroupsPath to places. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "vm/cgroup_impl.h"

/* cgroup_place() asks the host where we are; this host has two hierarchies. */
int cgroup_open(struct cgroup_tree *tree, bool detached, struct error *err)
{
	*tree = (struct cgroup_tree){
		.fd = -1, .n = 2,
		.h = { { .dir = "memory", .controllers = "memory", .own = (char *)"/user/me" },
		       { .dir = "freezer", .controllers = "freezer", .own = (char *)"/" } },
	};
	return 0;
}

void cgroup_close(struct cgroup_tree *tree)
{
}

/* The values for the file, in their order, joined by "|" */
static const char *setting(const struct cgroup_settings *s, const char *file)
{
	static char all[512];

	all[0] = '\0';
	for (unsigned int i = 0; i < s->n; i++) {
		if (strcmp(s->v[i].file, file))
			continue;
		if (all[0])
			strcat(all, "|");
		strcat(all, s->v[i].value);
	}
	return all;
}

static struct oci_throttle rates[] = { { 8, 0, 1000 }, { 8, 16, 0 } };
static struct oci_weight_device weights[] = { { 8, 0, { true, 300 }, { false, 0 } } };
static struct oci_hugepage_limit pages[] = { { (char *)"2MB", 4 << 20 } };
static struct oci_rdma devices[] = { { (char *)"mlx5_1", { true, 3 }, { false, 0 } } };

static struct oci_resources everything(void)
{
	return (struct oci_resources){
		.memory = { .limit = { true, 100 }, .swap = { true, 150 }, .reservation = { true, 70 } },
		.cpu = { .shares = { true, 1024 }, .quota = { true, 50000 }, .cpus = (char *)"0-1",
			 .burst = { true, 0 } },
		.pids_limit = { true, -1 },
		.block_io = { .weight = { true, 500 }, .weight_devices = weights,
			      .n_weight_devices = 1, .read_bps = { rates, 2 } },
		.hugepage_limits = pages, .n_hugepage_limits = 1,
		.rdma = devices, .n_rdma = 1,
	};
}

static void test_v1(void **state)
{
	cleanup(cgroup_settings_free) struct cgroup_settings s = { 0 };
	struct oci_resources res = everything();
	struct error err;

	res.net_class_id = (struct oci_opt){ true, 1048577 };
	assert_int_equal(cgroup_settings(&res, false, &s, &err), 0);
	assert_string_equal(setting(&s, "memory.limit_in_bytes"), "100");
	assert_string_equal(setting(&s, "memory.memsw.limit_in_bytes"), "150");
	assert_string_equal(setting(&s, "memory.soft_limit_in_bytes"), "70");
	assert_string_equal(setting(&s, "cpu.shares"), "1024");
	assert_string_equal(setting(&s, "cpu.cfs_burst_us"), "0");
	assert_string_equal(setting(&s, "cpuset.cpus"), "0-1");
	assert_string_equal(setting(&s, "pids.max"), "max");
	assert_string_equal(setting(&s, "blkio.weight"), "500");
	assert_string_equal(setting(&s, "blkio.weight_device"), "8:0 300");
	assert_string_equal(setting(&s, "blkio.throttle.read_bps_device"), "8:0 1000|8:16 0");
	assert_string_equal(setting(&s, "hugetlb.2MB.limit_in_bytes"), "4194304");
	assert_string_equal(setting(&s, "net_cls.classid"), "1048577");
	assert_string_equal(setting(&s, "rdma.max"), "mlx5_1 hca_handle=3");
}

static void test_v2(void **state)
{
	cleanup(cgroup_settings_free) struct cgroup_settings s = { 0 };
	struct oci_pair pair = { (char *)"memory.high", (char *)"90" };
	struct oci_resources res = everything();
	struct error err;

	res.unified = (struct oci_pairs){ &pair, 1 };
	assert_int_equal(cgroup_settings(&res, true, &s, &err), 0);
	assert_string_equal(setting(&s, "memory.max"), "100");
	assert_string_equal(setting(&s, "memory.swap.max"), "50");
	assert_string_equal(setting(&s, "memory.low"), "70");
	assert_string_equal(setting(&s, "memory.high"), "90");
	assert_string_equal(setting(&s, "cpu.weight"), "100");
	assert_string_equal(setting(&s, "cpu.max"), "50000 100000");
	assert_string_equal(setting(&s, "io.bfq.weight"), "500|8:0 300");
	assert_string_equal(setting(&s, "io.max"), "8:0 rbps=1000|8:16 rbps=max");
	assert_string_equal(setting(&s, "hugetlb.2MB.max"), "4194304");
}

static void refused(struct oci_resources res, bool v2, const char *text)
{
	cleanup(cgroup_settings_free) struct cgroup_settings s = { 0 };
	struct error err;

	assert_true(cgroup_settings(&res, v2, &s, &err) < 0);
	assert_string_equal(err.text, text);
}

static void test_refusals(void **state)
{
	struct oci_hugepage_limit climb = { (char *)"2MB/../x", 1 };
	struct oci_pair pair = { (char *)"../memory.high", (char *)"90" };
	struct oci_resources res = everything();

	res.memory.swap.v = 50;
	refused(res, true, "linux.resources.memory.swap: must not be below memory.limit");
	res.memory.limit.set = false;
	refused(res, true,
		"linux.resources.memory.swap: unable to set swap limit without memory limit");
	refused((struct oci_resources){ .memory.swappiness = { true, 101 } }, false,
		"linux.resources.memory.swappiness: 101 is not 0 to 100");
	refused((struct oci_resources){ .memory.swappiness = { true, 10 } }, true,
		"linux.resources.memory.swappiness: cgroup v2 has none");
	refused((struct oci_resources){ .hugepage_limits = &climb, .n_hugepage_limits = 1 }, false,
		"linux.resources.hugepageLimits[0].pageSize: '2MB/../x' is not a page size");
	refused((struct oci_resources){ .unified = { &pair, 1 } }, true,
		"linux.resources.unified.../memory.high: not a cgroup file");
	refused((struct oci_resources){ .unified = { &pair, 1 } }, false,
		"linux.resources.unified: cannot use it on cgroup v1, which this host has");
}

static void test_scales(void **state)
{
	assert_int_equal(cgroup_weight_of_shares(2), 1);
	assert_int_equal(cgroup_weight_of_shares(1024), 100);
	assert_int_equal(cgroup_weight_of_shares(262144), 10000);
	assert_int_equal(cgroup_weight_of_blkio(10), 1);
	assert_int_equal(cgroup_weight_of_blkio(500), 4950);
	assert_int_equal(cgroup_weight_of_blkio(1000), 10000);
}

static struct arena arena;

/* The place, or what is wrong. */
static const char *place_of(const char *given, enum cgroup_manager manager)
{
	struct oci_spec spec = { .id = (char *)"id", .linux_.cgroups_path = (char *)given };
	static struct error err;
	char *place;

	return cgroup_place(&spec, manager, &arena, &place, &err) ? err.text : place;
}

static void test_places(void **state)
{
	assert_string_equal(place_of("/a/b", CGROUP_CGROUPFS), "/a/b");
	assert_string_equal(place_of("/../a/./x/../b/", CGROUP_CGROUPFS), "/a/b");
	assert_string_equal(place_of("a/b", CGROUP_CGROUPFS),
			    "memory:/user/me/a/b\nfreezer:/a/b\n");
	assert_string_equal(place_of("../../a", CGROUP_CGROUPFS), "memory:/user/me/a\nfreezer:/a\n");
	assert_string_equal(place_of("/..", CGROUP_CGROUPFS),
			    "linux.cgroupsPath: '/..' is not usable");
	assert_string_equal(place_of("/a", CGROUP_NONE), "none");
}

/* As root; a user's places are below his service. */
static void test_systemd_places(void **state)
{
	const char *const cases[][2] = {
		{ "machine.slice:libpod:12", "/machine.slice/libpod-12.scope" },
		{ "a-b-c.slice:p:n", "/a.slice/a-b.slice/a-b-c.slice/p-n.scope" },
		{ "-.slice::n", "/n.scope" },
		{ ":p:n", geteuid() ? "/user.slice/p-n.scope" : "/system.slice/p-n.scope" },
	};
	const char *const wrong[] = { "/a/b", "a:b", "a:b:c", "a--b.slice:p:n", "a.slice:p:",
				      "x/a.slice:p:n", "a.slice:p:n:m" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cgroup_where where =
			cgroup_parse_place(place_of(cases[i][0], CGROUP_SYSTEMD));
		size_t n = strlen(cases[i][1]);

		assert_true(where.systemd && strlen(where.path) >= n);
		assert_int_equal(where.user, geteuid() != 0);
		assert_string_equal(where.path + strlen(where.path) - n, cases[i][1]);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_non_null(strstr(place_of(wrong[i], CGROUP_SYSTEMD), "linux.cgroupsPath: "));
}

static void test_paths(void **state)
{
	const struct cgroup_hierarchy memory = { .dir = "memory" }, cpu = { .dir = "cpu" };
	struct cgroup_where where = cgroup_parse_place("optional:memory:/x/a\nfreezer:/a\n");
	char path[PATH_MAX];

	assert_true(where.optional && !where.systemd && !where.none);
	assert_true(cgroup_path_in(&memory, &where, path));
	assert_string_equal(path, "memory/x/a");
	assert_false(cgroup_path_in(&cpu, &where, path));
	where = cgroup_parse_place("/a");
	assert_true(cgroup_path_in(&cpu, &where, path));
	assert_string_equal(path, "cpu/a");
	where = cgroup_parse_place("none");
	assert_false(cgroup_path_in(&cpu, &where, path));
	where = cgroup_parse_place(NULL);
	assert_true(where.none);
}

static int free_arena(void **state)
{
	arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v1),     cmocka_unit_test(test_v2),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_scales),
		cmocka_unit_test(test_places), cmocka_unit_test(test_systemd_places),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, free_arena);
}
