/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slow paths of struct mutex: Ulrich Drepper's futex mutex ("Futexes Are Tricky", mutex 2).
 * State 2 says that somebody may sleep: only then does an unlock wake. A locker that has
 * slept takes the mutex in state 2, because others may sleep still.
 */
#include "sync.h"

#define SPIN_ROUNDS 100

static bool mutex_spin(struct mutex *m)
{
	for (int i = 0; i < SPIN_ROUNDS; i++) {
		if (READ_ONCE(m->state) == 0 && mutex_trylock(m))
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

void mutex_lock_slow(struct mutex *m)
{
	if (mutex_spin(m))
		return;
	while (__atomic_exchange_n(&m->state, 2, __ATOMIC_ACQUIRE) != 0)
		mc_lock_wait(&m->state, 2);
}

void mutex_unlock_slow(struct mutex *m)
{
	mc_lock_wake(&m->state, 1);
}
