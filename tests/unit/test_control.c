// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket, events and exec together, in one thread: the clients are this test's own sockets, the
 * guest is a post function that only takes notes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ring.h"
#include "vm/commands.h"

#define POSTED_MAX 4096

static struct posted {
	struct pv_event event;
	unsigned int nfds;
	char argv0[64];
} posted[POSTED_MAX];

static struct world {
	char dir[64];
	struct control control;
	struct vm_events events;
	struct command_ctx ctx;
	int n_posted;
	int refuse; /* -errno: post() fails */
	struct control_client *deferred[4];
	int n_deferred, hangups;
} w;

static int post(void *server, const struct pv_event *event, size_t size, const int *fds, unsigned int nfds)
{
	struct posted *p = &posted[w.n_posted];

	if (w.refuse)
		return w.refuse;
	assert_true(w.n_posted < POSTED_MAX - 1);
	p->event = *event;
	p->nfds = nfds;
	if (event->process) {
		const struct boot_process *b = (const void *)((const char *)event + event->process);
		const uint32_t *argv = (const void *)((const char *)event + b->argv);

		snprintf(p->argv0, sizeof(p->argv0), "%s", (const char *)event + argv[0]);
	}
	for (unsigned int i = 0; i < nfds; i++)
		close(fds[i]);
	return ++w.n_posted;
}

/* ---- commands of the test's own ---- */

static void on_hangup(void *arg)
{
	w.hangups++;
}

static void cmd_echo(struct control_client *c, json_t *request)
{
	control_answer(c, json_pack("{sO}", "echo", json_object_get(request, "text")));
}

static void cmd_defer(struct control_client *c, json_t *request)
{
	control_on_hangup(c, on_hangup, NULL);
	w.deferred[w.n_deferred++] = c;
}

static void cmd_big(struct control_client *c, json_t *request)
{
	char *text = malloc(CONTROL_OUTPUT_MAX / 2);

	memset(text, 'x', CONTROL_OUTPUT_MAX / 2);
	text[CONTROL_OUTPUT_MAX / 2 - 1] = '\0';
	control_on_hangup(c, on_hangup, NULL);
	control_answer(c, json_pack("{ss}", "big", text));
	free(text);
}

static void cmd_fds(struct control_client *c, json_t *request)
{
	unsigned int n;

	(void)control_fds(c, &n);
	control_answer(c, json_pack("{si}", "fds", (int)n));
}

static const struct control_command own_commands[] = {
	{ "echo", cmd_echo }, { "defer", cmd_defer }, { "big", cmd_big }, { "fds", cmd_fds }, { 0 },
};

static int set_up(void **state)
{
	struct error err;

	memset(&w, 0, sizeof(w));
	strcpy(w.dir, "/tmp/callgate-control-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	if (control_listen(&w.control, w.dir, &err))
		fail_msg("%s", err.text);
	assert_int_equal(vm_events_init(&w.events), 0);
	w.events.post = post;
	w.events.booted = true;
	w.ctx.events = &w.events;
	w.control.ctx = &w.ctx;
	w.control.commands = own_commands;
	return 0;
}

static int set_up_vm(void **state)
{
	int ret = set_up(state);

	w.control.commands = vm_commands;
	return ret;
}

static int tear_down(void **state)
{
	char path[128];

	control_close(&w.control);
	snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET, w.dir);
	unlink(path);
	rmdir(w.dir);
	return 0;
}

/* ---- clients ---- */

static int dial(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/" CONTROL_SOCKET, w.dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void serve(void)
{
	for (int i = 0; i < 20; i++) {
		control_serve(&w.control);
		vm_events_take(&w.events);
	}
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	serve();
}

/* What has arrived; "" if nothing, NULL at the end. */
static const char *hear(int fd)
{
	static char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);

	if (!n || (n < 0 && errno == ECONNRESET))
		return NULL;
	buf[n < 0 ? 0 : n] = '\0';
	return buf;
}

static void assert_heard(int fd, const char *part)
{
	const char *text = hear(fd);

	if (!text || !strstr(text, part))
		fail_msg("expected '%s', heard '%s'", part, text ? text : "(the end)");
}

