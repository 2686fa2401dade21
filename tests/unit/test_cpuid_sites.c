// SPDX-License-Identifier: Apache-2.0
/* Where instructions end, by Zydis' account; and which cpuid instructions of a file are found, whatever the file is. */
#include <Zydis/Zydis.h>
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../machine/pv/cpuid_sites.h"
#include "../../machine/pv/insn.h"

static u32 random_state = 1;

static u32 random_word(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

/* ---- instructions ---- */

struct tally {
	u64 both, theirs;
};

static bool theirs(const u8 *code, size_t room, ZydisDecodedInstruction *insn)
{
	static ZydisDecoder decoder;
	static bool ready;

	if (!ready)
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ready = true;
	return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, ZYAN_NULL, code, room, insn));
}

static bool is_cpuid(const ZydisDecodedInstruction *insn) { return insn->mnemonic == ZYDIS_MNEMONIC_CPUID; }

/* What both decode they decode alike. */
static void compare(const u8 *code, size_t room, struct tally *tally)
{
	ZydisDecodedInstruction z;
	struct insn ours;
	bool branch, direct;

	if (!theirs(code, room, &z))
		return;
	tally->theirs++;
	if (!insn_decode(code, room, &ours))
		return;
	tally->both++;
	branch = z.meta.category == ZYDIS_CATEGORY_COND_BR || z.meta.category == ZYDIS_CATEGORY_UNCOND_BR || z.meta.category == ZYDIS_CATEGORY_CALL;
	direct = z.attributes & ZYDIS_ATTRIB_IS_RELATIVE && z.raw.imm[0].is_relative;
	assert_int_equal(ours.len, z.length);
	assert_int_equal(direct, ours.kind == INSN_JUMP || ours.kind == INSN_CALL);
	if (direct)
		assert_int_equal(ours.target, z.length + z.raw.imm[0].value.s);
	else
		assert_int_equal(ours.disp, z.attributes & ZYDIS_ATTRIB_IS_RELATIVE ? z.raw.disp.offset : 0);
	if (branch && !direct && z.meta.category != ZYDIS_CATEGORY_CALL)
		assert_true(ours.kind == INSN_INDIRECT);
	if (branch || z.meta.category == ZYDIS_CATEGORY_RET || z.meta.category == ZYDIS_CATEGORY_SYSCALL || z.meta.category == ZYDIS_CATEGORY_INTERRUPT)
		assert_true(ours.kind != INSN_PLAIN);
	assert_true((ours.kind == INSN_CPUID) <= is_cpuid(&z));
}

static u8 *read_file(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	u8 *data;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	data = malloc(*len);
	assert_int_equal(read(fd, data, *len), st.st_size);
	close(fd);
	return data;
}

static void instructions_of_a_library(void **state)
{
	struct tally tally = { 0 };
	size_t len;
	u8 *data = read_file("/lib64/ld-linux-x86-64.so.2", &len);

	(void)state;
	for (size_t at = 0x1000; at + 16 < len && at < 0x26000; at++)
		compare(data + at, 16, &tally);
	assert_true(tally.theirs > 50000 && tally.both * 10 > tally.theirs * 9);
	free(data);
}

static void random_instructions(void **state)
{
	struct tally tally = { 0 };

	(void)state;
	for (int i = 0; i < 300000; i++) {
		static const u8 begins[] = { 0x62, 0xc4, 0xc5, 0x0f, 0x66, 0x48, 0x67, 0xf3 };
		size_t room = 1 + random_word() % 16;
		u8 *code = malloc(room);

		for (size_t k = 0; k < room; k++)
			code[k] = (u8)random_word();
		if (i & 1)
			code[0] = begins[random_word() % sizeof(begins)];
		compare(code, room, &tally);
		free(code);
	}
	assert_true(tally.both * 10 > tally.theirs * 7);
}

/* ---- a file ---- */

#define TEXT_OFF 0x1000u
#define TEXT_VADDR 0x401000u
#define FILE_LEN 0x4000u

struct image {
	u8 data[FILE_LEN];
	u32 text, eh; /* used */
};

static void add(struct image *im, u32 at, const void *data, u32 len) { memcpy(im->data + at, data, len); }

static void add32(struct image *im, u32 v)
{
	add(im, 0x2000 + im->eh, &v, 4);
	im->eh += 4;
}

static void begin(struct image *im)
{
	static const u8 cie[] = { 0x14, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 0x10, 1, 0x1b, 0x0c, 7, 8, 0x90, 1, 0, 0 };

	memset(im, 0, sizeof(*im));
	add(im, 0x2000, cie, sizeof(cie));
	im->eh = sizeof(cie);
}

/* Code, with what describes it. */
static void function(struct image *im, const void *code, u32 len)
{
	u32 at = TEXT_VADDR + im->text;

	add(im, TEXT_OFF + im->text, code, len);
	add32(im, 16);
	add32(im, im->eh);
	add32(im, at - (0x402000 + im->eh));
	add32(im, len);
	add32(im, 0);
	im->text += len;
}

