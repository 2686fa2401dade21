// SPDX-License-Identifier: Apache-2.0
/* A policy's file. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/toml.h"

struct word {
	const char *name;
	int value;
};

static const struct word modes[] = { { "enforce", POLICY_ENFORCE }, { "audit", POLICY_AUDIT }, { "learn", POLICY_LEARN },
				      { 0 } };
static const struct word decisions[] = { { "allow", true }, { "deny", false }, { 0 } };
static const struct word refusals[] = {
	{ "EPERM", EPERM }, { "EACCES", EACCES }, { "ECONNREFUSED", ECONNREFUSED }, { 0 }
};
static const struct word operations[] = {
	{ "listen", POLICY_LISTEN }, { "connect", POLICY_CONNECT }, { 0 }
};
static const struct word protocols[] = {
	{ "tcp", POLICY_TCP }, { "udp", POLICY_UDP }, { "icmp", POLICY_ICMP }, { "raw", POLICY_RAW },
	{ "unix", POLICY_UNIX }, { 0 }
};

/* The value of a word, or -EINVAL. */
static int word(const struct json_at *at, const struct word *words, struct error *err)
{
	const char *text = json_string_value(at->value);
	char names[100] = "";
	size_t n = 0;

	for (const struct word *w = words; w->name; w++) {
		if (text && !strcmp(text, w->name))
			return w->value;
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s\"%s\"", n ? ", " : "", w->name);
	}
	return json_error(at, err, "expected one of %s", names);
}

static int parse_mode(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	int value = word(at, modes, err);

	((struct policy *)base)->mode = (enum policy_mode)(value < 0 ? 0 : value);
	return value < 0 ? value : 0;
}

static int parse_default(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	int value = word(at, decisions, err);

	((struct policy *)base)->allow = value > 0;
	return value < 0 ? value : 0;
}

static int parse_refuse(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	int value = word(at, refusals, err);

	((struct policy *)base)->refuse = value;
	return value < 0 ? value : 0;
}

static int parse_action(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	int value = word(at, decisions, err);

	((struct policy_rule *)base)->allow = value > 0;
	return value < 0 ? value : 0;
}

/* A value, or an array of them: fn for each. */
static int each(const struct json_at *at, int (*fn)(const struct json_at *at, void *base, struct error *err),
		void *base, struct error *err)
{
	size_t n = json_array_size(at->value);
	int ret = 0;

	if (!json_is_array(at->value))
		return fn(at, base, err);
	if (!n)
		return json_error(at, err, "expected at least one; leave it out for all");
	for (size_t i = 0; i < n && !ret; i++) {
		struct json_at elem = { at, NULL, i, json_array_get(at->value, i) };

		ret = fn(&elem, base, err);
	}
	return ret;
}

static size_t count(const struct json_at *at)
{
	return json_is_array(at->value) ? json_array_size(at->value) : 1;
}

static int add_operation(const struct json_at *at, void *base, struct error *err)
{
	int value = word(at, operations, err);

	if (value >= 0)
		((struct policy_rule *)base)->operations |= 1u << value;
	return value < 0 ? value : 0;
}

static int parse_operation(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	return each(at, add_operation, base, err);
}

static int add_protocol(const struct json_at *at, void *base, struct error *err)
{
	int value = word(at, protocols, err);

	if (value >= 0)
		((struct policy_rule *)base)->protocols |= 1u << value;
	return value < 0 ? value : 0;
}

static int parse_protocol(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	return each(at, add_protocol, base, err);
}

/* All bits of an address behind the prefix have to be zero: what else did its author mean? */
static bool has_host_bits(const struct policy_range *r)
{
	for (u32 i = r->bits; i < 128; i++)
		if (r->address.b[i / 8] & 0x80 >> i % 8)
			return true;
	return false;
}

static bool parse_range(const char *text, struct policy_range *r)
{
	char host[INET6_ADDRSTRLEN + 1];
	size_t n = strcspn(text, "/");
	u32 offset = 0;
	char *end;
	long bits = 128;

	if (n >= sizeof(host))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	memset(r, 0, sizeof(*r));
	if (inet_pton(AF_INET, host, r->address.b + 12) == 1) {
		offset = 96;
		r->address.b[10] = r->address.b[11] = 0xff;
	} else if (inet_pton(AF_INET6, host, r->address.b) != 1) {
		return false;
	}
	if (text[n]) {
		bits = strtol(text + n + 1, &end, 10) + offset;
		if (end == text + n + 1 || *end || bits < (long)offset || bits > 128)
			return false;
	}
	r->bits = (u8)bits;
	return !has_host_bits(r);
}