static void say_fds(int fd, const char *text, const int *fds, unsigned int n)
{
	union {
		char room[CMSG_SPACE(CONTROL_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room,
			      .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(h), fds, n * sizeof(int));
	assert_true(sendmsg(fd, &msg, MSG_NOSIGNAL) > 0);
	serve();
}

static unsigned int open_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* ---- the socket ---- */

static void test_requests(void **state)
{
	int a = dial(), b = dial();

	say(a, "{\"cmd\":\"ec");
	say(b, "{\"cmd\":\"echo\",\"text\":\"b\"}\n");
	assert_heard(b, "{\"echo\":\"b\"}\n");
	say(a, "ho\",\"text\":\"a\"}\n{\"cmd\":\"echo\",\"text\":2}\n");
	assert_heard(a, "{\"echo\":\"a\"}\n{\"echo\":2}\n");
	close(a);
	close(b);
	serve();
	assert_int_equal(w.control.n_clients, 0);
}

static void test_malformed(void **state)
{
	static const char *const lines[] = {
		"\n", "hello\n", "{\n", "[]\n", "{\"cmd\":7}\n", "{\"cmd\":\"echo\\u0000x\"}\n", "\xff\xfe\n",
		"{\"cmd\":null}\n",
	};
	int fd = dial();

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		say(fd, lines[i]);
		assert_heard(fd, "{\"error\":\"not a request");
	}
	say(fd, "{\"cmd\":\"nonsense\"}\n");
	assert_heard(fd, "unknown command 'nonsense'");
	close(fd);
}

static void test_endless_line(void **state)
{
	static char junk[65000];
	int a = dial(), b = dial();
	bool cut = false;

	memset(junk, 'x', sizeof(junk));
	for (int i = 0; i < 200 && !cut; i++) {
		cut = send(a, junk, sizeof(junk), MSG_NOSIGNAL) < 0 && errno != EAGAIN;
		serve();
	}
	assert_true(cut);
	say(b, "{\"cmd\":\"echo\",\"text\":1}\n");
	assert_heard(b, "{\"echo\":1}");
	close(a);
	close(b);
}

/* A request is looked at when the one before has its answer. */
static void test_one_at_a_time(void **state)
{
	int fd = dial();

	say(fd, "{\"cmd\":\"defer\"}\n{\"cmd\":\"echo\",\"text\":2}\n");
	assert_int_equal(w.n_deferred, 1);
	assert_string_equal(hear(fd), "");
	control_answer(w.deferred[0], json_pack("{si}", "late", 1));
	assert_heard(fd, "{\"late\":1}\n{\"echo\":2}\n");
	close(fd);
	serve();
}

static void test_hangup_is_noticed(void **state)
{
	int fd = dial();

	say(fd, "{\"cmd\":\"defer\"}\n{\"cmd\":\"echo\",\"text\":2}\n");
	close(fd);
	serve();
	assert_int_equal(w.hangups, 1);
	assert_int_equal(w.control.n_clients, 0);
}

static void test_client_that_never_reads(void **state)
{
	int a = dial(), b = dial();
	ssize_t n = 0;

	for (int i = 0; i < 50 && !w.hangups; i++) {
		n = send(a, "{\"cmd\":\"big\"}\n", 14, MSG_NOSIGNAL);
		serve();
	}
	assert_true(n > 0);
	assert_int_equal(w.hangups, 1);
	say(b, "{\"cmd\":\"echo\",\"text\":1}\n");
	assert_heard(b, "{\"echo\":1}");
	close(a);
	close(b);
}

static void test_descriptors(void **state)
{
	int fds[CONTROL_FDS_MAX], fd = dial();
	unsigned int before;

	for (int i = 0; i < CONTROL_FDS_MAX; i++)
		fds[i] = STDIN_FILENO;
	serve();
	before = open_fds();
	say_fds(fd, "{\"cmd\":\"fds\"}\n", fds, 5);
	assert_heard(fd, "{\"fds\":5}");
	say(fd, "{\"cmd\":\"fds\"}\n");
	assert_heard(fd, "{\"fds\":0}");
	say_fds(fd, "{\"cmd\":\"f", fds, CONTROL_FDS_MAX);
	say(fd, "ds\"}\n");
	assert_heard(fd, "{\"fds\":253}");
	assert_int_equal(open_fds(), before);
	say_fds(fd, "{\"cm", fds, CONTROL_FDS_MAX);
	say_fds(fd, "d\":", fds, 1);
	assert_null(hear(fd));
	close(fd);
	serve();
	assert_int_equal(open_fds(), before - 2);
}

static void test_silent_clients_make_room(void **state)
{
	static int fds[CONTROL_CLIENTS_MAX + 50];
	struct rlimit files = { 4096, 4096 };
	int last;

	setrlimit(RLIMIT_NOFILE, &files);
	for (int i = 0; i < CONTROL_CLIENTS_MAX + 50; i++) {
		fds[i] = dial();
		serve();
	}
	assert_int_equal(w.control.n_clients, CONTROL_CLIENTS_MAX);
	last = CONTROL_CLIENTS_MAX + 49;
	say(fds[last], "{\"cmd\":\"echo\",\"text\":1}\n");
	assert_heard(fds[last], "{\"echo\":1}");
	assert_null(hear(fds[0]));
	for (int i = 0; i <= last; i++)
		close(fds[i]);
	serve();
}

/* As another user, who got at the name in spite of the folder's mode. */
static int stranger(void)
{
	int fd;

	if (setgid(65534) || setuid(65534))
		return 2;
	fd = dial();
	(void)!send(fd, "{\"cmd\":\"defer\"}\n", 16, MSG_NOSIGNAL);
	return 0;
}

static void test_only_the_owner(void **state)
{
	char path[128];
	struct stat st;
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET, w.dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	chmod(w.dir, 0755);
	chmod(path, 0666);
	pid = fork();
	if (!pid)
		_exit(stranger());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	serve();
	assert_int_equal(WEXITSTATUS(status), geteuid() ? 2 : 0);
	assert_int_equal(w.n_deferred, 0);
	assert_int_equal(w.control.n_clients, 0);
}

/* ---- events ---- */

static struct {
	int done, result, exits, status;
	char text[64];
} heard;

static void on_done(void *ctx, int result, const char *text)
{
	heard.done++;
	heard.result = result;
	snprintf(heard.text, sizeof(heard.text), "%s", text);
}

static void on_exited(void *ctx, int wait_status)
{
	heard.exits++;
	heard.status = wait_status;
}

static const struct vm_event_listener plain = { .done = on_done };
static const struct vm_event_listener process = { .done = on_done, .exited = on_exited };

static struct vm_event *post_event(const struct vm_event_listener *listener)
{
	struct pv_event event = { .size = sizeof(event), .kind = PV_EV_START };
	int error = 0;
	struct vm_event *e = vm_events_post(&w.events, &event, sizeof(event), NULL, 0, listener, &error);

	assert_int_equal(!!e, !error);
	return e;
}

static void test_answers(void **state)
{
	memset(&heard, 0, sizeof(heard));
	assert_int_equal(vm_event_number(post_event(&plain)), 1);
	vm_events_done(&w.events, 1, -ESRCH, "why");
	assert_int_equal(heard.done, 0); /* that was a server's thread */
	vm_events_take(&w.events);
	assert_int_equal(heard.done, 1);
	assert_int_equal(heard.result, -ESRCH);
	assert_string_equal(heard.text, "why");
	/* of an event that nobody knows */
	vm_events_done(&w.events, 1, 0, "");
	vm_events_exited(&w.events, 77, 0);
	vm_events_take(&w.events);
	assert_int_equal(heard.done + heard.exits, 1);
	assert_int_equal(w.events.n, 0);
}

static void test_process_events(void **state)
{
	memset(&heard, 0, sizeof(heard));
	post_event(&process);
	vm_events_done(&w.events, 1, 17, "");
	vm_events_exited(&w.events, 1, 9);
	vm_events_take(&w.events);
	assert_int_equal(heard.result, 17);
	assert_int_equal(heard.exits, 1);
	assert_int_equal(heard.status, 9);
	/* forgotten, but its end is waited for */
	vm_event_forget(post_event(&process));
	vm_events_done(&w.events, 2, 17, "");
	vm_events_take(&w.events);
	assert_int_equal(w.events.n, 1);
	vm_events_exited(&w.events, 2, 9);
	vm_events_take(&w.events);
	assert_int_equal(w.events.n, 0);
	assert_int_equal(heard.exits, 1);
	/* INT_MIN can't be negated */
	post_event(&process);
	vm_events_done(&w.events, 3, INT_MIN, "");
	vm_events_take(&w.events);
	assert_int_equal(heard.result, -EPROTO);
}

static void test_events_wait_for_room(void **state)
{
	struct vm_event *e[3];

	memset(&heard, 0, sizeof(heard));
	e[0] = post_event(&plain);
	w.refuse = -EAGAIN;
	e[1] = post_event(&plain);
	assert_int_equal(vm_event_number(e[1]), 0);
	w.refuse = 0;
	e[2] = post_event(&plain); /* does not overtake */
	assert_int_equal(w.n_posted, 1);
	vm_events_done(&w.events, 1, 0, "");
	vm_events_take(&w.events);
	assert_int_equal(w.n_posted, 3);
	assert_int_equal(vm_event_number(e[1]), 2);
	assert_int_equal(vm_event_number(e[2]), 3);
	w.refuse = -E2BIG;
	assert_null(post_event(&plain));
	w.refuse = -EAGAIN;
	while (w.events.n < VM_EVENTS_MAX)
		assert_non_null(post_event(&plain));
	assert_null(post_event(&plain));
}

static void test_boot_event(void **state)
{
	memset(&heard, 0, sizeof(heard));
	w.events.booted = false;
	assert_non_null(vm_events_expect_boot(&w.events, &plain));
	post_event(&plain);
	assert_int_equal(w.n_posted, 0);
	vm_events_done(&w.events, 0, 0, "");
	vm_events_take(&w.events);
	assert_int_equal(heard.done, 1);
	assert_int_equal(w.events.n, 1);
	assert_int_equal(w.n_posted, 1);
}

/* ---- exec ---- */

#define PROCESS "{\"args\":[\"prog\",\"x\"],\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0}}"
#define EXEC    "{\"cmd\":\"exec\",\"process\":" PROCESS "}\n"

static const int stdio[3] = { STDIN_FILENO, STDIN_FILENO, STDIN_FILENO };

static void test_exec(void **state)
{
	int fd = dial();

	say_fds(fd, EXEC, stdio, 3);
	assert_int_equal(w.n_posted, 1);
	assert_int_equal(posted[0].event.kind, PV_EV_EXEC);
	assert_int_equal(posted[0].nfds, 3);
	assert_string_equal(posted[0].argv0, "prog");
	assert_string_equal(hear(fd), "");
	vm_events_done(&w.events, 1, 42, "");
	serve();
	assert_heard(fd, "{\"pid\":42}\n");
	say(fd, "{\"cmd\":\"signal\",\"signal\":15}\n{\"cmd\":\"signal\",\"signal\":2,\"terminal\":true}\n");
	assert_int_equal(w.n_posted, 2);
	assert_int_equal(posted[1].event.kind, PV_EV_SIGNAL);
	assert_int_equal(posted[1].event.target, 1);
	assert_int_equal(posted[1].event.sig, 15);
	vm_events_done(&w.events, 2, 0, "");
	serve();
	assert_heard(fd, "{\"result\":0}\n");
	assert_int_equal(posted[2].event.kind, PV_EV_TTY_SIGNAL);
	/* its end comes before the answer to the signal */
	vm_events_exited(&w.events, 1, 0x300);
	vm_events_done(&w.events, 3, -ESRCH, "");
	serve();
	assert_heard(fd, "{\"exit\":768}\n");
	assert_null(hear(fd));
	assert_int_equal(w.ctx.execs, 0);
	assert_int_equal(w.events.n, 0);
	close(fd);
}

static void test_exec_fails(void **state)
{
	int fd = dial();

	say_fds(fd, EXEC, stdio, 3);
	vm_events_done(&w.events, 1, -ENOENT, "exec: \"prog\": no such file");
	serve();
	assert_heard(fd, "{\"error\":\"exec: \\\"prog\\\": no such file\",\"code\":2}\n");
	assert_int_equal(w.ctx.execs, 0);
	/* the connection is good for another; what the guest says may be no text */
	say_fds(fd, EXEC, stdio, 3);
	vm_events_done(&w.events, 2, -ENOENT, "\xff\xff");
	serve();
	assert_heard(fd, "{\"error\":\"unprintable error\",\"code\":2}\n");
	close(fd);
	serve();
	assert_int_equal(w.n_posted, 2);
}

static void test_exec_hangup_kills(void **state)
{
	int a = dial(), b = dial();

	say_fds(a, EXEC, stdio, 3);
	vm_events_done(&w.events, 1, 42, "");
	serve();
	close(a);
	serve();
	assert_int_equal(w.n_posted, 2);
	assert_int_equal(posted[1].event.kind, PV_EV_SIGNAL);
	assert_int_equal(posted[1].event.sig, SIGKILL);
	assert_int_equal(posted[1].event.target, 1);
	/* before it runs: killed as soon as it does */
	say_fds(b, EXEC, stdio, 3);
	close(b);
	serve();
	assert_int_equal(w.n_posted, 3);
	vm_events_done(&w.events, 3, 43, "");
	serve();
	assert_int_equal(posted[3].event.sig, SIGKILL);
	assert_int_equal(posted[3].event.target, 3);
	vm_events_done(&w.events, 2, 0, "");
	vm_events_done(&w.events, 4, 0, "");
	vm_events_exited(&w.events, 1, SIGKILL);
	vm_events_exited(&w.events, 3, SIGKILL);
	serve();
	assert_int_equal(w.ctx.execs, 0);
	assert_int_equal(w.events.n, 0);
}

/* A further request that would wait for the client's end must not take that of the process away. */
static void test_one_life_line(void **state)
{
	static const char *const others[] = {
		"{\"cmd\":\"processes\"}\n", "{\"cmd\":\"start\"}\n", EXEC,
	};
	int fd = dial();

	say_fds(fd, EXEC, stdio, 3);
	vm_events_done(&w.events, 1, 42, "");
	serve();
	assert_heard(fd, "{\"pid\":42}\n");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		say(fd, others[i]);
		assert_heard(fd, "\"code\":16}\n");
	}
	assert_int_equal(w.n_posted, 1);
	close(fd);
	serve();
	assert_int_equal(w.n_posted, 2);
	assert_int_equal(posted[1].event.sig, SIGKILL);
	vm_events_done(&w.events, 2, 0, "");
	vm_events_exited(&w.events, 1, SIGKILL);
	serve();
	assert_int_equal(w.ctx.execs, 0);
	assert_int_equal(w.events.n, 0);
}