static void finish(struct image *im)
{
	static const char names[] = "\0.eh_frame\0.shstrtab";
	Elf64_Ehdr h = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64 }, .e_phoff = sizeof(h), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1,
			 .e_shoff = 0x3000, .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 3, .e_shstrndx = 2 };
	Elf64_Phdr p = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = TEXT_OFF, .p_vaddr = TEXT_VADDR, .p_filesz = im->text, .p_memsz = im->text };
	Elf64_Shdr s[3] = { { 0 }, { .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC, .sh_addr = 0x402000, .sh_offset = 0x2000 },
			    { .sh_name = 11, .sh_type = SHT_STRTAB, .sh_offset = 0x3800, .sh_size = sizeof(names) } };

	add32(im, 0);
	s[1].sh_size = im->eh;
	add(im, 0, &h, sizeof(h));
	add(im, sizeof(h), &p, sizeof(p));
	add(im, 0x3000, s, sizeof(s));
	add(im, 0x3800, names, sizeof(names));
}

static long read_image(void *ctx, void *buf, u64 len, u64 off)
{
	const struct image *im = ctx;

	if (off >= FILE_LEN)
		return 0;
	len = len < FILE_LEN - off ? len : FILE_LEN - off;
	memcpy(buf, im->data + off, len);
	return (long)len;
}

static u32 find(struct image *im, struct cpuid_site *sites)
{
	struct cpuid_file file = { im, read_image, TEXT_OFF, 0x1000 };
	void *room = malloc(cpuid_room());
	u32 n = cpuid_find(&file, sites, room);

	free(room);
	return n;
}

#define FUNCTION(im, ...) function(im, (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))
#define CPUID 0x0f, 0xa2
#define PUSH_RBX 0x53
#define POP_RBX 0x5b
#define RET 0xc3
#define MOV_EAX_4 0xb8, 4, 0, 0, 0
#define MOVS 0x89, 0xc2, 0x83, 0xe2, 0x1f /* mov %eax,%edx; and $31,%edx */
#define NOP4 0x0f, 0x1f, 0x40, 0x00

static void is(const struct cpuid_site *s, u32 from, u32 len, u32 at, u32 disp)
{
	assert_int_equal(s->from, from);
	assert_int_equal(s->len, len);
	assert_int_equal(s->at, at);
	assert_int_equal(s->disp, disp);
}

static void good_ones(void **state)
{
	struct cpuid_site sites[CPUID_SITES];
	static struct image im;

	(void)state;
	begin(&im);
	FUNCTION(&im, PUSH_RBX, MOV_EAX_4, CPUID, MOVS, POP_RBX, RET); /* 15 bytes */
	FUNCTION(&im, MOV_EAX_4, CPUID, RET); /* 8: what comes before */
	FUNCTION(&im, CPUID, 0x89, 0x05, 1, 2, 3, 4, RET); /* 9: relative to rip */
	FUNCTION(&im, 0x8d, 0x05, 1, 2, 3, 4, CPUID, 0xeb, 0xf6); /* 10: lea before it */
	finish(&im);
	assert_int_equal(find(&im, sites), 4);
	is(&sites[0], 6, 7, 0, 0);
	is(&sites[1], 15, 7, 5, 0);
	is(&sites[2], 23, 8, 0, 4);
	is(&sites[3], 32, 8, 6, 2);
}

static void bad_ones(void **state)
{
	struct cpuid_site sites[CPUID_SITES];
	static struct image im;

	(void)state;
	begin(&im);
	FUNCTION(&im, 0xb8, CPUID, 0, 0, NOP4, RET); /* a number */
	FUNCTION(&im, PUSH_RBX, CPUID, RET); /* nothing that is long enough */
	FUNCTION(&im, 0xeb, 0, CPUID, 0xeb, 0xfa); /* jumps on both sides */
	FUNCTION(&im, 0x74, 2, CPUID, 0x89, 0xc2, 0x74, 0xfc, NOP4, RET); /* what is behind is jumped to */
	FUNCTION(&im, CPUID, NOP4, 0xff, 0xe0); /* a jump to who knows where */
	FUNCTION(&im, CPUID, NOP4, 0x06, RET); /* no instruction */
	FUNCTION(&im, CPUID, NOP4, 0xb8, 0); /* the end is in the middle of one */
	FUNCTION(&im, CPUID, 0xf3, 0x0f, 0x1e, 0xfa, RET); /* endbr64: others jump there */
	finish(&im);
	assert_int_equal(find(&im, sites), 0);
	im.data[TEXT_OFF + im.text] = 0x0f; /* of no function */
	im.data[TEXT_OFF + im.text + 1] = 0xa2;
	assert_int_equal(find(&im, sites), 0);
}

