/* SPDX-License-Identifier: Apache-2.0 */
/* The matcher of connection policies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "call/policy_names.h"

static struct policy_address address(const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct policy_address a;
	u16 port;

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		assert_int_equal(policy_address_of(&in, sizeof(in), &a, &port), 0);
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		assert_int_equal(policy_address_of(&in6, sizeof(in6), &a, &port), 0);
	else
		fail_msg("%s", text);
	return a;
}

/* One rule about one range, over the opposite default. */
static bool matches(bool allow, enum policy_operation op, const char *range, u8 bits, const char *where)
{
	struct policy_range r = { address(range), bits };
	struct policy_rule rule = { .name = "r", .allow = allow, .operations = 3, .protocols = 15, .ranges = &r, .n_ranges = 1 };
	struct policy p = { .name = "p", .allow = !allow, .refuse = EACCES, .rules = &rule, .n_rules = 1 };
	struct policy_query q = { op, POLICY_TCP, address(where), 80, NULL, NULL, 0, NULL };

	return policy_decide(&p, &q).rule != NULL;
}

static bool connects(const char *range, u8 bits, const char *where)
{
	bool allowed = matches(true, POLICY_CONNECT, range, bits, where);

	/* of a destination both mean the same */
	assert_int_equal(matches(false, POLICY_CONNECT, range, bits, where), allowed);
	return allowed;
}

static void test_ranges(void **state)
{
	assert_true(connects("10.0.0.0", 96 + 8, "10.255.1.2"));
	assert_false(connects("10.0.0.0", 96 + 8, "11.0.0.0"));
	assert_true(connects("10.1.2.128", 96 + 25, "10.1.2.200"));
	assert_false(connects("10.1.2.128", 96 + 25, "10.1.2.127"));
	assert_true(connects("10.1.2.3", 128, "::ffff:10.1.2.3"));
	assert_true(connects("0.0.0.0", 96, "255.255.255.255"));
	assert_true(connects("fd00::", 8, "fdff::1"));
	assert_false(connects("fd00::", 8, "fe00::1"));
	assert_true(connects("fe80::", 10, "febf::1"));
	assert_false(connects("fe80::", 10, "fec0::1"));
}

static void test_families(void **state)
{
	assert_true(connects("::", 0, "2001:db8::1"));
	assert_false(connects("::", 0, "10.0.0.1"));
	assert_false(connects("::", 0, "::ffff:10.0.0.1"));
	assert_false(connects("0.0.0.0", 96, "::1"));
	assert_false(connects("0.0.0.0", 96, "::10.0.0.1"));
	assert_true(connects("::ffff:10.0.0.0", 96 + 8, "10.9.9.9"));
}

static void test_wildcards(void **state)
{
	/* to allow it, all of the family has to be allowed */
	assert_false(matches(true, POLICY_LISTEN, "10.0.0.0", 104, "0.0.0.0"));
	assert_true(matches(true, POLICY_LISTEN, "0.0.0.0", 96, "0.0.0.0"));
	assert_true(matches(true, POLICY_LISTEN, "0.0.0.0", 128, "0.0.0.0"));
	assert_false(matches(true, POLICY_LISTEN, "0.0.0.0", 96, "::"));
	assert_false(matches(true, POLICY_LISTEN, "::", 0, "0.0.0.0"));
	assert_true(matches(true, POLICY_LISTEN, "::", 128, "::"));
	assert_false(matches(true, POLICY_LISTEN, "::1", 128, "::"));
	/* to deny it, a part is enough; :: takes IPv4, too */
	assert_true(matches(false, POLICY_LISTEN, "10.0.0.0", 104, "0.0.0.0"));
	assert_true(matches(false, POLICY_LISTEN, "10.0.0.0", 104, "::"));
	assert_true(matches(false, POLICY_LISTEN, "::1", 128, "::"));
	assert_false(matches(false, POLICY_LISTEN, "::1", 128, "0.0.0.0"));
	/* a destination is no wildcard */
	assert_true(matches(true, POLICY_CONNECT, "0.0.0.0", 128, "0.0.0.0"));
	assert_false(matches(false, POLICY_CONNECT, "10.0.0.0", 104, "0.0.0.0"));
}

static bool port_matches(bool allow, enum policy_operation op, enum policy_protocol protocol, u16 port)
{
	struct policy_ports ports[] = { { 80, 80 }, { 8000, 8099 } };
	struct policy_rule rule = { .name = "r", .allow = allow, .operations = 3, .protocols = 15, .ports = ports, .n_ports = 2 };
	struct policy p = { .name = "p", .allow = !allow, .refuse = EACCES, .rules = &rule, .n_rules = 1 };
	struct policy_query q = { op, protocol, address("10.0.0.1"), port, NULL, NULL, 0, NULL };

	return policy_decide(&p, &q).rule != NULL;
}

