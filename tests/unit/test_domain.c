// SPDX-License-Identifier: Apache-2.0
/* The hypervisor's Landlock domain: what a process in it can't do any more, and which ports a policy leaves. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vm/domain.h"

#define BOTH (1u << POLICY_LISTEN | 1u << POLICY_CONNECT)

static struct policy_ports web[] = { { 80, 80 }, { 8080, 8082 }, { 80, 80 } }, wide[] = { { 1, 65535 } };

static struct policy_rule allow(u32 operations, struct policy_ports *ports, size_t n)
{
	return (struct policy_rule){ .allow = true, .operations = operations, .protocols = 1u << POLICY_TCP, .ports = ports, .n_ports = n };
}

static void ports_of_rules(void **state)
{
	struct policy_rule rules[] = { allow(1u << POLICY_CONNECT, web, 3), allow(1u << POLICY_LISTEN, web, 1) };
	struct policy p = { .rules = rules, .n_rules = 2 };
	u16 ports[8];

	assert_int_equal(domain_tcp_ports(&p, POLICY_CONNECT, ports, 8), 4);
	assert_memory_equal(ports, ((u16[]){ 80, 8080, 8081, 8082 }), 8);
	assert_int_equal(domain_tcp_ports(&p, POLICY_LISTEN, ports, 8), 2);
	assert_memory_equal(ports, ((u16[]){ 0, 80 }), 4);
	assert_int_equal(domain_tcp_ports(&p, POLICY_CONNECT, ports, 3), -1);
	rules[1] = allow(BOTH, wide, 1);
	assert_int_equal(domain_tcp_ports(&p, POLICY_CONNECT, ports, 8), -1);
	rules[1] = allow(BOTH, NULL, 0);
	assert_int_equal(domain_tcp_ports(&p, POLICY_CONNECT, ports, 8), -1);
	rules[1].allow = false;
	assert_int_equal(domain_tcp_ports(&p, POLICY_CONNECT, ports, 8), 4);
	rules[1] = allow(BOTH, NULL, 0);
	rules[1].protocols = 1u << POLICY_UDP;
	assert_int_equal(domain_tcp_ports(&p, POLICY_CONNECT, ports, 8), 4);
}

/* A policy that only watches, or that allows what it does not speak of, leaves all of them. */
static void policies_that_leave_all(void **state)
{
	struct policy p = { .mode = POLICY_AUDIT };
	u16 ports[2];

	assert_int_equal(domain_tcp_ports(&p, POLICY_CONNECT, ports, 2), -1);
	p = (struct policy){ .allow = true };
	assert_int_equal(domain_tcp_ports(&p, POLICY_CONNECT, ports, 2), -1);
	p = (struct policy){ .allow = false };
	assert_int_equal(domain_tcp_ports(&p, POLICY_CONNECT, ports, 2), 0);
}

/* ---- in a child, which is in a domain ---- */

static long version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
}

static int in_domain(const struct policies *policies, int (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct error err;

		_exit(domain_enter(policies, &err) ? 99 : fn(arg));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int result(int ret)
{
	return ret ? errno : 0;
}

static int signal_parent(void *arg)
{
	return result(kill(getppid(), 0));
}

/* As guest processes and the hypervisor are for each other. */
static int signal_child(void *arg)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		pause();
		_exit(0);
	}
	if (kill(pid, SIGKILL) || waitpid(pid, &status, 0) != pid)
		return errno;
	return WIFSIGNALED(status) ? 0 : 98;
}

static int read_parents_memory(void *arg)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/mem", getppid());
	return open(path, O_RDONLY | O_CLOEXEC) < 0 ? errno : 0;
}

struct place {
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
	};
	socklen_t len;
};

static int connect_to(void *arg)
{
	const struct place *to = arg;
	int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return result(connect(fd, &to->any, to->len));
}

static int bind_to(void *arg)
{
	const struct place *to = arg;
	int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return result(bind(fd, &to->any, to->len));
}

static struct place abstract_listener(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct place at = { .un = { .sun_family = AF_UNIX } };

	at.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			     (size_t)snprintf(at.un.sun_path + 1, 40, "callgate-test-domain-%d", getpid()));
	assert_int_equal(bind(fd, &at.any, at.len), 0);
	assert_int_equal(listen(fd, 1), 0);
	return at;
}

static void processes_outside(void **state)
{
	struct place at = abstract_listener();
	bool there = version() >= 6;

	assert_int_equal(in_domain(NULL, signal_parent, NULL), there ? EPERM : 0);
	assert_int_equal(in_domain(NULL, signal_child, NULL), 0);
	assert_int_equal(in_domain(NULL, read_parents_memory, NULL), there ? EACCES : 0);
	assert_int_equal(in_domain(NULL, connect_to, &at), there ? EPERM : 0);
}

static struct place port(u16 number)
{
	return (struct place){ .in = { .sin_family = AF_INET, .sin_port = htons(number), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) },
			       .len = sizeof(struct sockaddr_in) };
}

/* A listener of our own: there is an answer at this port, or there would be. */
static u16 listener(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct place at = port(0);

	assert_int_equal(bind(fd, &at.any, at.len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, &at.any, &at.len), 0);
	return ntohs(at.in.sin_port);
}

static void ports_of_policies(void **state)
{
	u16 one = listener(), two = listener();
	struct policy_ports ports = { one, one };
	struct policy_rule rule = allow(1u << POLICY_CONNECT, &ports, 1), any = allow(BOTH, NULL, 0);
	struct policy first = { .rules = &rule, .n_rules = 1 }, second = { .rules = &any, .n_rules = 1 };
	struct policies all = { .v = (struct policy *[]){ &second, &first }, .n = 2 };
	struct place good = port(one), bad = port(two), none = port(0);
	int refused = version() >= 4 ? EACCES : 0;

	assert_int_equal(in_domain(&all, connect_to, &good), 0);
	assert_int_equal(in_domain(&all, connect_to, &bad), refused);
	assert_int_equal(in_domain(&all, bind_to, &none), 0);
	assert_int_equal(in_domain(&all, bind_to, &bad), version() >= 4 ? EACCES : EADDRINUSE);
	first.mode = POLICY_LEARN;
	assert_int_equal(in_domain(&all, connect_to, &bad), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_of_rules),
		cmocka_unit_test(policies_that_leave_all),
		cmocka_unit_test(processes_outside),
		cmocka_unit_test(ports_of_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
