//! What memory is used for: the file `memory.stat`.

use super::keyed::keyed;
use super::memory::MemoryStatistics;
use super::parse::{Field, Keyed};

keyed! {
    /// The lines of `memory.stat`. Where nothing else is said, the field has the name of the line on v2, and v1 has no
    /// such line; `v1` alone means the same name there, behind `total_` for sums with the cgroups below.
    pub struct MemoryStat {
        /// Memory of programs that no file stands behind. v1 `rss`, which counts pages in the swap cache less.
        anon: bytes = b"anon" | b"rss",
        /// Cached data of files, and shared memory. v1 `cache`.
        file: bytes = b"file" | b"cache",
        /// All memory of the kernel. 5.18.
        kernel: bytes = b"kernel",
        /// Stacks in the kernel.
        kernel_stack: bytes = b"kernel_stack",
        /// Page tables.
        pagetables: bytes = b"pagetables",
        /// Page tables of virtual machines and of the I/O memory management unit. 6.2.
        sec_pagetables: bytes = b"sec_pagetables",
        /// Objects that exist for each processor.
        percpu: bytes = b"percpu",
        /// Buffers of sockets.
        sock: bytes = b"sock",
        /// Memory mapped into the kernel. 5.18.
        vmalloc: bytes = b"vmalloc",
        /// Shared memory and tmpfs, a part of `file`. v1.
        shmem: bytes = b"shmem",
        /// Memory that compressed pages take. 5.19.
        zswap: bytes = b"zswap",
        /// Pages that were compressed, at their own size. 5.19.
        zswapped: bytes = b"zswapped",
        /// Huge pages, if they count as memory. 6.13.
        hugetlb: bytes = b"hugetlb",
        /// Cached data that is mapped. v1 `mapped_file`.
        file_mapped: bytes = b"file_mapped" | b"mapped_file",
        /// Cached data that has to be written yet. v1 `dirty`.
        file_dirty: bytes = b"file_dirty" | b"dirty",
        /// Cached data that is being written. v1 `writeback`.
        file_writeback: bytes = b"file_writeback" | b"writeback",
        /// Swap that is used. v1 `swap`; on v2 see `memory.swap.current`.
        swap: bytes = b"swap",
        /// Memory that is in swap as well. v1.
        swapcached: bytes = b"swapcached",
        /// Transparent huge pages of programs. v1 `rss_huge`.
        anon_thp: bytes = b"anon_thp" | b"rss_huge",
        /// Transparent huge pages of files.
        file_thp: bytes = b"file_thp",
        /// Transparent huge pages of shared memory.
        shmem_thp: bytes = b"shmem_thp",
        /// Memory of programs that was not used of late. v1.
        inactive_anon: bytes = b"inactive_anon",
        /// Memory of programs that was used of late. v1.
        active_anon: bytes = b"active_anon",
        /// Cached data that was not used of late. v1.
        inactive_file: bytes = b"inactive_file",
        /// Cached data that was used of late. v1.
        active_file: bytes = b"active_file",
        /// Memory that cannot be reclaimed. v1.
        unevictable: bytes = b"unevictable",
        /// Objects of the kernel that can be reclaimed, such as file names.
        slab_reclaimable: bytes = b"slab_reclaimable",
        /// Objects of the kernel that cannot.
        slab_unreclaimable: bytes = b"slab_unreclaimable",
        /// All objects of the kernel.
        slab: bytes = b"slab",
        /// Pages of programs that were needed again soon after they had been reclaimed. v1.
        workingset_refault_anon: count = b"workingset_refault_anon",
        /// Pages of files that were needed again soon after they had been reclaimed. v1.
        workingset_refault_file: count = b"workingset_refault_file",
        /// Of the former, those that count as used at once.
        workingset_activate_anon: count = b"workingset_activate_anon",
        /// Of the latter, those that count as used at once.
        workingset_activate_file: count = b"workingset_activate_file",
        /// Pages of programs that had counted as used before.
        workingset_restore_anon: count = b"workingset_restore_anon",
        /// Pages of files that had counted as used before.
        workingset_restore_file: count = b"workingset_restore_file",
        /// Reclaimed nodes that remember reclaimed pages.
        workingset_nodereclaim: count = b"workingset_nodereclaim",
        /// Pages that came from swap. 6.14.
        pswpin: count = b"pswpin",
        /// Pages that went to swap. 6.14.
        pswpout: count = b"pswpout",
        /// Pages looked at for reclaim.
        pgscan: count = b"pgscan",
        /// Pages reclaimed.
        pgsteal: count = b"pgsteal",
        /// Pages looked at by the kernel's thread. 5.18.
        pgscan_kswapd: count = b"pgscan_kswapd",
        /// Pages looked at by processes that needed memory. 5.18.
        pgscan_direct: count = b"pgscan_direct",
        /// Pages reclaimed by the kernel's thread. 5.18.
        pgsteal_kswapd: count = b"pgsteal_kswapd",
        /// Pages reclaimed by processes that needed memory. 5.18.
        pgsteal_direct: count = b"pgsteal_direct",
        /// Page faults. v1.
        pgfault: count = b"pgfault",
        /// Page faults that had to wait for a device. v1.
        pgmajfault: count = b"pgmajfault",
        /// Pages charged. v1 `pgpgin`; not on v2.
        pgpgin: count = b"pgpgin",
        /// Pages uncharged. v1 `pgpgout`; not on v2.
        pgpgout: count = b"pgpgout",
        /// Pages looked at to find those that are not used.
        pgrefill: count = b"pgrefill",
        /// Pages that became used ones.
        pgactivate: count = b"pgactivate",
        /// Pages that became unused ones.
        pgdeactivate: count = b"pgdeactivate",
        /// Pages to be freed when memory is short.
        pglazyfree: count = b"pglazyfree",
        /// Of these, those that were freed.
        pglazyfreed: count = b"pglazyfreed",
        /// Pages that came back from compression. 6.1.
        zswpin: count = b"zswpin",
        /// Pages that were compressed. 6.1.
        zswpout: count = b"zswpout",
        /// Compressed pages that went to swap. 6.8.
        zswpwb: count = b"zswpwb",
        /// Transparent huge pages made at a fault.
        thp_fault_alloc: count = b"thp_fault_alloc",
        /// Transparent huge pages put together from small ones.
        thp_collapse_alloc: count = b"thp_collapse_alloc",
    }
}