static void test_ports(void **state)
{
	for (int allow = 0; allow < 2; allow++) {
		assert_true(port_matches(allow, POLICY_CONNECT, POLICY_TCP, 80));
		assert_false(port_matches(allow, POLICY_CONNECT, POLICY_TCP, 81));
		assert_true(port_matches(allow, POLICY_CONNECT, POLICY_UDP, 8000));
		assert_true(port_matches(allow, POLICY_LISTEN, POLICY_UDP, 8099));
		assert_false(port_matches(allow, POLICY_LISTEN, POLICY_TCP, 8100));
		assert_false(port_matches(allow, POLICY_CONNECT, POLICY_ICMP, 0));
	}
	/* yet to be chosen */
	assert_false(port_matches(true, POLICY_LISTEN, POLICY_TCP, 0));
	assert_true(port_matches(false, POLICY_LISTEN, POLICY_TCP, 0));
}

static void test_first_match_decides(void **state)
{
	struct policy_rule rules[] = {
		{ .name = "no udp", .operations = 3, .protocols = 1u << POLICY_UDP },
		{ .name = "listen", .allow = true, .operations = 1u << POLICY_LISTEN, .protocols = 15 },
		{ .name = "no more", .operations = 3, .protocols = 15 },
		{ .name = "never", .allow = true, .operations = 3, .protocols = 15 },
	};
	struct policy p = { .name = "p", .allow = true, .refuse = EACCES, .rules = rules, .n_rules = 4 };
	struct policy_query q = { POLICY_LISTEN, POLICY_UDP, address("10.0.0.1"), 80, NULL, NULL, 0, NULL };

	assert_ptr_equal(policy_decide(&p, &q).rule, &rules[0]);
	q.protocol = POLICY_TCP;
	assert_ptr_equal(policy_decide(&p, &q).rule, &rules[1]);
	assert_true(policy_decide(&p, &q).allow);
	q.operation = POLICY_CONNECT;
	assert_ptr_equal(policy_decide(&p, &q).rule, &rules[2]);
	assert_false(policy_conceivable(&p, POLICY_CONNECT, POLICY_RAW));
	assert_true(policy_conceivable(&p, POLICY_LISTEN, POLICY_RAW));
	assert_false(policy_conceivable(&p, POLICY_LISTEN, POLICY_UDP));
	p.n_rules = 0;
	assert_true(policy_decide(&p, &q).allow);
	assert_null(policy_decide(&p, &q).rule);
}

static void test_executables(void **state)
{
	struct policy_pin pins[] = { { "/bin/a", true, 1, 10 }, { "/bin/late", false, 0, 0 } };
	struct policy_pin script = { "/bin/s", true, 1, 20 };
	struct policy_hash hash = { { 1, 2, 3 } };
	struct policy_executable e = { .file = { .pins = pins, .n_pins = 2 } };
	struct policy_program a = { .file = { .known = true, .dev = 1, .ino = 10, .path = "/tmp/renamed" } };
	struct policy_program other = { .file = { .known = true, .dev = 1, .ino = 11, .path = "/bin/a" } };
	struct policy_program late = { .file = { .known = true, .dev = 1, .ino = 12, .path = "/bin/late" } };
	struct policy_program unknown = { .file = { .path = "/bin/late" } };

	assert_true(policy_executable_is(&e, &a));
	assert_false(policy_executable_is(&e, &other));
	assert_true(policy_executable_is(&e, &late));
	assert_false(policy_executable_is(&e, &unknown));
	a.preloaded = true;
	assert_false(policy_executable_is(&e, &a));
	e.preload = true;
	assert_true(policy_executable_is(&e, &a));
	e.file.hashes = &hash;
	e.file.n_hashes = 1;
	assert_false(policy_executable_is(&e, &a));
	a.file.hash = hash;
	assert_false(policy_executable_is(&e, &a));
	a.file.hashed = true;
	assert_true(policy_executable_is(&e, &a));
	e.script.pins = &script;
	e.script.n_pins = 1;
	assert_false(policy_executable_is(&e, &a));
	a.script = (struct policy_file){ .known = true, .dev = 1, .ino = 20, .path = "/bin/s" };
	assert_true(policy_executable_is(&e, &a));
}

