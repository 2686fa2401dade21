/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces of names, System V IPC, message queues and networks; their files, setns. */
#include "own_ns.h"
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/utsname.h>

static void test_links(void)
{
	static const char *const kinds[] = { "cgroup", "ipc", "net", "pid", "user", "uts" };
	static const int flags[] = { CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS };

	for (int i = 0; i < 6; i++) {
		char path[64], text[64] = "", want[64];
		int fd;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
		snprintf(want, sizeof(want), "%s:[%lu]", kinds[i], namespace_number(kinds[i]));
		OK(readlink(path, text, sizeof(text) - 1));
		CHECK(!strcmp(text, want));
		fd = OK(open(path, O_RDONLY));
		CHECK(OK(ioctl(fd, NS_GET_NSTYPE)) == flags[i]);
		FAILS(ENOTTY, ioctl(fd, TIOCGWINSZ, text));
		FAILS(EINVAL, ioctl(fd, NS_GET_OWNER_UID, text) == 0 && flags[i] == CLONE_NEWUSER ? (errno = EINVAL, -1) : -1);
		FAILS(EINVAL, read(fd, text, 1));
		close(fd);
	}
}

static void test_setns_errors(void)
{
	int uts = OK(open("/proc/self/ns/uts", O_RDONLY)), file = OK(open("/proc/self/status", O_RDONLY));

	FAILS(EBADF, setns(-1, 0));
	FAILS(EINVAL, setns(file, 0));
	FAILS(EINVAL, setns(uts, CLONE_NEWNET));
	FAILS(EINVAL, setns((int)OK(syscall(SYS_pidfd_open, getpid(), 0)), 0));
	IN_CHILD({
		OK(unshare(CLONE_NEWUSER));
		FAILS(EPERM, setns(uts, CLONE_NEWUTS)); /* it is not that of the new user namespace */
	});
}

static void test_uts(void)
{
	IN_CHILD({
		struct utsname before, u;
		ino_t old = namespace_number("uts");
		int fd;

		OK(uname(&before));
		OK(unshare(CLONE_NEWUSER | CLONE_NEWUTS));
		CHECK(namespace_number("uts") != old);
		OK(uname(&u));
		CHECK(!strcmp(u.nodename, before.nodename));
		OK(sethostname("inside", 6));
		OK(setdomainname("domain", 6));
		fd = OK(open("/proc/self/ns/uts", O_RDONLY));
		OK(unshare(CLONE_NEWUTS));
		OK(sethostname("deeper", 6));
		OK(uname(&u));
		CHECK(!strcmp(u.nodename, "deeper") && !strcmp(u.domainname, "domain"));
		OK(setns(fd, CLONE_NEWUTS));
		OK(uname(&u));
		CHECK(!strcmp(u.nodename, "inside"));
	});
}

static void test_ipc(void)
{
	key_t key = 0x4e530000 + getpid();
	int shm = OK(shmget(key, 4096, IPC_CREAT | 0600)), queue = OK(msgget(key, IPC_CREAT | 0600));
	char name[32];
	mqd_t mq;

	snprintf(name, sizeof(name), "/ns_misc.%d", getpid());
	mq = OK(mq_open(name, O_CREAT | O_RDWR, 0600, NULL));
	IN_CHILD({
		struct shmid_ds ds;
		char *p = OK(shmat(shm, NULL, 0));
		int sem;

		OK(unshare(CLONE_NEWUSER | CLONE_NEWIPC));
		FAILS(ENOENT, shmget(key, 4096, 0600));
		FAILS(ENOENT, msgget(key, 0));
		FAILS(EINVAL, msgctl(queue, IPC_RMID, NULL));
		FAILS(EINVAL, shmctl(shm, IPC_STAT, &ds));
		FAILS(ENOENT, mq_open(name, O_RDWR));
		*p = 'x'; /* what is attached stays */
		OK(shmget(key, 8192, IPC_CREAT | 0600));
		sem = OK(semget(key, 3, IPC_CREAT | 0600));
		OK(semctl(sem, 1, SETVAL, 4));
		CHECK(semctl(sem, 1, GETVAL) == 4);
	});
	FAILS(ENOENT, semget(key, 3, 0)); /* gone with its namespace */
	CHECK(*(char *)OK(shmat(shm, NULL, 0)) == 'x');
	OK(shmctl(shm, IPC_RMID, NULL));
	OK(msgctl(queue, IPC_RMID, NULL));
	OK(mq_unlink(name));
	OK(mq_close(mq));
}