/* A function whose other part is elsewhere: jne there, and from there back to `back`. */
static u32 with_part(int back, bool described)
{
	struct cpuid_site sites[CPUID_SITES];
	static struct image im;
	u8 part[] = { NOP4, 0xeb, 0 };

	begin(&im);
	FUNCTION(&im, CPUID, 0x89, 0xc2, NOP4, 0x75, 1, RET); /* 11 bytes; the jump is to the next function */
	part[5] = (u8)(back - 17);
	if (described)
		function(&im, part, sizeof(part));
	else
		add(&im, TEXT_OFF + im.text, part, sizeof(part));
	finish(&im);
	return find(&im, sites);
}

static void parts(void **state)
{
	(void)state;
	assert_int_equal(with_part(0, true), 1);
	assert_int_equal(with_part(2, true), 0);
	assert_int_equal(with_part(4, true), 0);
	assert_int_equal(with_part(8, true), 1);
	assert_int_equal(with_part(8, false), 0);
}

/* cmp $1,%eax; ja end; lea table(%rip),%rdx; movslq (%rdx,%rax,4),%rax; add %rdx,%rax; jmp *%rax; cpuid; ...: sites, if it leads there. */
static u32 with_table(u8 last, int first, int second, u8 base)
{
	struct cpuid_site sites[CPUID_SITES];
	static struct image im;
	s32 words[] = { first - 0x100, second - 0x100 }; /* the table is 0x100 behind the function's begin */

	begin(&im);
	FUNCTION(&im, 0x83, 0xf8, last, 0x77, 0x18, 0x48, 0x8d, 0x15, 0xf4, 0, 0, 0, 0x48, 0x63, 0x04, (u8)(0x80 + base), 0x48, 0x01, 0xd0, 0xff, 0xe0,
		 CPUID, 0x89, 0xc2, NOP4, RET); /* cpuid at 21, behind it at 23, the end of what is replaced at 29 */
	im.text = 0x200; /* the table is text, too */
	finish(&im);
	add(&im, TEXT_OFF + 0x100, words, sizeof(words));
	return find(&im, sites);
}

static void tables(void **state)
{
	(void)state;
	assert_int_equal(with_table(1, 21, 29, 2), 1);
	assert_int_equal(with_table(1, 21, 23, 2), 0);
	assert_int_equal(with_table(1, 25, 29, 2), 0);
	assert_int_equal(with_table(0, 21, 23, 2), 1); /* that entry is not there */
	assert_int_equal(with_table(1, 21, 29, 1), 0); /* another register: who knows */
	assert_int_equal(with_table(1, 5, 29, 2), 0); /* around the comparison */
	assert_int_equal(with_table(1, 0x1000, 29, 2), 0);
	assert_int_equal(with_table(0x80, 21, 29, 2), 0);
}

static void page_border(void **state)
{
	struct cpuid_site sites[CPUID_SITES];
	static u8 code[0x1000];
	static struct image im;

	(void)state;
	begin(&im);
	memset(code, 0x90, sizeof(code));
	memcpy(code + 0xffa, "\x0f\xa2\x90\x90\x90\xc3", 6);
	function(&im, code, sizeof(code));
	finish(&im);
	assert_int_equal(find(&im, sites), 1);
	begin(&im); /* one byte later it would go to the very end */
	memmove(code + 1, code, sizeof(code) - 1);
	memcpy(code + 0xffb, "\x0f\xa2\x90\x90\x90", 5);
	function(&im, code, sizeof(code));
	finish(&im);
	assert_int_equal(find(&im, sites), 0);
}

/* Whatever a file says, nothing outside of it is touched, and what is found is inside. */
static void hostile_files(void **state)
{
	struct cpuid_site sites[CPUID_SITES];
	static struct image good, bad;

	(void)state;
	begin(&good);
	for (int i = 0; i < 30; i++)
		FUNCTION(&good, PUSH_RBX, MOV_EAX_4, CPUID, MOVS, POP_RBX, 0x75, 0x10, RET);
	finish(&good);
	for (int round = 0; round < 20000; round++) {
		static const u32 places[][2] = { { 0, 120 }, { TEXT_OFF, 600 }, { 0x2000, 700 }, { 0x3000, 192 }, { 0x3800, 24 } };
		u32 n;

		bad = good;
		for (u32 i = 0; i < 1 + random_word() % 4; i++) {
			const u32 *place = places[random_word() % 5];

			bad.data[place[0] + random_word() % place[1]] = random_word() & 1 ? (u8)random_word() : 0xff;
		}
		n = find(&bad, sites);
		assert_true(n <= CPUID_SITES);
		for (u32 i = 0; i < n; i++) {
			assert_true(sites[i].len >= 5 && sites[i].from + sites[i].len <= 0x1000);
			assert_memory_equal(bad.data + TEXT_OFF + sites[i].from + sites[i].at, "\x0f\xa2", 2);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions_of_a_library), cmocka_unit_test(random_instructions), cmocka_unit_test(good_ones),
		cmocka_unit_test(bad_ones), cmocka_unit_test(parts), cmocka_unit_test(tables), cmocka_unit_test(page_border), cmocka_unit_test(hostile_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
