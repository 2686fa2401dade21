// SPDX-License-Identifier: Apache-2.0
/*
 * fsgsbase is left out: on machines without hardware virtualization a program must not
 * write gs, which the instruction would let it do. Features of kernel mode (vmx, svm, smep ...) are
 * not a guest program's.
 */
#include "cpuflags.h"

void cpuflags_show(struct seq *m, cpuflags_t names, u32 bits)
{
	for (int i = 0; i < 32; i++)
		if ((bits >> i & 1) && names[i])
			seq_printf(m, " %s", names[i]);
}

cpuflags_t cpuflags_1d = {
	"fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", NULL, "sep", "mtrr",
	"pge", "mca", "cmov", "pat", "pse36", "pn", "clflush", NULL, "dts", "acpi", "mmx", "fxsr",
	"sse", "sse2", "ss", "ht", "tm", "ia64", "pbe",
};

cpuflags_t cpuflags_1c = {
	"pni", "pclmulqdq", "dtes64", "monitor", "ds_cpl", NULL, NULL, "est", "tm2", "ssse3", "cid",
	"sdbg", "fma", "cx16", "xtpr", "pdcm", NULL, "pcid", "dca", "sse4_1", "sse4_2", "x2apic",
	"movbe", "popcnt", "tsc_deadline_timer", "aes", "xsave", NULL, "avx", "f16c", "rdrand",
	"hypervisor",
};

cpuflags_t cpuflags_e1d = {
	[11] = "syscall", [20] = "nx", [22] = "mmxext", [25] = "fxsr_opt", [26] = "pdpe1gb",
	[27] = "rdtscp", [29] = "lm", [30] = "3dnowext", [31] = "3dnow",
};

cpuflags_t cpuflags_e1c = {
	[0] = "lahf_lm", [1] = "cmp_legacy", [3] = "extapic", [4] = "cr8_legacy", [5] = "abm",
	[6] = "sse4a", [7] = "misalignsse", [8] = "3dnowprefetch", [9] = "osvw", [11] = "xop",
	[16] = "fma4", [21] = "tbm", [22] = "topoext", [23] = "perfctr_core", [29] = "mwaitx",
};

cpuflags_t cpuflags_7b = {
	[1] = "tsc_adjust", [3] = "bmi1", [4] = "hle", [5] = "avx2", [8] = "bmi2", [9] = "erms",
	[10] = "invpcid", [11] = "rtm", [14] = "mpx", [16] = "avx512f", [17] = "avx512dq",
	[18] = "rdseed", [19] = "adx", [21] = "avx512ifma", [23] = "clflushopt", [24] = "clwb",
	[26] = "avx512pf", [27] = "avx512er", [28] = "avx512cd", [29] = "sha_ni", [30] = "avx512bw",
	[31] = "avx512vl",
};

cpuflags_t cpuflags_7c = {
	[1] = "avx512vbmi", [6] = "avx512_vbmi2", [8] = "gfni", [9] = "vaes", [10] = "vpclmulqdq",
	[11] = "avx512_vnni", [12] = "avx512_bitalg", [14] = "avx512_vpopcntdq", [16] = "la57",
	[22] = "rdpid", [25] = "cldemote", [27] = "movdiri", [28] = "movdir64b",
};

cpuflags_t cpuflags_7d = {
	[2] = "avx512_4vnniw", [3] = "avx512_4fmaps", [4] = "fsrm", [8] = "avx512_vp2intersect",
	[10] = "md_clear", [14] = "serialize", [16] = "tsxldtrk", [22] = "amx_bf16",
	[23] = "avx512_fp16", [24] = "amx_tile", [25] = "amx_int8", [29] = "arch_capabilities",
};

cpuflags_t cpuflags_da = {
	[0] = "xsaveopt", [1] = "xsavec", [2] = "xgetbv1", [3] = "xsaves",
};

cpuflags_t cpuflags_e8b = {
	[0] = "clzero", [2] = "xsaveerptr", [4] = "rdpru", [9] = "wbnoinvd", [12] = "ibpb",
	[14] = "ibrs", [15] = "stibp", [24] = "ssbd", [25] = "virt_ssbd",
};
