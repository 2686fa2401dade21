// SPDX-License-Identifier: Apache-2.0
/* config.json: what is right arrives in the structure, what is wrong is named by its path. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "oci/default_spec.h"
#include "oci/parts.h"
#include "oci/spec.h"

#define PROCESS "\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"]}"
#define HEAD    "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"}"
#define NS      "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"}]"

static int parse(const char *text, struct oci_spec **spec, struct error *err)
{
	return spec_parse(text, strlen(text), "/bundle", spec, err);
}

/* Parses what must be good. */
static struct oci_spec *good(const char *text)
{
	struct oci_spec *spec;
	struct error err;

	if (parse(text, &spec, &err))
		fail_msg("%s", err.text);
	return spec;
}

static void bad(const char *text, const char *expected)
{
	struct oci_spec *spec;
	struct error err;

	assert_int_not_equal(parse(text, &spec, &err), 0);
	assert_null(spec);
	assert_string_equal(err.text, expected);
}

static void refused(const char *text, const char *expected)
{
	struct oci_spec *spec = good(text);
	struct error err;

	assert_int_not_equal(spec_check_applicable(spec, &err), 0);
	assert_string_equal(err.text, expected);
	spec_free(spec);
}

static void test_default(void **state)
{
	struct oci_spec *spec = good(oci_default_spec);
	struct error err;

	assert_int_equal(spec_check_applicable(spec, &err), 0);
	assert_true(spec->process.terminal);
	assert_int_equal(spec->process.args.n, 1);
	assert_string_equal(spec->process.args.v[0], "sh");
	assert_null(spec->process.args.v[1]);
	assert_string_equal(spec->root.path, "/bundle/rootfs");
	assert_true(spec->root.readonly);
	assert_int_equal(spec->n_mounts, 7);
	assert_string_equal(spec->mounts[1].destination, "/dev");
	assert_string_equal(spec->mounts[1].options.v[0], "nosuid");
	assert_int_equal(spec->process.capabilities.bounding, 1 << 5 | 1 << 10 | 1 << 29);
	assert_int_equal(spec->process.rlimits[0].resource, RLIMIT_NOFILE);
	assert_int_equal(spec->process.rlimits[0].soft, 1024);
	assert_true(spec->linux_.namespaces[OCI_NS_NETWORK].present);
	assert_null(spec->linux_.namespaces[OCI_NS_NETWORK].path);
	assert_false(spec->linux_.namespaces[OCI_NS_USER].present);
	assert_true(spec->linux_.masked_paths.n > 0);
	assert_int_equal(spec->linux_.resources.n_devices, 1);
	spec_free(spec);
}

static void test_process(void **state)
{
	struct oci_spec *spec = good(
		"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"/r\"},"
		"\"process\":{\"cwd\":\"/tmp\","
		"\"args\":[\"a\",\"b\"],\"env\":null,\"user\":{\"uid\":1,\"gid\":2,\"umask\":18,"
		"\"additionalGids\":[3,4]},\"capabilities\":{\"ambient\":[\"CAP_BPF\",\"CAP_NEW\"],"
		"\"bounding\":[\"CAP_NEW\"]},\"oomScoreAdj\":-5,"
		"\"consoleSize\":{\"height\":24,\"width\":80}},\"unknown\":{\"x\":1}}");

	assert_int_equal(spec->process.user.uid, 1);
	assert_int_equal(spec->process.user.gid, 2);
	assert_true(spec->process.user.umask.set);
	assert_int_equal(spec->process.user.umask.v, 18);
	assert_int_equal(spec->process.user.n_groups, 2);
	assert_int_equal(spec->process.user.groups[1], 4);
	assert_true(spec->process.capabilities.ambient == 1ull << 39);
	assert_int_equal(spec->process.unknown_capabilities.n, 1);
	assert_string_equal(spec->process.unknown_capabilities.v[0], "CAP_NEW");
	assert_int_equal(spec->process.oom_score_adj.v, -5);
	assert_int_equal(spec->process.console_width.v, 80);
	assert_int_equal(spec->process.env.n, 0);
	assert_string_equal(spec->root.path, "/r");
	spec_free(spec);
}

/* RLIM_INFINITY is more than JSON libraries take for an integer. */
static void test_big_numbers(void **state)
{
	struct oci_spec *spec = good(
		HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"],\"rlimits\":[{\"type\":"
		"\"RLIMIT_CORE\",\"soft\":1024,\"hard\":18446744073709551615}]},\"linux\":"
		"{\"resources\":{\"memory\":{\"limit\":-1},\"cpu\":{\"shares\":1024}}}}");

	assert_true(spec->process.rlimits[0].hard == UINT64_MAX);
	assert_int_equal(spec->process.rlimits[0].soft, 1024);
	assert_int_equal(spec->linux_.resources.memory.limit.v, -1);
	assert_int_equal(spec->linux_.resources.cpu.shares.v, 1024);
	spec_free(spec);
}