static void test_exec_refused(void **state)
{
	int fd = dial(), dir[3] = { STDIN_FILENO, -1, STDIN_FILENO };
	unsigned int before;
	char *text;

	dir[1] = open("/", O_RDONLY | O_DIRECTORY);
	serve();
	before = open_fds();
	say_fds(fd, EXEC, dir, 3);
	assert_heard(fd, "descriptor 1 is a directory of the host");
	say_fds(fd, EXEC, stdio, 2);
	assert_heard(fd, "descriptors 0, 1 and 2 are needed");
	say(fd, EXEC);
	assert_heard(fd, "descriptors 0, 1 and 2 are needed");
	say_fds(fd, "{\"cmd\":\"exec\"}\n", stdio, 3);
	assert_heard(fd, "process: expected an object");
	say_fds(fd, "{\"cmd\":\"exec\",\"process\":{\"args\":[],\"cwd\":\"/\"}}\n", stdio, 3);
	assert_heard(fd, "process.args: expected a non-empty array");
	text = malloc(RING_BUF_SIZE + 200);
	sprintf(text, "{\"cmd\":\"exec\",\"process\":{\"cwd\":\"/\",\"args\":[\"%0*d\"]}}\n", (int)RING_BUF_SIZE, 0);
	/* more than a socket's buffer takes at once */
	for (size_t done = 0; done < strlen(text);) {
		ssize_t n = done ? send(fd, text + done, strlen(text) - done, MSG_NOSIGNAL) : 0;

		if (!done) {
			char first = text[1];

			text[1] = '\0';
			say_fds(fd, text, stdio, 3);
			text[1] = first;
			n = 1;
		}
		done += n > 0 ? (size_t)n : 0;
		serve();
	}
	free(text);
	assert_heard(fd, "too long together");
	assert_int_equal(w.n_posted, 0);
	assert_int_equal(w.ctx.execs, 0);
	assert_int_equal(open_fds(), before);
	w.refuse = -EAGAIN;
	say_fds(fd, EXEC, stdio, 3); /* waits */
	assert_int_equal(w.ctx.execs, 1);
	close(fd);
	close(dir[1]);
	serve();
}