static int add_range(const struct json_at *at, void *base, struct error *err)
{
	struct policy_rule *rule = base;

	if (!json_is_string(at->value) ||
	    !parse_range(json_string_value(at->value), &rule->ranges[rule->n_ranges]))
		return json_error(at, err, "expected an address or a range, such as \"10.1.0.0/16\" or "
				  "\"fd00::/8\", with no bits set behind its prefix");
	rule->n_ranges++;
	return 0;
}

static int parse_address(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	struct policy_rule *rule = base;

	rule->ranges = arena_array(arena, count(at), sizeof(*rule->ranges));
	return each(at, add_range, base, err);
}

static bool port_number(const char *text, char **end, u16 *out)
{
	long n = strtol(text, end, 10);

	*out = (u16)n;
	return *end != text && n >= 1 && n <= 65535;
}

static bool ports_of(const json_t *value, struct policy_ports *out)
{
	const char *text = json_string_value(value);
	char *end;

	if (json_is_integer(value)) {
		out->first = out->last = (u16)json_integer_value(value);
		return json_integer_value(value) >= 1 && json_integer_value(value) <= 65535;
	}
	if (!text || !port_number(text, &end, &out->first))
		return false;
	if (*end == '-' && !port_number(end + 1, &end, &out->last))
		return false;
	if (!strchr(text, '-'))
		out->last = out->first;
	return !*end && out->first <= out->last;
}

static int add_ports(const struct json_at *at, void *base, struct error *err)
{
	struct policy_rule *rule = base;

	if (!ports_of(at->value, &rule->ports[rule->n_ports]))
		return json_error(at, err, "expected a port (80) or a range of them (\"8000-8099\")");
	rule->n_ports++;
	return 0;
}

static int parse_port(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	struct policy_rule *rule = base;

	rule->ports = arena_array(arena, count(at), sizeof(*rule->ports));
	return each(at, add_ports, base, err);
}

/* ---- executables ---- */

static int add_pin(const struct json_at *at, void *base, struct error *err)
{
	struct policy_files *files = base;
	const char *path = json_string_value(at->value);

	if (!path || path[0] != '/')
		return json_error(at, err, "expected an absolute path in the container");
	files->pins[files->n_pins++].path = path; /* copied when all are there */
	return 0;
}

static int add_hash(const struct json_at *at, void *base, struct error *err)
{
	struct policy_files *files = base;
	const char *text = json_string_value(at->value);
	struct policy_hash *hash = &files->hashes[files->n_hashes++];

	if (!text || strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64)
		return json_error(at, err, "expected a SHA-256 as 64 lower-case hexadecimal digits");
	for (size_t i = 0; i < sizeof(hash->b); i++)
		sscanf(text + 2 * i, "%2hhx", &hash->b[i]);
	return 0;
}

static int parse_pins(const struct json_at *at, struct policy_files *files, struct arena *arena,
		      struct error *err)
{
	int ret;

	files->pins = arena_array(arena, count(at), sizeof(*files->pins));
	ret = each(at, add_pin, files, err);
	for (size_t i = 0; i < files->n_pins; i++)
		files->pins[i].path = arena_strdup(arena, files->pins[i].path);
	return ret;
}

static int parse_hashes(const struct json_at *at, struct policy_files *files, struct arena *arena,
			struct error *err)
{
	files->hashes = arena_array(arena, count(at), sizeof(*files->hashes));
	return each(at, add_hash, files, err);
}

static int parse_path(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	return parse_pins(at, &((struct policy_executable *)base)->file, arena, err);
}

static int parse_sha256(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	return parse_hashes(at, &((struct policy_executable *)base)->file, arena, err);
}

static int parse_script(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	return parse_pins(at, &((struct policy_executable *)base)->script, arena, err);
}

static int parse_script_sha256(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	return parse_hashes(at, &((struct policy_executable *)base)->script, arena, err);
}

