/* SPDX-License-Identifier: Apache-2.0 */
#include "call/policy_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Programs go on using an address for a while, and short lives are meant for spreading load. */
#define MIN_SECONDS 60u
#define MAX_SECONDS 86400u

#define TYPE_A	   1
#define TYPE_CNAME 5
#define TYPE_AAAA  28
#define CLASS_IN   1
#define HEADER	   12
#define MAX_JUMPS  32

struct message {
	const u8 *data;
	size_t len, at;
};

struct record {
	char name[NAME_MAX_LEN + 1];
	u16 type, class, size;
	u32 ttl;
	size_t data; /* where it is */
};

static bool take(struct message *m, u32 bytes, u32 *out)
{
	*out = 0;
	if (m->at > m->len || bytes > m->len - m->at)
		return false;
	while (bytes--)
		*out = *out << 8 | m->data[m->at++];
	return true;
}

/* One label in lower case. What is no letter, digit, '-' or '_' can be no name that a rule has. */
static bool add_label(char name[NAME_MAX_LEN + 1], size_t *n, const u8 *label, u32 len)
{
	if (*n + len + 1 > NAME_MAX_LEN)
		return false;
	if (*n)
		name[(*n)++] = '.';
	for (u32 i = 0; i < len; i++) {
		if (!isalnum(label[i]) && label[i] != '-' && label[i] != '_')
			return false;
		name[(*n)++] = (char)tolower(label[i]);
	}
	return true;
}

/* Behind it goes on where the name ends, or where its first pointer does. */
static bool take_name(struct message *m, char name[NAME_MAX_LEN + 1])
{
	size_t at = m->at, n = 0;
	bool jumped = false;

	for (u32 steps = 0; steps < MAX_JUMPS + NAME_MAX_LEN && at < m->len; steps++) {
		u8 len = m->data[at];

		if (len >= 0xc0) {
			if (at + 1 >= m->len)
				return false;
			m->at = jumped ? m->at : at + 2;
			jumped = true;
			at = (size_t)(len & 0x3f) << 8 | m->data[at + 1];
			continue;
		}
		if (len > 63 || len >= m->len - at)
			return false;
		if (len && !add_label(name, &n, m->data + at + 1, len))
			return false;
		at += len + 1u;
		if (!len) {
			name[n] = '\0';
			m->at = jumped ? m->at : at;
			return true;
		}
	}
	return false;
}

static bool take_record(struct message *m, struct record *r)
{
	u32 type, class, size;

	if (!take_name(m, r->name) || !take(m, 2, &type) || !take(m, 2, &class) || !take(m, 4, &r->ttl) ||
	    !take(m, 2, &size) || size > m->len - m->at)
		return false;
	r->type = (u16)type;
	r->class = (u16)class;
	r->size = (u16)size;
	r->data = m->at;
	m->at += size;
	return true;
}

static bool host_is(const char *pattern, const char *name)
{
	size_t n = strlen(name), p;

	if (strncmp(pattern, "*.", 2))
		return !strcmp(pattern, name);
	p = strlen(pattern + 1);
	return n > p && !strcmp(name + n - p, pattern + 1);
}

static bool rule_has(const struct policy_rule *rule, const char *name)
{
	for (size_t i = 0; i < rule->n_hosts; i++)
		if (host_is(rule->hosts[i], name))
			return true;
	return false;
}

static bool believes(const struct policy *policy, const struct policy_address *resolver)
{
	for (size_t i = 0; i < policy->n_resolvers; i++)
		if (!memcmp(&policy->resolvers[i], resolver, sizeof(*resolver)))
			return true;
	return false;
}

/* Is there a rule about this name, in a policy that believes this resolver? */
static bool of_interest(const struct policies *all, const struct policy_address *from, const char *name)
{
	for (size_t i = 0; i < all->n; i++) {
		if (!believes(all->v[i], from))
			continue;
		for (size_t k = 0; k < all->v[i]->n_rules; k++)
			if (rule_has(&all->v[i]->rules[k], name))
				return true;
	}
	return false;
}

static struct policy_binding *place_for(struct policy_names *names, const struct policy_address *from,
					const struct policy_address *address, const char *name)
{
	for (u32 i = 0; i < NAME_BINDINGS; i++) {
		struct policy_binding *b = &names->v[i];

		if (b->until && !memcmp(&b->address, address, sizeof(*address)) &&
		    !memcmp(&b->resolver, from, sizeof(*from)) && !strcmp(b->name, name))
			return b;
	}
	return &names->v[names->next++ % NAME_BINDINGS];
}

static void bind_name(struct policy_names *names, const struct policy_address *from, const char *name,
		      const struct message *m, const struct record *r, u64 now)
{
	struct policy_address address = { .b = { [10] = 0xff, [11] = 0xff } };
	u32 ttl = r->ttl < MIN_SECONDS ? MIN_SECONDS : r->ttl > MAX_SECONDS ? MAX_SECONDS : r->ttl;
	struct policy_binding *b;

	if (r->type == TYPE_A && r->size == 4)
		memcpy(address.b + 12, m->data + r->data, 4);
	else if (r->type == TYPE_AAAA && r->size == 16)
		memcpy(address.b, m->data + r->data, 16);
	else
		return;
	pthread_mutex_lock(&names->lock);
	b = place_for(names, from, &address, name);
	b->address = address;
	b->resolver = *from;
	b->until = now + ttl;
	strcpy(b->name, name);
	pthread_mutex_unlock(&names->lock);
}

struct policy_names *policy_names_new(void)
{
	struct policy_names *names = calloc(1, sizeof(*names));

	if (names)
		pthread_mutex_init(&names->lock, NULL);
	return names;
}

/* The names that were asked for, and what its aliases lead to, have the addresses that follow. */
void policy_names_see(struct policy_names *names, const struct policies *all, const struct policy_address *from,
		      const u8 *data, size_t len, u64 now)
{
	struct message m = { data, len, 2 };
	char asked[NAME_MAX_LEN + 1], alias[NAME_MAX_LEN + 1];
	u32 flags, questions, answers, skip;
	struct record r;

	if (!take(&m, 2, &flags) || !take(&m, 2, &questions) || !take(&m, 2, &answers) || !take(&m, 4, &skip))
		return;
	/* an answer to an ordinary query, without an error, to one question */
	if ((flags & 0xf80f) != 0x8000 || questions != 1 || !take_name(&m, asked) || !take(&m, 4, &skip))
		return;
	if (!of_interest(all, from, asked))
		return;
	strcpy(alias, asked);
	for (u32 i = 0; i < answers && take_record(&m, &r); i++) {
		struct message target = { data, len, r.data };

		if (r.class != CLASS_IN || strcmp(r.name, alias))
			continue;
		if (r.type == TYPE_CNAME && !take_name(&target, alias))
			return;
		bind_name(names, from, asked, &m, &r, now);
	}
}

bool policy_names_match(struct policy_names *names, const struct policy *policy, const struct policy_rule *rule,
			const struct policy_address *address, u64 now)
{
	bool match = false;

	pthread_mutex_lock(&names->lock);
	for (u32 i = 0; i < NAME_BINDINGS && !match; i++) {
		const struct policy_binding *b = &names->v[i];

		match = b->until > now && !memcmp(&b->address, address, sizeof(*address)) &&
			believes(policy, &b->resolver) && rule_has(rule, b->name);
	}
	pthread_mutex_unlock(&names->lock);
	return match;
}