static void test_linux(void **state)
{
	struct oci_spec *spec = good(
		HEAD "," PROCESS ",\"mounts\":[{\"destination\":\"x\",\"source\":\"data\","
		"\"options\":[\"rbind\"]}],\"linux\":{\"namespaces\":[{\"type\":\"pid\"},"
		"{\"type\":\"network\",\"path\":\"/run/netns/x\"},{\"type\":\"ipc\","
		"\"path\":\"\"}],"
		"\"rootfsPropagation\":\"rshared\",\"devices\":[{\"path\":\"/dev/fuse\","
		"\"type\":\"c\","
		"\"major\":10,\"minor\":229,\"fileMode\":33206}],\"seccomp\":{\"defaultAction\":"
		"\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\"],"
		"\"action\":\"SCMP_ACT_ALLOW\","
		"\"args\":[{\"index\":0,\"value\":18446744073709551615,"
		"\"op\":\"SCMP_CMP_EQ\"}]}]}}}");

	assert_string_equal(spec->linux_.namespaces[OCI_NS_NETWORK].path, "/run/netns/x");
	assert_true(spec->linux_.namespaces[OCI_NS_IPC].present);
	assert_null(spec->linux_.namespaces[OCI_NS_IPC].path);
	assert_true(spec->linux_.rootfs_propagation == (MS_SHARED | MS_REC));
	assert_int_equal(spec->linux_.devices[0].mode, 0666);
	assert_int_equal(spec->linux_.devices[0].minor, 229);
	assert_string_equal(spec->mounts[0].destination, "/x");
	assert_string_equal(spec->mounts[0].source, "/bundle/data");
	assert_true(oci_mount_is_bind(&spec->mounts[0]));
	assert_true(spec->linux_.seccomp->rules[0].args[0].value == UINT64_MAX);
	spec_free(spec);
}

static void test_bad_documents(void **state)
{
	bad("", "not valid JSON: line 1, column 0: '[' or '{' expected near end of file");
	bad("[]", "expected an object");
	bad("{}", "ociVersion: this property is required");
	bad("{\"ociVersion\":\"2.0\"}", "ociVersion: version '2.0' is not supported, only 1.x is");
	bad("{\"ociVersion\":\"1.0\"}", "process: this property is required");
	bad("{\"ociVersion\":\"1.0\"," PROCESS "}", "root: this property is required");
	bad("{\"ociVersion\":\"1.0\"," PROCESS ",\"root\":{\"path\":\"\"}}",
	    "root.path: expected a path");
}

static void test_bad_process(void **state)
{
	bad(HEAD ",\"process\":[]}", "process: expected an object");
	bad(HEAD ",\"process\":{\"cwd\":\"/\"}}", "process.args: this property is required");
	bad(HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[]}}",
	    "process.args: expected a non-empty array of strings");
	bad(HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[\"a\",1]}}",
	    "process.args[1]: expected a string");
	bad(HEAD ",\"process\":{\"cwd\":\"tmp\",\"args\":[\"a\"]}}",
	    "process.cwd: expected an absolute path");
	bad(HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],\"user\":{\"uid\":-1}}}",
	    "process.user.uid: expected a number that is not negative");
	bad(HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],\"user\":{\"uid\":4294967296}}}",
	    "process.user.uid: 4294967296 is too big");
	bad(HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],\"terminal\":1}}",
	    "process.terminal: expected true or false");
	bad(HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],\"rlimits\":[{\"type\":\"RLIMIT_X\","
	    "\"soft\":1,\"hard\":1}]}}",
	    "process.rlimits[0].type: unknown resource limit 'RLIMIT_X'");
	bad(HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],"
	    "\"rlimits\":[{\"type\":\"RLIMIT_AS\","
	    "\"soft\":2,\"hard\":1}]}}",
	    "process.rlimits[0]: the soft limit is above the hard limit");
	bad(HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],\"oomScoreAdj\":1.5}}",
	    "process.oomScoreAdj: expected an integer");
}

static void test_bad_linux(void **state)
{
	bad(HEAD "," PROCESS ",\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"foo\"}]}}",
	    "linux.namespaces[1].type: unknown namespace 'foo'");
	bad(HEAD "," PROCESS ",\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}}",
	    "linux.namespaces[1]: a second namespace of type 'pid'");
	bad(HEAD "," PROCESS ",\"linux\":{\"rootfsPropagation\":\"x\"}}",
	    "linux.rootfsPropagation: unknown mount propagation 'x'");
	bad(HEAD "," PROCESS ",\"linux\":{\"resources\":{\"memory\":{\"limit\":\"1g\"}}}}",
	    "linux.resources.memory.limit: expected an integer");
	bad(HEAD "," PROCESS ",\"linux\":{\"devices\":[{\"path\":\"/dev/x\",\"type\":\"q\"}]}}",
	    "linux.devices[0].type: expected \"b\", \"c\", \"u\" or \"p\"");
}