static void test_processes(void **state)
{
	int fd = dial();

	say(fd, "{\"cmd\":\"processes\",\"after\":7}\n");
	assert_int_equal(posted[0].event.kind, PV_EV_PROCESSES);
	assert_int_equal(posted[0].event.target, 7);
	vm_events_done(&w.events, 1, 9, "9 1 0 0 5 6 sh\n");
	serve();
	assert_heard(fd, "\"next\":9");
	say(fd, "{\"cmd\":\"processes\"}\n");
	assert_int_equal(posted[1].event.target, 0);
	vm_events_done(&w.events, 2, -ENOMEM, "");
	serve();
	assert_heard(fd, "Cannot allocate memory");
	say(fd, "{\"cmd\":\"processes\"}\n"); /* the guest may say anything */
	vm_events_done(&w.events, 3, 0, "\xff\xfe");
	serve();
	assert_heard(fd, "Protocol error");
	close(fd);
	serve();
}

static void test_status_and_signals(void **state)
{
	int fd = dial();

	say(fd, "{\"cmd\":\"status\"}\n");
	assert_heard(fd, "\"status\":\"created\"");
	say(fd, "{\"cmd\":\"signal\",\"signal\":0}\n{\"cmd\":\"signal\",\"signal\":65}\n{\"cmd\":\"signal\"}\n");
	assert_heard(fd, "not a signal's number");
	assert_int_equal(w.n_posted, 0);
	say(fd, "{\"cmd\":\"signal\",\"signal\":15,\"all\":true}\n");
	assert_int_equal(posted[0].event.target, PV_TO_ALL);
	vm_events_done(&w.events, 1, 0, "");
	serve();
	assert_heard(fd, "{\"result\":0}");
	say(fd, "{\"cmd\":\"signal\",\"signal\":9}\n");
	assert_int_equal(posted[1].event.target, 0);
	/* nobody waits for the answer any more */
	close(fd);
	serve();
	vm_events_done(&w.events, 2, 0, "");
	serve();
	assert_int_equal(w.events.n, 0);
	fd = dial();
	say(fd, "{\"cmd\":\"syscalls\"}\n");
	assert_heard(fd, "keeps no counts");
	close(fd);
}

#define TEST(name)    cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_VM(name) cmocka_unit_test_setup_teardown(name, set_up_vm, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_requests),
		TEST(test_malformed),
		TEST(test_endless_line),
		TEST(test_one_at_a_time),
		TEST(test_hangup_is_noticed),
		TEST(test_client_that_never_reads),
		TEST(test_descriptors),
		TEST(test_silent_clients_make_room),
		TEST(test_only_the_owner),
		TEST(test_answers),
		TEST(test_process_events),
		TEST(test_events_wait_for_room),
		TEST(test_boot_event),
		TEST_VM(test_exec),
		TEST_VM(test_exec_fails),
		TEST_VM(test_one_life_line),
		TEST_VM(test_exec_hangup_kills),
		TEST_VM(test_exec_refused),
		TEST_VM(test_processes),
		TEST_VM(test_status_and_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
