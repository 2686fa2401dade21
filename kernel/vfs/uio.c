/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers between kernel memory and the caller's buffers. */
#include "fs.h"

void uio_kernel(struct uio *u, struct mc_iovec *iov, void *buf, size_t len)
{
	memset(u, 0, sizeof(*u));
	iov->base = (uaddr_t)buf;
	iov->len = len;
	u->iov = iov;
	u->n = 1;
	u->resid = len;
	u->kernel = true;
}

enum direction { TO_BUFFERS, FROM_BUFFERS, ZERO_BUFFERS };

static int move_piece(const struct uio *u, uaddr_t at, char *kernel, size_t n, enum direction how)
{
	if (u->kernel) {
		if (how == TO_BUFFERS)
			memcpy((void *)at, kernel, n);
		else if (how == FROM_BUFFERS)
			memcpy(kernel, (const void *)at, n);
		else
			memset((void *)at, 0, n);
		return 0;
	}
	if (how == TO_BUFFERS)
		return mc_copy_to_user(at, kernel, n);
	if (how == FROM_BUFFERS)
		return mc_copy_from_user(kernel, at, n);
	return mc_clear_user(at, n);
}

static s64 uio_move(struct uio *u, char *kernel, size_t n, enum direction how)
{
	size_t done = 0;

	n = min(n, u->resid);
	while (done < n) {
		size_t left = u->iov->len - u->skip;
		size_t piece = min(left, n - done);

		if (piece && move_piece(u, u->iov->base + u->skip, kernel + done, piece, how))
			return done ? (s64)done : -EFAULT;
		u->skip += piece;
		u->resid -= piece;
		done += piece;
		if (u->skip == u->iov->len && u->n > 1) {
			u->iov++;
			u->n--;
			u->skip = 0;
		}
	}
	return done;
}

s64 uio_put(struct uio *u, const void *from, size_t n)
{
	return uio_move(u, (char *)from, n, TO_BUFFERS);
}

s64 uio_get(struct uio *u, void *to, size_t n)
{
	return uio_move(u, to, n, FROM_BUFFERS);
}

s64 uio_zero(struct uio *u, size_t n)
{
	return uio_move(u, NULL, n, ZERO_BUFFERS);
}