static void test_bad_mounts(void **state)
{
	bad(HEAD "," PROCESS ",\"mounts\":[{\"type\":\"tmpfs\"}]}",
	    "mounts[0].destination: this property is required");
	bad(HEAD "," PROCESS ",\"mounts\":[{\"destination\":\"/x\"}]}",
	    "mounts[0].type: this property is required");
	bad(HEAD "," PROCESS ",\"mounts\":[{\"destination\":\"/x\",\"type\":\"bind\"}]}",
	    "mounts[0].source: a bind mount needs a source");
	bad(HEAD "," PROCESS ",\"hooks\":{\"poststop\":[{\"path\":\"x\"}]}}",
	    "hooks.poststop[0].path: expected an absolute path");
	bad(HEAD "," PROCESS ",\"linux\":{\"netDevices\":{\"a/b\":{}}}}",
	    "linux.netDevices.a/b: 'a/b' is not the name of a network interface");
	bad(HEAD "," PROCESS ",\"linux\":{\"netDevices\":{\"eth9\":{\"name\":\"\"}}}}",
	    "linux.netDevices.eth9: '' is not the name of a network interface");
	bad(HEAD "," PROCESS ",\"linux\":{\"memoryPolicy\":{\"nodes\":\"0\"}}}",
	    "linux.memoryPolicy.mode: this property is required");
}

static void test_not_applicable(void **state)
{
	refused(HEAD "," PROCESS "}", "linux.namespaces: a mount namespace is required");
	refused(HEAD "," PROCESS ",\"vm\":{}}", "vm: this section is of another platform");
	refused(HEAD "," PROCESS ",\"linux\":{" NS ",\"intelRdt\":{\"closID\":\"x\"}}}",
		"linux.intelRdt: cache and memory bandwidth can't be allotted");
	refused(HEAD "," PROCESS ",\"linux\":{" NS ",\"netDevices\":{\"eth9\":{\"name\":\"a\"}}}}",
		"linux.netDevices: needs a network namespace");
	refused(HEAD "," PROCESS ",\"linux\":{" NS ",\"memoryPolicy\":{\"mode\":\"MPOL_BAD\","
		"\"nodes\":\"0\"}}}", "linux.memoryPolicy.mode: unknown mode 'MPOL_BAD'");
	refused(HEAD "," PROCESS ",\"linux\":{" NS ",\"memoryPolicy\":{\"mode\":\"MPOL_BIND\","
		"\"nodes\":\"3-1\"}}}", "linux.memoryPolicy.nodes: '3-1' is not a list of nodes");
	refused(HEAD "," PROCESS ",\"linux\":{" NS ",\"devices\":[{\"path\":\"/dev/null\","
		"\"type\":\"c\"},"
		"{\"path\":\"/srv/fuse\",\"type\":\"c\"}]}}",
		"linux.devices[1]: /srv/fuse: devices can be in /dev only");
	refused(HEAD "," PROCESS ",\"linux\":{" NS ",\"devices\":[{\"path\":\"/dev/null\",\"type\":\"c\"}]}}",
		"linux.devices: there is no tmpfs on /dev for them");
	refused(HEAD "," PROCESS ",\"linux\":{" NS ",\"sysctl\":{\"kernel.shmmax\":\"1\"}}}",
		"linux.sysctl.kernel.shmmax: not allowed in the host's ipc namespace");
	refused(HEAD "," PROCESS ",\"linux\":{" NS ",\"sysctl\":{\"net/../x\":\"1\"}}}",
		"linux.sysctl.net/../x: not the name of one");
	refused(HEAD "," PROCESS ",\"linux\":{" NS ",\"sysctl\":{\"vm.swappiness\":\"1\"}}}",
		"linux.sysctl.vm.swappiness: not in a separate kernel namespace");
	refused(HEAD "," PROCESS ",\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}",
		"linux.namespaces: pid: the host's processes can't be shared with a guest kernel");
}

static void test_capability_names(void **state)
{
	assert_int_equal(oci_capability_number("CAP_CHOWN"), 0);
	assert_int_equal(oci_capability_number("CAP_CHECKPOINT_RESTORE"), 40);
	assert_int_equal(oci_capability_number("CHOWN"), -1);
	assert_string_equal(oci_capability_name(21), "SYS_ADMIN");
	assert_null(oci_capability_name(41));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_big_numbers),
		cmocka_unit_test(test_linux),
		cmocka_unit_test(test_bad_documents),
		cmocka_unit_test(test_bad_process),
		cmocka_unit_test(test_bad_linux),
		cmocka_unit_test(test_bad_mounts),
		cmocka_unit_test(test_not_applicable),
		cmocka_unit_test(test_capability_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