static struct ifreq loopback(void)
{
	struct ifreq r = { .ifr_name = "lo" };

	return r;
}

/* As bubblewrap does it. */
static void up_by_netlink(void)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} m = { .h = { .nlmsg_len = sizeof(m), .nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK, .nlmsg_seq = 3 },
		.i = { .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP } };
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} answer;
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };
	int s = OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));

	OK(bind(s, (struct sockaddr *)&nl, sizeof(nl)));
	CHECK(sendto(s, &m, sizeof(m), 0, (struct sockaddr *)&nl, sizeof(nl)) == sizeof(m));
	CHECK(recv(s, &answer, sizeof(answer), 0) >= (ssize_t)sizeof(answer));
	CHECK(answer.h.nlmsg_type == NLMSG_ERROR && answer.h.nlmsg_seq == 3 && answer.e.error == 0);
	close(s);
}

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t local(union address *a, int family, int port)
{
	memset(a, 0, sizeof(*a));
	a->any.sa_family = family;
	a->in.sin_port = port; /* at the same place in both */
	if (family == AF_INET)
		a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		a->in6.sin6_addr = in6addr_loopback;
	return family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

/* A server that listens at any address of its family, and a client of another. */
static void streams(int family, int from)
{
	int listener = OK(socket(family, SOCK_STREAM, 0)), client = OK(socket(from, SOCK_STREAM, 0)), end;
	union address any = { .any.sa_family = family }, a, b;
	socklen_t len = sizeof(any.in6);
	struct pollfd p;
	char buf[64];

	OK(bind(listener, &any.any, family == AF_INET ? sizeof(any.in) : sizeof(any.in6)));
	OK(getsockname(listener, &any.any, &len));
	FAILS(ECONNREFUSED, connect(OK(socket(from, SOCK_STREAM, 0)), &a.any, local(&a, from, any.in.sin_port)));
	OK(listen(listener, 3));
	FAILS(EADDRINUSE, bind(OK(socket(family, SOCK_STREAM, 0)), &any.any, len));
	OK(connect(client, &a.any, local(&a, from, any.in.sin_port)));
	p = (struct pollfd){ .fd = listener, .events = POLLIN };
	CHECK(poll(&p, 1, 1000) == 1 && p.revents == POLLIN);
	len = sizeof(b);
	end = OK(accept(listener, &b.any, &len));
	CHECK(b.any.sa_family == family && len == (family == AF_INET ? sizeof(b.in) : sizeof(b.in6)));
	len = sizeof(a);
	OK(getsockname(client, &a.any, &len));
	CHECK(a.in.sin_port == b.in.sin_port && a.in.sin_port);
	CHECK(write(client, "question", 8) == 8 && read(end, buf, sizeof(buf)) == 8 && !memcmp(buf, "question", 8));
	CHECK(send(end, "answer", 6, 0) == 6 && recv(client, buf, sizeof(buf), 0) == 6);
	OK(shutdown(client, SHUT_WR));
	CHECK(read(end, buf, sizeof(buf)) == 0 && write(end, "late", 4) == 4);
	close(end);
	CHECK(read(client, buf, sizeof(buf)) == 4 && read(client, buf, sizeof(buf)) == 0);
	close(client);
	close(listener);
}

static void datagrams(int family)
{
	int server = OK(socket(family, SOCK_DGRAM, 0)), client = OK(socket(family, SOCK_DGRAM, 0));
	union address a, from;
	socklen_t len = sizeof(from);
	char buf[64];

	OK(bind(server, &a.any, local(&a, family, 0)));
	OK(getsockname(server, &a.any, &len));
	CHECK(sendto(client, "one", 3, 0, &a.any, len) == 3);
	len = sizeof(from);
	CHECK(recvfrom(server, buf, sizeof(buf), 0, &from.any, &len) == 3 && from.any.sa_family == family);
	CHECK(sendto(server, "two", 3, 0, &from.any, len) == 3);
	OK(connect(client, &a.any, len));
	CHECK(recv(client, buf, 2, MSG_TRUNC) == 3 && send(client, "", 0, 0) == 0);
	CHECK(recv(server, buf, sizeof(buf), 0) == 0);
	FAILS(EAGAIN, recv(server, buf, 1, MSG_DONTWAIT));
	close(server);
	close(client);
}

static void test_network(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int outer = OK(socket(AF_UNIX, SOCK_DGRAM, 0)), listener = OK(socket(AF_INET, SOCK_STREAM, 0));
	struct sockaddr_in out = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t len = sizeof(out);

	snprintf(un.sun_path + 1, 32, "ns_misc.%d", getpid());
	OK(bind(outer, (struct sockaddr *)&un, sizeof(un)));
	out.sin_port = 0;
	OK(bind(listener, (struct sockaddr *)&out, sizeof(out)));
	OK(listen(listener, 1));
	OK(getsockname(listener, (struct sockaddr *)&out, &len));
	IN_CHILD({
		int s;
		struct ifreq r = loopback();
		struct sockaddr_in any = { .sin_family = AF_INET };

		OK(unshare(CLONE_NEWUSER | CLONE_NEWNET));
		FAILS(ECONNREFUSED, connect(OK(socket(AF_UNIX, SOCK_DGRAM, 0)), (struct sockaddr *)&un, sizeof(un)));
		OK(bind(OK(socket(AF_UNIX, SOCK_DGRAM, 0)), (struct sockaddr *)&un, sizeof(un)));
		s = OK(socket(AF_INET, SOCK_STREAM, 0));
		FAILS(ENETUNREACH, connect(s, (struct sockaddr *)&out, sizeof(out))); /* lo is down */
		out.sin_addr.s_addr = htonl(0xc0000201);
		FAILS(ENETUNREACH, connect(s, (struct sockaddr *)&out, sizeof(out)));
		OK(bind(s, (struct sockaddr *)&any, sizeof(any)));
		OK(listen(s, 1));
		OK(fcntl(s, F_SETFL, O_NONBLOCK));
		FAILS(EAGAIN, accept(s, NULL, NULL));
		OK(ioctl(s, SIOCGIFFLAGS, &r));
		CHECK(!(r.ifr_flags & IFF_UP) && r.ifr_flags & IFF_LOOPBACK);
		up_by_netlink();
		OK(ioctl(s, SIOCGIFFLAGS, &r));
		CHECK(r.ifr_flags & IFF_UP);
		CHECK(if_nametoindex("lo") == 1);
		out.sin_addr.s_addr = htonl(0xc0000201);
		FAILS(ENETUNREACH, connect(OK(socket(AF_INET, SOCK_STREAM, 0)), (struct sockaddr *)&out, sizeof(out)));
		streams(AF_INET, AF_INET);
		streams(AF_INET6, AF_INET6);
		streams(AF_INET6, AF_INET);
		datagrams(AF_INET);
		datagrams(AF_INET6);
	});
}

/* A file keeps a namespace that has no process any more. */
static void test_kept_by_file(void)
{
	IN_CHILD({
		char name[65] = "";
		int pair[2];
		char path[64];
		pid_t pid;
		int fd;

		OK(unshare(CLONE_NEWUSER));
		OK(pipe(pair));
		pid = OK(fork());
		if (!pid) {
			OK(unshare(CLONE_NEWUTS));
			OK(sethostname("kept", 4));
			CHECK(write(pair[1], "x", 1) == 1);
			for (;;)
				pause();
		}
		CHECK(read(pair[0], path, 1) == 1);
		snprintf(path, sizeof(path), "/proc/%d/ns/uts", pid);
		fd = OK(open(path, O_RDONLY));
		OK(kill(pid, SIGKILL));
		CHECK(reap(pid) == 1000 + SIGKILL);
		OK(setns(fd, 0));
		OK(gethostname(name, sizeof(name)));
		CHECK(!strcmp(name, "kept"));
	});
}

static void test_by_pidfd(void)
{
	IN_CHILD({
		int pair[2];
		char byte;
		pid_t pid;

		OK(unshare(CLONE_NEWUSER));
		OK(pipe(pair));
		pid = OK(fork());
		if (!pid) {
			OK(unshare(CLONE_NEWUTS | CLONE_NEWIPC));
			OK(sethostname("there", 5));
			CHECK(write(pair[1], "x", 1) == 1);
			for (;;)
				pause();
		}
		CHECK(read(pair[0], &byte, 1) == 1);
		OK(setns((int)OK(syscall(SYS_pidfd_open, pid, 0)), CLONE_NEWUTS | CLONE_NEWIPC));
		OK(gethostname((char[65]){ 0 }, 65));
		CHECK(namespace_number("uts") != 0);
		OK(kill(pid, SIGKILL));
		CHECK(reap(pid) == 1000 + SIGKILL);
	});
}

int main(void)
{
	test_links();
	test_setns_errors();
	test_uts();
	test_ipc();
	test_network();
	test_kept_by_file();
	test_by_pidfd();
	return 0;
}
