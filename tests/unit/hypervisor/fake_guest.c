/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int test_tty = -1, test_procfs = -1;
const char *test_keep;
bool test_data_rings;

static int container_root = -1;
static struct pv_marker markers[] = {
	{ 0, "/proc" },
	{ 0, "/dev" },
	{ 0, "/run/guest" },
};
#define MARKERS (sizeof(markers) / sizeof(markers[0]))

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		abort();
	}
}

void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
	close(fd);
}

static int detached_procfs(void)
{
	int fs = fsopen("proc", 0);
	int fd;

	must(fs >= 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0, "procfs");
	fd = fsmount(fs, 0, 0);
	must(fd >= 0, "fsmount");
	close(fs);
	return fd;
}

static void make_tree(void)
{
	static const char *const dirs[] = { "proc", "dev",     "run", "run/guest", "etc",
					    "dir",  "dir/sub", "old", "tmp" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		must(mkdir(dirs[i], 0755) == 0, dirs[i]);
	must(chmod("tmp", 01777) == 0, "chmod");
	put_file("etc/passwd", "root:x:0:0\n");
	put_file("dir/file", "contents");
	must(symlink("/proc/self", "procself") == 0, "symlink");
	must(symlink("../proc", "dir/toproc") == 0, "symlink");
	must(symlink("/run/guest", "etc/run") == 0, "symlink");
	must(symlink("../etc/passwd", "dir/topasswd") == 0, "symlink");
	must(symlink("/../../../etc/passwd", "dir/escape") == 0, "symlink");
	must(symlink("loop2", "loop1") == 0 && symlink("loop1", "loop2") == 0, "symlink");
	must(symlink("/proc/self/fd/1", "stdout") == 0, "symlink");
	must(mkfifo("fifo", 0644) == 0, "mkfifo");
}

static void make_marker(struct pv_marker *m)
{
	struct stat st;

	must(mount("marker", m->target, "tmpfs", MS_RDONLY | MS_NODEV | MS_NOSUID,
		   "mode=0755,size=4k") == 0,
	     m->target);
	must(stat(m->target, &st) == 0, "stat");
	m->dev = st.st_dev;
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(s >= 0 && ioctl(s, SIOCSIFFLAGS, &ifr) == 0, "lo");
	close(s);
}

/* The master stays open for as long as the process lives. */
static int open_tty(void)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	int unlock = 0, tty;

	must(master >= 0 && ioctl(master, TIOCSPTLCK, &unlock) == 0, "/dev/ptmx");
	tty = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	must(tty >= 0, "pseudo-terminal");
	return tty;
}

