/* SPDX-License-Identifier: Apache-2.0 */
/* confine.h: the host calls that a thread may make which handles the guest's requests. */
#ifndef CALLGATE_CALL_CONFINE_H
#define CALLGATE_CALL_CONFINE_H

/* For the calling thread and those it will make, for good. All others fail with EPERM. 0 or -errno. */
int confine_thread(void);

#endif
