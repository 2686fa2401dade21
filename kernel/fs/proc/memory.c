// SPDX-License-Identifier: Apache-2.0
/* /proc/meminfo, swaps, vmstat, zoneinfo, buddyinfo. */
#include "proc.h"

#include "hoststat.h"

struct mem {
	u64 total, free, available, cached, used, swap_total, swap_free; /* bytes */
};

/* The page cache is the host's; what is available and not free is cache. */
static void take(struct mem *mem)
{
	struct pv_host_stat st;

	host_stat(&st);
	mem->total = st.mem_total;
	mem->free = min(st.mem_free, st.mem_total);
	mem->available = clamp(st.mem_available, mem->free, mem->total);
	mem->cached = mem->available - mem->free;
	mem->used = mem->total - mem->available;
	mem->swap_total = st.swap_total;
	mem->swap_free = st.swap_free;
}

static void line(struct seq *m, const char *name, u64 bytes)
{
	seq_printf(m, "%-15s %8lu kB\n", name, KB(bytes));
}

static void lines(struct seq *m, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		line(m, names[i], 0);
}

static void activity(struct seq *m, const struct mem *mem)
{
	line(m, "Active:", mem->used);
	line(m, "Inactive:", mem->cached);
	line(m, "Active(anon):", mem->used);
	line(m, "Inactive(anon):", 0);
	line(m, "Active(file):", 0);
	line(m, "Inactive(file):", mem->cached);
	line(m, "Unevictable:", 0);
	line(m, "Mlocked:", 0);
}

static void usage(struct seq *m, const struct mem *mem)
{
	static const char *const zeros[] = { "Dirty:", "Writeback:" };
	static const char *const zeros2[] = {
		"Mapped:", "Shmem:", "KReclaimable:",
	};
	static const char *const zeros3[] = {
		"KernelStack:", "PageTables:", "SecPageTables:", "NFS_Unstable:", "Bounce:", "WritebackTmp:",
	};

	lines(m, zeros, ARRAY_SIZE(zeros));
	line(m, "AnonPages:", mem->used);
	lines(m, zeros2, ARRAY_SIZE(zeros2));
	line(m, "Slab:", kheap_bytes());
	line(m, "SReclaimable:", 0);
	line(m, "SUnreclaim:", kheap_bytes());
	lines(m, zeros3, ARRAY_SIZE(zeros3));
}

static void limits(struct seq *m, const struct mem *mem)
{
	static const char *const zeros[] = {
		"VmallocUsed:", "VmallocChunk:", "Percpu:", "HardwareCorrupted:", "AnonHugePages:",
		"ShmemHugePages:", "ShmemPmdMapped:", "FileHugePages:", "FilePmdMapped:",
	};

	line(m, "CommitLimit:", mem->total / 2 + mem->swap_total);
	line(m, "Committed_AS:", mem->used);
	line(m, "VmallocTotal:", 35184372087808ULL);
	lines(m, zeros, ARRAY_SIZE(zeros));
	seq_puts(m, "HugePages_Total:       0\nHugePages_Free:        0\n"
		    "HugePages_Rsvd:        0\nHugePages_Surp:        0\n");
	line(m, "Hugepagesize:", 2 << 20);
	line(m, "Hugetlb:", 0);
	line(m, "DirectMap4k:", mem->total);
	line(m, "DirectMap2M:", 0);
}

int proc_meminfo(struct seq *m, const struct pseudo_ctx *c)
{
	struct mem mem;

	take(&mem);
	line(m, "MemTotal:", mem.total);
	line(m, "MemFree:", mem.free);
	line(m, "MemAvailable:", mem.available);
	line(m, "Buffers:", 0);
	line(m, "Cached:", mem.cached);
	line(m, "SwapCached:", 0);
	activity(m, &mem);
	line(m, "SwapTotal:", mem.swap_total);
	line(m, "SwapFree:", mem.swap_free);
	usage(m, &mem);
	limits(m, &mem);
	return 0;
}

int proc_swaps(struct seq *m, const struct pseudo_ctx *c)
{
	seq_puts(m, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}

int proc_vmstat(struct seq *m, const struct pseudo_ctx *c)
{
	static const char *const zeros[] = {
		"nr_dirty", "nr_writeback", "nr_mapped", "nr_shmem", "pgpgin", "pgpgout", "pswpin",
		"pswpout", "pgfault", "pgmajfault", "pgfree", "pgactivate", "pgdeactivate",
		"pgsteal_kswapd", "pgscan_kswapd", "oom_kill",
	};
	struct mem mem;

	take(&mem);
	seq_printf(m, "nr_free_pages %lu\n", mem.free >> PAGE_SHIFT);
	seq_printf(m, "nr_inactive_anon 0\nnr_active_anon %lu\n", mem.used >> PAGE_SHIFT);
	seq_printf(m, "nr_inactive_file %lu\nnr_active_file 0\n", mem.cached >> PAGE_SHIFT);
	seq_printf(m, "nr_anon_pages %lu\nnr_file_pages %lu\n", mem.used >> PAGE_SHIFT,
		   mem.cached >> PAGE_SHIFT);
	for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
		seq_printf(m, "%s 0\n", zeros[i]);
	return 0;
}

int proc_zoneinfo(struct seq *m, const struct pseudo_ctx *c)
{
	struct mem mem;
	u64 pages;

	take(&mem);
	pages = mem.total >> PAGE_SHIFT;
	seq_puts(m, "Node 0, zone   Normal\n");
	seq_printf(m, "  pages free     %lu\n        boost    0\n        min      %lu\n"
		      "        low      %lu\n        high     %lu\n",
		   mem.free >> PAGE_SHIFT, pages / 1024, pages / 819, pages / 683);
	seq_printf(m, "        spanned  %lu\n        present  %lu\n        managed  %lu\n", pages,
		   pages, pages);
	return 0;
}

int proc_buddyinfo(struct seq *m, const struct pseudo_ctx *c)
{
	struct mem mem;

	take(&mem);
	seq_printf(m, "Node 0, zone   Normal %6lu", mem.free >> PAGE_SHIFT);
	for (int order = 1; order <= 10; order++)
		seq_printf(m, " %6d", 0);
	seq_puts(m, " \n");
	return 0;
}
