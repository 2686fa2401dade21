/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers: ChaCha20 (RFC 8439) keyed from the seed in boot_info. Every use
 * takes its output from a fresh key stream whose first block becomes the next key ("fast key
 * erasure"), so that who reads the state later cannot compute earlier output.
 */
#include "ring.h"
#include "sync.h"

#define BLOCK_WORDS 16
#define KEY_WORDS   8

static struct mutex lock = MUTEX_INIT;
static bool seeded;
static u32 key[KEY_WORDS];

static u32 rotl(u32 x, int n)
{
	return x << n | x >> (32 - n);
}

static void quarter(u32 *x, int a, int b, int c, int d)
{
	x[a] += x[b], x[d] = rotl(x[d] ^ x[a], 16);
	x[c] += x[d], x[b] = rotl(x[b] ^ x[c], 12);
	x[a] += x[b], x[d] = rotl(x[d] ^ x[a], 8);
	x[c] += x[d], x[b] = rotl(x[b] ^ x[c], 7);
}

static void chacha20(u32 *out, const u32 *k, u32 counter)
{
	u32 in[BLOCK_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

	memcpy(&in[4], k, KEY_WORDS * sizeof(u32));
	in[12] = counter;
	memcpy(out, in, sizeof(in));
	for (int i = 0; i < 10; i++) {
		quarter(out, 0, 4, 8, 12);
		quarter(out, 1, 5, 9, 13);
		quarter(out, 2, 6, 10, 14);
		quarter(out, 3, 7, 11, 15);
		quarter(out, 0, 5, 10, 15);
		quarter(out, 1, 6, 11, 12);
		quarter(out, 2, 7, 8, 13);
		quarter(out, 3, 4, 9, 14);
	}
	for (int i = 0; i < BLOCK_WORDS; i++)
		out[i] += in[i];
}

/* All 64 bytes of the seed count: the second half is mixed in by a block keyed with the first. */
static void seed_key(void)
{
	const struct boot_info *boot = mc_boot_info();
	u32 first[KEY_WORDS], second[KEY_WORDS], block[BLOCK_WORDS];

	memcpy(first, boot->seed, sizeof(first));
	memcpy(second, boot->seed + sizeof(first), sizeof(second));
	chacha20(block, first, 0);
	for (int i = 0; i < KEY_WORDS; i++)
		key[i] = block[i] ^ second[i];
	seeded = true;
}

/* Take a key for one use and replace it. The second half of the block is given to the caller. */
static void take_key(u32 *mine)
{
	u32 block[BLOCK_WORDS];

	guard(&lock);
	if (!seeded)
		seed_key();
	chacha20(block, key, 0);
	memcpy(key, block, sizeof(key));
	memcpy(mine, block + KEY_WORDS, KEY_WORDS * sizeof(u32));
}

void random_bytes(void *buf, size_t n)
{
	u32 mine[KEY_WORDS], block[BLOCK_WORDS];
	u8 *to = buf;

	take_key(mine);
	if (n <= sizeof(mine)) {
		memcpy(to, mine, n);
		return;
	}
	for (u32 counter = 0; n; counter++) {
		size_t len = min(n, sizeof(block));

		chacha20(block, mine, counter);
		memcpy(to, block, len);
		to += len;
		n -= len;
	}
}

u64 random_u64(void)
{
	u64 v;

	random_bytes(&v, sizeof(v));
	return v;
}
