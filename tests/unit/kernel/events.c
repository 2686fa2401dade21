/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include "task.h"

#define ALL_CAPS 0x1ffffffffffULL

void stub_start_vm0(size_t task_size, int (*image)(void *arg));

static int (*program)(int what);

struct blob {
	struct pv_event e;
	struct boot_process p;
	u32 argv[6], env[4];
	char text[512];
	u32 used;
};

static u32 put(struct blob *b, const char *s)
{
	u32 at = b->used;

	CHECK(at + strlen(s) + 1 <= sizeof(b->text));
	memcpy(b->text + at, s, strlen(s) + 1);
	b->used += (u32)strlen(s) + 1;
	return (u32)offsetof(struct blob, text) + at;
}

static u32 put_all(struct blob *b, const char *const *v, u32 *to, u32 max)
{
	u32 n = 0;

	for (; n < max && v[n]; n++)
		to[n] = put(b, v[n]);
	return n;
}

u32 post_exec(const struct want *w)
{
	struct blob b = {.e = {.kind = PV_EV_EXEC, .process = offsetof(struct blob, p)}};

	b.p.argc = put_all(&b, w->argv, b.argv, ARRAY_SIZE(b.argv));
	b.p.argv = offsetof(struct blob, argv);
	b.p.envc = put_all(&b, w->env, b.env, ARRAY_SIZE(b.env));
	b.p.envp = offsetof(struct blob, env);
	b.p.cwd = w->cwd ? put(&b, w->cwd) : 0;
	b.p.uid = b.p.gid = w->uid;
	b.p.umask = 027;
	b.p.terminal = w->terminal;
	b.p.nfds = w->nfds;
	b.p.cap_bounding = ALL_CAPS;
	b.p.cap_permitted = b.p.cap_effective = w->caps;
	return stub_post(&b.e, sizeof(b), w->fds, w->nfds);
}

u32 post_signal(u32 target, int sig)
{
	struct pv_event e = {.kind = PV_EV_SIGNAL, .target = target, .sig = (u32)sig};

	return stub_post(&e, sizeof(e), NULL, 0);
}

u32 post_tty_signal(u32 target, int sig)
{
	struct pv_event e = {.kind = PV_EV_TTY_SIGNAL, .target = target, .sig = (u32)sig};

	return stub_post(&e, sizeof(e), NULL, 0);
}

int exec_and_wait(const struct want *w, const char **text)
{
	return stub_answer(post_exec(w), text);
}

int signal_and_wait(u32 target, int sig)
{
	return stub_answer(post_signal(target, sig), NULL);
}

/* argv[1], as the new program finds it on its stack. */
static int image(void *arg)
{
	u64 sp = mc_regs(current)->rsp;
	char digit = '0';

	if (peek64(sp) > 1)
		peek(peek64(sp + 16), &digit, 1);
	return program(digit - '0');
}

void events_begin(int (*fn)(int what))
{
	program = fn;
	stub_start_vm0(sizeof(struct task), image);
}
