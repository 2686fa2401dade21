// SPDX-License-Identifier: Apache-2.0
#include "pv_ctl.h"

#include "ring.h"

s64 pv_ctl_call(u32 cmd, u64 arg, u32 pid, const void *text, size_t len)
{
	struct pv_slot s;
	s64 ret;

	len = text ? min(len, (size_t)PV_PATH_MAX) : 0;
	mc_pv_get(&s);
	memset(&s.req, 0, sizeof(s.req));
	s.req.cmd = cmd;
	s.req.u.ctl.arg = arg;
	s.req.u.ctl.pid = pid;
	s.req.u.ctl.len = (u32)len;
	if (len)
		memcpy(s.buf, text, len);
	ret = mc_pv_call(&s);
	mc_pv_put(&s);
	return ret;
}
