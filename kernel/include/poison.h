/* SPDX-License-Identifier: Apache-2.0 */
/* What the allocator tells a memory checker. Nothing here; the unit tests' include path has another one. */
#ifndef POISON_H
#define POISON_H

#define poison_allocated(p, size, room) ((void)0) /* [p, p+size) may be used, the rest of its room not */
#define poison_freed(p, room) ((void)0)
#define poison_none(p, room) ((void)0) /* the allocator itself looks at it */

#endif