/// `memory.stat` of v1, which has this cgroup alone and, behind `total_`, also those below it.
pub(crate) struct V1<'a>(pub(crate) &'a mut MemoryStatistics);

impl Keyed for V1<'_> {
    fn field(&mut self, key: &[u8]) -> Option<Field<'_>> {
        match (key, key.strip_prefix(b"total_")) {
            (_, Some(key)) => self.0.stat.field(key),
            (b"hierarchical_memory_limit", _) => Some(Field::Bytes(&mut self.0.hierarchical_limit)),
            (b"hierarchical_memsw_limit", _) => Some(Field::Bytes(&mut self.0.hierarchical_memsw_limit)),
            _ => self.0.own.get_or_insert_default().field(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bytes;
    use crate::stats::parse::flat;

    const V1_STAT: &[u8] = include_bytes!("../../tests/data/v1/memory.stat");
    const V2_STAT: &[u8] = include_bytes!("../../tests/data/v2/memory.stat");

    #[test]
    fn v1_has_own_and_total_lines() {
        let mut memory = MemoryStatistics::default();
        flat(V1_STAT, &mut V1(&mut memory)).unwrap();
        let own = memory.own.unwrap();
        assert_eq!((memory.stat.file, own.file), (Some(Bytes(397_312)), Some(Bytes(0))));
        assert_eq!((memory.stat.anon, memory.stat.file_dirty), (Some(Bytes(4096)), Some(Bytes(28672))));
        assert_eq!((memory.stat.workingset_refault_file, memory.stat.kernel), (Some(97), None));
        assert_eq!(memory.hierarchical_limit, Some(Bytes(9_223_372_036_854_771_712)));
    }

    #[test]
    fn v2_has_all_the_rest() {
        let mut stat = MemoryStat::default();
        flat(V2_STAT, &mut stat).unwrap();
        assert_eq!((stat.kernel, stat.slab_reclaimable), (Some(Bytes(53248)), Some(Bytes(40064))));
        assert_eq!((stat.pgfault, stat.inactive_file, stat.pgpgin), (Some(94881), Some(Bytes(0)), None));
    }
}
