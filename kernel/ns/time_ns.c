// SPDX-License-Identifier: Apache-2.0
/* Time namespaces: their offsets, and what sets these. */
#include "time_ns.h"

#include "ktime.h"
#include "sync.h"
#include "task.h"
#include "user_ns.h"

#define SEC_MAX ((s64)(TIME_MAX / NSEC_PER_SEC))

struct time_ns init_time_ns = { .ns = NS_INIT(NS_TIME, 4026531834u), .frozen = true };

static struct mutex offset_lock; /* of all that are not frozen */

struct ns *time_ns_copy(struct ns *old, struct user_ns *user)
{
	struct time_ns *ns = kzalloc(sizeof(*ns));

	if (!ns)
		return ERR_PTR(-ENOMEM);
	ns_init(&ns->ns, NS_TIME, user);
	guard(&offset_lock);
	ns->monotonic = time_ns_of(old)->monotonic;
	ns->boottime = time_ns_of(old)->boottime;
	return &ns->ns;
}

void time_ns_free(struct ns *ns)
{
	kfree(ns);
}

s64 clock_offset(int clock)
{
	const struct nsproxy *p = current->nsproxy;
	const struct time_ns *ns;

	if (likely(!p || !time_shifted(p)))
		return 0;
	ns = time_ns_of(p->time);
	switch (clock) {
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
		return ns->monotonic;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		return ns->boottime;
	default:
		return 0;
	}
}

void time_ns_freeze(struct ns *ns)
{
	guard(&offset_lock);
	time_ns_of(ns)->frozen = true;
}

/* ---- /proc/PID/timens_offsets ---- */

static void show(struct seq *m, const char *name, s64 offset)
{
	s64 sec = offset / (s64)NSEC_PER_SEC, nsec = offset % (s64)NSEC_PER_SEC;

	if (nsec < 0) {
		sec--;
		nsec += (s64)NSEC_PER_SEC;
	}
	seq_printf(m, "%-10s %10ld %9ld\n", name, sec, nsec);
}

void time_offsets_show(struct seq *m, const struct time_ns *ns)
{
	guard(&offset_lock);
	show(m, "monotonic", ns->monotonic);
	show(m, "boottime", ns->boottime);
}

struct offset {
	int clock;
	s64 sec;
	u64 nsec;
};

static const char *blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

static bool clock_named(const char **p, int *clock)
{
	static const struct { const char *name; int clock; } names[] = {
		{ "monotonic", CLOCK_MONOTONIC }, { "1", CLOCK_MONOTONIC },
		{ "boottime", CLOCK_BOOTTIME },	  { "7", CLOCK_BOOTTIME },
	};
	const char *word = blanks(*p);

	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i].name);

		if (!strncmp(word, names[i].name, n) && (word[n] == ' ' || word[n] == '\t')) {
			*p = word + n;
			*clock = names[i].clock;
			return true;
		}
	}
	return false;
}

/* A clock, seconds, nanoseconds. */
static bool offset_parse(const char *line, struct offset *o)
{
	bool negative;
	u64 sec;

	if (!clock_named(&line, &o->clock))
		return false;
	line = blanks(line);
	negative = *line == '-';
	if (!parse_u64(line + negative, &line, 10, &sec) || sec > TIME_MAX)
		return false;
	o->sec = negative ? -(s64)sec : (s64)sec;
	return parse_u64(blanks(line), &line, 10, &o->nsec) && o->nsec < NSEC_PER_SEC;
}

/* The clock must not become negative with it, nor reach its end for a long time. */
static int offset_check(const struct offset *o)
{
	s64 now;

	if (o->sec > SEC_MAX || o->sec < -SEC_MAX)
		return -ERANGE;
	now = (s64)((mc_clock(o->clock) + o->nsec) / NSEC_PER_SEC) + o->sec;
	return now < 0 || now > SEC_MAX / 2 ? -ERANGE : 0;
}

static int offsets_set(struct time_ns *ns, const struct offset *o, int n)
{
	for (int i = 0; i < n; i++) {
		int err = offset_check(&o[i]);

		if (err)
			return err;
	}
	guard(&offset_lock);
	if (ns->frozen)
		return -EACCES;
	for (int i = 0; i < n; i++) {
		s64 ns_offset = o[i].sec * (s64)NSEC_PER_SEC + (s64)o[i].nsec;

		if (o[i].clock == CLOCK_MONOTONIC)
			ns->monotonic = ns_offset;
		else
			ns->boottime = ns_offset;
	}
	return 0;
}

/* Two lines at most: what follows is another write's. */
int time_offsets_write(struct time_ns *ns, char *text, size_t *len)
{
	struct offset o[2];
	char *line = text, *end;
	int n = 0;

	do {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		if (!offset_parse(line, &o[n++]))
			return -EINVAL;
		line = end;
	} while (line && *line && n < 2);
	if (!ns_capable(ns_owner(&ns->ns), CAP_SYS_TIME))
		return -EPERM;
	if (line && *line)
		*len = (size_t)(line - text);
	return offsets_set(ns, o, n);
}
