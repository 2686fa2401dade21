// SPDX-License-Identifier: Apache-2.0
/* File capabilities are an extended attribute. */
#include "user_ns.h"
#include "hostfs.h"
#include "task.h"
#include "xattr.h"

#define ATTRIBUTE "security.capability"

struct attribute {
	u8 value[XATTR_CAPS_SZ_3];
};

static s64 host_read(struct name *n, void *arg)
{
	struct attribute *a = arg;
	struct pv_slot s;
	s64 ret = -ENODATA;

	host_begin(&s, PV_GETXATTR, n);
	if (host_path2(&s, ATTRIBUTE, strlen(ATTRIBUTE))) {
		s.req.u.path.arg = sizeof(a->value);
		ret = host_call(&s, n);
	}
	if (ret > 0)
		memcpy(a->value, s.buf, min((size_t)ret, sizeof(a->value)));
	host_end(&s);
	return ret;
}

static s64 guest_read(struct name *n, void *arg)
{
	return xattr_guest_caps(n->inode, ((struct attribute *)arg)->value);
}

/* Root gets everything without them: spare it the question, which is a PV call. */
bool file_caps_read(struct file *f, struct file_caps *fc)
{
	const struct cred *c = current->cred;
	struct attribute a;
	struct name n;
	s64 len;

	if ((c->uid == c->user_ns->uid.root && c->euid == c->uid) || !c->cap_bounding)
		return false;
	name_file(&n, f);
	len = name_run(&n, host_read, guest_read, &a);
	return len > 0 && len <= (s64)sizeof(a.value) && file_caps_parse(a.value, (size_t)len, fc);
}