static void test_rules_about_executables(void **state)
{
	struct policy_pin pin = { "/bin/a", true, 1, 10 };
	struct policy_executable executables[] = { { .name = "none", .file = { .n_hashes = 1, .hashes = &(struct policy_hash){ { 0 } } } },
						   { .name = "a", .file = { .pins = &pin, .n_pins = 1 } } };
	u32 which = 1;
	struct policy_rule rule = { .allow = true, .operations = 3, .protocols = 15, .executables = &which, .n_executables = 1 };
	struct policy p = { .rules = &rule, .n_rules = 1, .executables = executables, .n_executables = 2 };
	struct policy_program a = { .file = { .known = true, .dev = 1, .ino = 10, .path = "/bin/a" } };
	struct policy_query q = { POLICY_CONNECT, POLICY_TCP, address("10.0.0.1"), 80, NULL, NULL, 0, NULL };

	assert_false(policy_decide(&p, &q).allow);
	q.program = &a;
	assert_true(policy_decide(&p, &q).allow);
	which = 0;
	assert_false(policy_decide(&p, &q).allow);
	/* What is denied to one is denied to it with a library of its choice, too; and to who may be it, or not. */
	which = 1;
	rule.allow = false;
	p.allow = true;
	assert_false(policy_decide(&p, &q).allow);
	a.preloaded = true;
	assert_false(policy_decide(&p, &q).allow);
	a.file.ino = 11;
	assert_true(policy_decide(&p, &q).allow);
	a.file.known = false;
	assert_false(policy_decide(&p, &q).allow);
	q.program = NULL;
	assert_false(policy_decide(&p, &q).allow);
	/* One executable's denial does not make a thing inconceivable. */
	rule.allow = false;
	p.allow = true;
	assert_true(policy_conceivable(&p, POLICY_CONNECT, POLICY_RAW));
}

static void test_names(void **state)
{
	static const u8 answer[] = "ab\x81\x80\0\1\0\2\0\0\0\0\3WWW\4test\0\0\1\0\1"
				   "\xc0\x0c\0\5\0\1\0\0\0\1\0\4\1a\xc0\x10"
				   "\xc0\x26\0\1\0\1\0\0\0\1\0\4\x0a\0\0\7";
	const size_t len = sizeof(answer) - 1;
	char *hosts[] = { (char[]){ "*.test" } };
	struct policy_address resolver = address("10.0.0.53"), at = address("10.0.0.7"), other = address("10.0.0.8");
	struct policy_rule rule = { .allow = true, .operations = 2, .protocols = 15, .hosts = hosts, .n_hosts = 1 };
	struct policy p = { .rules = &rule, .n_rules = 1, .resolvers = &resolver, .n_resolvers = 1 };
	struct policies all = { (struct policy *[]){ &p }, 1, true };
	struct policy_names *names = policy_names_new();
	u8 copy[sizeof(answer)];

	assert_non_null(names);
	/* whoever else answers is not believed */
	policy_names_see(names, &all, &other, answer, len, 100);
	assert_false(policy_names_match(names, &p, &rule, &at, 100));
	policy_names_see(names, &all, &resolver, answer, len, 100);
	assert_true(policy_names_match(names, &p, &rule, &at, 100));
	assert_true(policy_names_match(names, &p, &rule, &at, 159));
	assert_false(policy_names_match(names, &p, &rule, &at, 160));
	assert_false(policy_names_match(names, &p, &rule, &other, 100));
	strcpy(hosts[0], "x.test");
	assert_false(policy_names_match(names, &p, &rule, &at, 100));
	strcpy(hosts[0], "*.test");
	free(names);
	/* cut or changed anywhere it is no answer, or one that stays within its bytes */
	names = policy_names_new();
	for (size_t n = 0; n < len; n++) {
		u8 *cut = malloc(n ? n : 1);

		memcpy(cut, answer, n);
		policy_names_see(names, &all, &resolver, cut, n, 100);
		free(cut);
	}
	assert_false(policy_names_match(names, &p, &rule, &at, 100));
	for (size_t i = 0; i < len; i++) {
		for (int value = 0; value < 256; value++) {
			memcpy(copy, answer, len);
			copy[i] = (u8)value;
			policy_names_see(names, &all, &resolver, copy, len, 100);
		}
	}
	free(names);
}

static void test_socket_addresses(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	char text[POLICY_TEXT_MAX];
	struct policy_address a;
	u16 port;

	assert_int_equal(policy_address_of(&in, sizeof(in) - 1, &a, &port), -EINVAL);
	assert_int_equal(policy_address_of(&in6, 23, &a, &port), -EINVAL);
	assert_int_equal(policy_address_of(&in6, 24, &a, &port), 0);
	assert_int_equal(policy_address_of(&in, 1, &a, &port), -EINVAL);
	in.sin_family = AF_UNSPEC;
	assert_int_equal(policy_address_of(&in, sizeof(in), &a, &port), -EAFNOSUPPORT);
	in.sin_family = AF_INET;
	assert_int_equal(policy_address_of(&in, sizeof(in), &a, &port), 0);
	assert_int_equal(port, 80);
	policy_address_text(&a, 80, text);
	assert_string_equal(text, "0.0.0.0:80");
	a = address("fd00::1");
	policy_address_text(&a, 443, text);
	assert_string_equal(text, "[fd00::1]:443");
	policy_address_text(&a, 0, text);
	assert_string_equal(text, "fd00::1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_wildcards),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_first_match_decides),
		cmocka_unit_test(test_executables),
		cmocka_unit_test(test_rules_about_executables),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_socket_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
