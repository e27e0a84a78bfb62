//! A hundred isolated programs from the threads of one program, while others allocate. Needs no privilege.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use cofferdam::Command;

const THREADS: usize = 4;
const PROGRAMS: usize = 100;

fn main() {
    let begin = Instant::now();
    let (next, good, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        // Locks of the allocator are held at any moment; that is no matter.
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                std::hint::black_box(vec![0_u8; 1000]);
            }
        });
        let workers: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    while next.fetch_add(1, Ordering::Relaxed) < PROGRAMS {
                        match Command::new("true").status() {
                            Ok(status) if status.success() => drop(good.fetch_add(1, Ordering::Relaxed)),
                            other => println!("{other:?}"),
                        }
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().unwrap_or_else(|_| println!("a thread panicked"));
        }
        done.store(true, Ordering::Relaxed);
    });
    println!("{} of {PROGRAMS} programs succeeded in {:.0?}", good.into_inner(), begin.elapsed());
}