static const struct json_field executable_fields[] = {
	JSON_CALL("path", parse_path),
	JSON_CALL("sha256", parse_sha256),
	JSON_CALL("script", parse_script),
	JSON_CALL("script-sha256", parse_script_sha256),
	JSON_FIELD(struct policy_executable, preload, "preload", BOOL),
	{ 0 },
};

static int parse_executable(const struct json_at *at, struct policy_executable *e, struct arena *arena,
			    struct error *err)
{
	int ret;

	if (!json_is_object(at->value))
		return json_error(at, err, "expected a table");
	ret = toml_check_keys(at, executable_fields, err);
	if (!ret)
		ret = json_fields(at, executable_fields, e, arena, err);
	if (!ret && !e->file.n_pins && !e->file.n_hashes)
		ret = json_error(at, err, "expected a path or a sha256");
	return ret;
}

static int parse_executables(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	struct policy *policy = base;
	const char *key;
	json_t *value;
	int ret = 0;

	if (!json_is_object(at->value))
		return json_error(at, err, "expected tables such as [executable.web]");
	policy->executables = arena_array(arena, json_object_size(at->value), sizeof(*policy->executables));
	json_object_foreach(at->value, key, value) {
		struct json_at elem = { at, key, 0, value };
		struct policy_executable *e = &policy->executables[policy->n_executables++];

		e->name = arena_strdup(arena, key);
		ret = ret ? ret : parse_executable(&elem, e, arena, err);
	}
	return ret;
}

/* By name; their order in the document is that in the policy. */
static int add_executable(const struct json_at *at, void *base, struct error *err)
{
	struct policy_rule *rule = base;
	const char *name = json_string_value(at->value);
	const struct json_at *root = at;
	const char *key;
	json_t *value;
	u32 i = 0;

	while (root->up)
		root = root->up;
	json_object_foreach(json_object_get(root->value, "executable"), key, value) {
		if (name && !strcmp(key, name)) {
			rule->executables[rule->n_executables++] = i;
			return 0;
		}
		i++;
	}
	return json_error(at, err, "expected the name of an executable: there is no [executable.%s]",
			  name ? name : "...");
}

static int parse_rule_executable(const struct json_at *at, void *base, struct arena *arena,
				 struct error *err)
{
	struct policy_rule *rule = base;

	rule->executables = arena_array(arena, count(at), sizeof(*rule->executables));
	return each(at, add_executable, base, err);
}

/* ---- names ---- */

static int add_resolver(const struct json_at *at, void *base, struct error *err)
{
	struct policy *policy = base;
	struct policy_range range;

	if (!json_is_string(at->value) || !parse_range(json_string_value(at->value), &range) || range.bits != 128)
		return json_error(at, err, "expected the address of a name server");
	policy->resolvers[policy->n_resolvers++] = range.address;
	return 0;
}

static int parse_resolver(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	struct policy *policy = base;

	policy->resolvers = arena_array(arena, count(at), sizeof(*policy->resolvers));
	return each(at, add_resolver, base, err);
}

static int add_host(const struct json_at *at, void *base, struct error *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
	struct policy_rule *rule = base;
	const char *name = json_string_value(at->value);
	const char *rest = name && !strncmp(name, "*.", 2) ? name + 2 : name;

	if (!rest || !rest[0] || rest[strspn(rest, letters)] || rest[0] == '.' || rest[strlen(rest) - 1] == '.' ||
	    strlen(rest) > 250)
		return json_error(at, err, "expected a name in lower case, such as \"example.org\" or \"*.example.org\"");
	rule->hosts[rule->n_hosts++] = (char *)name; /* copied when all are there */
	return 0;
}

static int parse_host(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	struct policy_rule *rule = base;
	const struct json_at *root = at;
	int ret;

	while (root->up)
		root = root->up;
	if (!json_object_get(root->value, "resolver"))
		return json_error(at, err, "needs `resolver`, whose answers tell the addresses");
	rule->hosts = arena_array(arena, count(at), sizeof(*rule->hosts));
	ret = each(at, add_host, base, err);
	for (size_t i = 0; i < rule->n_hosts; i++)
		rule->hosts[i] = arena_strdup(arena, rule->hosts[i]);
	return ret;
}

/* ---- unix sockets ---- */

