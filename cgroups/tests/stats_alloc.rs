//! Reading statistics again allocates nothing. Alone in its binary, as it counts what the whole process allocates.
#![allow(unsafe_code, reason = "an allocator is unsafe to implement")]

mod common;
mod recorded;

use cofferdam_cgroups::{Controller, Statistics, StatisticsReader};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, which counts for each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is left to the system's allocator; the counter is a plain number that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(reader: &mut StatisticsReader, statistics: &mut Statistics) -> u64 {
    let before = COUNT.get();
    for _ in 0..50 {
        reader.read(statistics).expect("statistics");
    }
    COUNT.get() - before
}

#[test]
fn recorded_files_are_read_without_allocation() {
    for (_tree, cgroup) in [recorded::recorded_v1(), recorded::recorded_v2()] {
        let mut reader = StatisticsReader::new(&cgroup).unwrap();
        let mut statistics = Statistics::default();
        reader.read(&mut statistics).unwrap();
        let first = statistics.clone();
        assert!(COUNT.get() > 0);
        assert_eq!(allocations(&mut reader, &mut statistics), 0);
        assert_eq!(statistics, first);
    }
}

#[test]
fn a_real_cgroup_is_read_without_allocation() {
    let cgroup = test_cgroup!(Controller::Cpu, Controller::Memory, Controller::Pids);
    let mut reader = StatisticsReader::new(&cgroup).unwrap();
    let mut statistics = Statistics::default();
    reader.read(&mut statistics).unwrap();
    assert_eq!(allocations(&mut reader, &mut statistics), 0);
}