int container_setup(void **state)
{
	char dir[] = "/tmp/callgate-test-XXXXXX";

	must(unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS) == 0, "unshare (needs root)");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private");
	loopback_up();
	test_procfs = detached_procfs();
	test_tty = open_tty();
	must(mkdtemp(dir) != NULL, "mkdtemp");
	/* Nobody but us sees the mount, so the directory can go at once. */
	must(mount("root", dir, "tmpfs", MS_NODEV, "size=256m") == 0, "tmpfs");
	must(chdir(dir) == 0, "chdir");
	if (test_keep)
		must(mkdir("keep", 0700) == 0 && mount(test_keep, "keep", NULL, MS_BIND, NULL) == 0, test_keep);
	must(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
	must(umount2(".", MNT_DETACH) == 0 && chdir("/") == 0, "umount");
	umask(0);
	make_tree();
	for (size_t i = 0; i < MARKERS; i++)
		make_marker(&markers[i]);
	container_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

static void end(struct guest *g)
{
	__atomic_store_n(&g->ended, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &g->ended, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void on_poweroff(void *ctx, int wait_status)
{
	struct guest *g = ctx;

	g->wait_status = wait_status;
	end(g);
}

static void on_panic(void *ctx, const char *text)
{
	struct guest *g = ctx;

	snprintf(g->panic, sizeof(g->panic), "%s", text);
	end(g);
}

static void on_protocol_error(void *ctx, const char *why)
{
	struct guest *g = ctx;

	snprintf(g->reason, sizeof(g->reason), "%s", why);
	end(g);
}

static void on_log(void *ctx, int level, const char *text)
{
	struct guest *g = ctx;

	snprintf(g->log, sizeof(g->log), "%d %s", level, text);
	if (g->on_log)
		g->on_log(g);
}

static void on_event_done(void *ctx, u32 event, int result, const char *text)
{
	struct guest *g = ctx;

	g->done_event = event;
	g->done_result = result;
	g->ndone++;
	snprintf(g->done_text, sizeof(g->done_text), "%s", text);
}

static void on_exited(void *ctx, u32 event, int wait_status)
{
	struct guest *g = ctx;

	g->exited_event = event;
	g->exited_status = wait_status;
	g->nexited++;
}

static pid_t host_pid(void *ctx, u32 pid)
{
	return pid == 1 ? getpid() : 0;
}

pid_t (*test_host_pid)(void *ctx, u32 pid) = host_pid;

int guest_setup(void **state)
{
	struct guest *g = calloc(1, sizeof(*g));
	int pair[2];
	struct pv_unix_mount unix_mount = { .may = PV_UNIX_MAY_CONNECT | PV_UNIX_MAY_LISTEN };
	struct statx st;
	struct pv_server_config cfg = {
		.rootfd = container_root,
		.procfd = test_procfs,
		.vm_procfd = -1,
		.pid_ns = -1,
		.schedules = true,
		.cgroup = { -1, -1, -1, -1, -1 },
		.unix_mounts = &unix_mount,
		.n_unix_mounts = 1,
		.markers = markers,
		.nmarkers = MARKERS,
		.caps = ~0ULL,
		.data_rings = test_data_rings,
		.ctx = g,
		.poweroff = on_poweroff,
		.panic = on_panic,
		.protocol_error = on_protocol_error,
		.log = on_log,
		.event_done = on_event_done,
		.exited = on_exited,
		.host_pid = test_host_pid,
	};

	g->ring = mmap(NULL, RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(g->ring != MAP_FAILED, "mmap");
	g->hdr = (struct ring_header *)g->ring;
	pthread_mutex_init(&g->produce, NULL);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
	g->chan = pair[0];
	g->chan_out = pair[1];
	must(statx(container_root, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) == 0, "statx");
	unix_mount.mnt_id = st.stx_mnt_id;
	cfg.ring = g->ring;
	cfg.chan_fd = pair[1];
	must(pv_server_start(&g->srv, &cfg) == 0, "pv_server_start");
	*state = g;
	return 0;
}

int guest_teardown(void **state)
{
	struct guest *g = *state;

	pv_server_stop(g->srv);
	munmap(g->ring, RING_SIZE);
	close(g->chan);
	close(g->chan_out);
	free(g);
	return 0;
}

void guest_issue(struct guest *g, u32 slot, struct pv_request *req)
{
	struct ring_header *h = g->hdr;

	pthread_mutex_lock(&g->produce);
	if (slot < RING_SLOTS)
		__atomic_store_n(&h->state[slot], SLOT_PENDING, __ATOMIC_RELEASE);
	req->req_id = slot;
	h->requests[h->req_prod % RING_SLOTS] = *req;
	__atomic_store_n(&h->req_prod, h->req_prod + 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&g->produce);
	if (__atomic_load_n(&h->sleeping, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&h->sleeping, 0, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &h->sleeping, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
}

struct pv_response guest_wait(struct guest *g, u32 slot)
{
	u32 *state = &g->hdr->state[slot];
	struct timespec patience = { 10, 0 };
	u32 pending = SLOT_PENDING;

	__atomic_compare_exchange_n(state, &pending, SLOT_SLEEPING, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	while (__atomic_load_n(state, __ATOMIC_ACQUIRE) == SLOT_SLEEPING) {
		if (syscall(SYS_futex, state, FUTEX_WAIT, SLOT_SLEEPING, &patience, NULL, 0) < 0 &&
		    errno == ETIMEDOUT) {
			fprintf(stderr, "no answer; protocol error: %s\n", g->reason);
			abort();
		}
	}
	return g->hdr->responses[slot];
}

struct pv_response guest_call(struct guest *g, u32 slot, struct pv_request *req)
{
	guest_issue(g, slot, req);
	return guest_wait(g, slot);
}

bool guest_ended(struct guest *g)
{
	struct timespec patience = { 5, 0 };

	while (!__atomic_load_n(&g->ended, __ATOMIC_SEQ_CST)) {
		if (syscall(SYS_futex, &g->ended, FUTEX_WAIT, 0, &patience, NULL, 0) < 0 &&
		    errno == ETIMEDOUT)
			return false;
	}
	return true;
}

int guest_take(struct guest *g, struct pv_donation *what)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { what, sizeof(*what) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(g->chan, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof(*what))
		return -1;
	if (msg.msg_controllen < sizeof(control.head))
		return -1;
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

struct pv_response last_response(struct guest *g)
{
	return g->hdr->responses[0];
}

s32 path2_call(struct guest *g, u32 cmd, const char *path, const char *path2,
	       struct pv_req_path more)
{
	struct pv_request req = { .cmd = cmd };

	more.path_len = strlen(path);
	more.path2_len = strlen(path2);
	memcpy(guest_buf(g, 0), path, more.path_len);
	memcpy(guest_buf(g, 0) + more.path_len, path2, more.path2_len);
	req.u.path = more;
	return guest_call(g, 0, &req).ret;
}

s32 path_call(struct guest *g, u32 cmd, const char *path, struct pv_req_path more)
{
	return path2_call(g, cmd, path, "", more);
}

s32 handle_call(struct guest *g, u32 cmd, struct pv_req_handle more)
{
	struct pv_request req = { .cmd = cmd };

	req.u.handle = more;
	return guest_call(g, 0, &req).ret;
}

s32 sock_call(struct guest *g, u32 cmd, struct pv_req_sock more)
{
	struct pv_request req = { .cmd = cmd };

	req.u.sock = more;
	return guest_call(g, 0, &req).ret;
}

s32 ctl_call(struct guest *g, u32 cmd, struct pv_req_ctl more)
{
	struct pv_request req = { .cmd = cmd };

	req.u.ctl = more;
	return guest_call(g, 0, &req).ret;
}

void release(struct guest *g, u32 id)
{
	struct pv_request req = { .cmd = PV_RELEASE };

	req.u.release.id = id;
	assert_int_equal(guest_call(g, 0, &req).ret, 0);
}

int open_file(struct guest *g, u32 id, const char *path, u32 flags, u32 mode, s32 *ret)
{
	struct pv_donation what;
	s32 r = path_call(g, PV_OPEN, path,
			  (struct pv_req_path){ .flags = flags, .mode = mode, .arg = id });
	int fd;

	if (ret)
		*ret = r;
	if (r < 0 || !last_response(g).donation)
		return -1;
	fd = guest_take(g, &what);
	assert_true(fd >= 0);
	assert_int_equal(what.handle, id);
	assert_int_equal(what.sequence, last_response(g).donation);
	return fd;
}

void assert_crosses(struct guest *g, s32 ret, const char *path)
{
	char got[PV_PATH_MAX + 1] = "";

	assert_int_equal(ret, PV_CROSS);
	memcpy(got, guest_buf(g, 0), last_response(g).val);
	assert_string_equal(got, path);
}