static int add_socket_path(const struct json_at *at, void *base, struct error *err)
{
	struct policy_rule *rule = base;
	const char *path = json_string_value(at->value);

	if (!path || path[0] != '/')
		return json_error(at, err, "expected an absolute path in the container, such as \"/run/app.sock\" or \"/run/app/*\"");
	rule->paths[rule->n_paths++] = (char *)path; /* copied when all are there */
	return 0;
}

static int parse_socket_path(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	struct policy_rule *rule = base;
	int ret;

	rule->paths = arena_array(arena, count(at), sizeof(*rule->paths));
	ret = each(at, add_socket_path, base, err);
	for (size_t i = 0; i < rule->n_paths; i++)
		rule->paths[i] = arena_strdup(arena, rule->paths[i]);
	return ret;
}

/* ---- rules ---- */

static const struct json_field rule_fields[] = {
	JSON_FIELD(struct policy_rule, name, "name", STRING),
	{ .name = "action", .kind = JSON_KIND_CALL, .required = true, .parse = parse_action },
	JSON_CALL("operation", parse_operation),
	JSON_CALL("protocol", parse_protocol),
	JSON_CALL("address", parse_address),
	JSON_CALL("port", parse_port),
	JSON_CALL("executable", parse_rule_executable),
	JSON_CALL("host", parse_host),
	JSON_CALL("path", parse_socket_path),
	{ 0 },
};

/* Of a rule that names none: those that have what it is about. */
static u32 protocols_meant(const struct policy_rule *rule)
{
	if (rule->n_ports)
		return 1u << POLICY_TCP | 1u << POLICY_UDP;
	if (rule->n_paths)
		return 1u << POLICY_UNIX;
	if (rule->n_ranges || rule->n_hosts)
		return ((1u << POLICY_PROTOCOLS) - 1) & ~(1u << POLICY_UNIX);
	return (1u << POLICY_PROTOCOLS) - 1;
}

/* What was left out means all. */
static int finish_rule(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	const u32 ported = 1u << POLICY_TCP | 1u << POLICY_UDP;
	struct policy_rule *rule = base;

	if (!rule->name)
		rule->name = arena_printf(arena, "rule[%zu]", at->index);
	if (rule->n_hosts && (rule->operations & ~(1u << POLICY_CONNECT) || rule->n_ranges))
		return json_error(at, err, "host: is about operation \"connect\", and instead of an address");
	if (rule->n_hosts)
		rule->operations = 1u << POLICY_CONNECT;
	if (!rule->operations)
		rule->operations = (1u << POLICY_OPERATIONS) - 1;
	if (!rule->protocols)
		rule->protocols = protocols_meant(rule);
	if (rule->n_paths && (rule->protocols != 1u << POLICY_UNIX || rule->n_ranges || rule->n_ports || rule->n_hosts))
		return json_error(at, err, "path: is about protocol \"unix\", and instead of address, host and port");
	if (!rule->n_paths && rule->protocols & 1u << POLICY_UNIX && (rule->n_ranges || rule->n_hosts))
		return json_error(at, err, "protocol: unix sockets have a path, no address");
	if (rule->n_ports && rule->protocols & ~ported)
		return json_error(at, err, "port: only tcp and udp have ports");
	return 0;
}

static const struct json_field policy_fields[] = {
	JSON_CALL("mode", parse_mode),
	{ .name = "default", .kind = JSON_KIND_CALL, .required = true, .parse = parse_default },
	JSON_CALL("refuse", parse_refuse),
	JSON_CALL("executable", parse_executables),
	JSON_CALL("resolver", parse_resolver),
	{ .name = "rule", .kind = JSON_KIND_ARRAY, .offset = offsetof(struct policy, rules),
	  .count = offsetof(struct policy, n_rules), .size = sizeof(struct policy_rule),
	  .sub = rule_fields, .parse = finish_rule },
	{ 0 },
};

int policy_load(const char *path, const char *name, struct policy **out, struct arena *arena,
		struct error *err)
{
	struct policy *policy = arena_alloc(arena, sizeof(*policy));
	struct toml toml;
	int ret = toml_load(path, &toml, err);

	if (ret)
		return ret;
	policy->name = arena_strdup(arena, name);
	policy->refuse = EACCES;
	ret = toml_fields(&toml, policy_fields, policy, arena, err);
	toml_unload(&toml);
	*out = policy;
	return ret;
}
