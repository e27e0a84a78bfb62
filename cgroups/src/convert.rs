//! From the units of v1 to those of v2, and back.
//!
//! The OCI runtime-spec has its resources in the units of v1. On v2 they are converted as the runtimes that others use
//! do it, so that a program gets the same share under each of them.

use crate::{Bytes, Limit};

/// Processor shares of v1, 2 to 262144, as a weight of v2, 1 to 10000.
///
/// A curve through the smallest, the default and the largest value of both, as in runc since 1.3.2 and crun since 1.24:
/// the weight is 10 to the power of (l² + 125 l) / 612 - 7/34 where l is the logarithm of the shares to base 2. (A
/// straight line, as before, made 39 of the default of 1024, less than half of what a cgroup without any setting gets.)
///
/// Shares outside of the range become its ends, as the kernel has it on v1.
///
/// ```
/// use cofferdam_cgroups::weight_from_shares;
///
/// assert_eq!([2, 1024, 262144].map(weight_from_shares), [1, 100, 10000]);
/// ```
pub fn weight_from_shares(shares: u64) -> u64 {
    match shares {
        0..=2 => 1,
        262_144.. => 10_000,
        shares => {
            // Below 2^18, so exact in 32 bits and more so as a float.
            let log = f64::from(u32::try_from(shares).unwrap_or(u32::MAX)).log2();
            let weight = 10_f64.powf((log * log + 125.0 * log) / 612.0 - 7.0 / 34.0);
            // What is a whole number but for the last bits is that number.
            rounded((weight - 1e-9).ceil()).clamp(1, 10_000)
        }
    }
}

/// A weight of v2, 1 to 10000, as processor shares of v1: the most that make no larger weight.
///
/// ```
/// use cofferdam_cgroups::shares_from_weight;
///
/// assert_eq!([1, 100, 10000].map(shares_from_weight), [2, 1024, 262144]);
/// ```
pub fn shares_from_weight(weight: u64) -> u64 {
    let (mut low, mut high) = (2, 262_144);
    while low < high {
        let middle = u64::midpoint(low, high + 1);
        if weight_from_shares(middle) <= weight { low = middle } else { high = middle - 1 }
    }
    low
}

/// A weight of v1's `blkio.weight`, 10 to 1000, as one of `io.weight`, 1 to 10000, by a straight line.
///
/// `io.bfq.weight` takes the number of v1 as it is.
pub fn io_weight_from_blkio(weight: u16) -> u16 {
    let above = u32::from(weight.clamp(10, 1000)) - 10;
    u16::try_from(1 + above * 9999 / 990).unwrap_or(10_000)
}

/// A weight of `io.weight`, 1 to 10000, as one of v1's `blkio.weight`, 10 to 1000: the smallest that makes it.
pub fn blkio_weight_from_io(weight: u16) -> u16 {
    let above = u32::from(weight.clamp(1, 10_000)) - 1;
    u16::try_from(10 + (above * 990).div_ceil(9999)).unwrap_or(1000)
}

/// The limit of swap alone, as v2 has it, from that of memory and swap together, as v1 and the runtime-spec have it.
///
/// # Errors
///
/// What is wrong, if the sum is less than the limit of memory, or is limited where memory is not.
pub fn swap_from_sum(sum: Limit<Bytes>, memory: Limit<Bytes>) -> Result<Limit<Bytes>, &'static str> {
    match (sum, memory) {
        (Limit::Max, _) => Ok(Limit::Max),
        (Limit::Value(_), Limit::Max) => Err("a limit of memory, when memory and swap together have one"),
        (Limit::Value(sum), Limit::Value(memory)) => match sum.0.checked_sub(memory.0) {
            Some(swap) => Ok(Limit::Value(Bytes(swap))),
            None => Err("memory and swap together at least as much as memory"),
        },
    }
}

/// The limit of memory and swap together from those of each.
pub(crate) fn sum_from_swap(swap: Limit<Bytes>, memory: Limit<Bytes>) -> Limit<Bytes> {
    match (swap, memory) {
        (Limit::Value(swap), Limit::Value(memory)) => Limit::Value(Bytes(swap.0.saturating_add(memory.0))),
        _ => Limit::Max,
    }
}

/// A float that is a whole number from 0 to a few thousand.
fn rounded(number: f64) -> u64 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small and positive, see above"
    )]
    let whole = number as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_the_weights_that_runc_and_crun_make_of_them() {
        // The ends and the default, and what both programs document and test in between.
        let table = [(0, 1), (1, 1), (2, 1), (4, 2), (102, 17), (512, 59), (1024, 100), (2048, 174)];
        for (shares, weight) in table {
            assert_eq!(weight_from_shares(shares), weight, "{shares}");
        }
        for shares in [262_144, 262_145, u64::MAX] {
            assert_eq!(weight_from_shares(shares), 10_000, "{shares}");
        }
    }

    #[test]
    fn more_shares_never_weigh_less_and_weights_come_back() {
        assert!((2..262_144_u64).is_sorted_by_key(weight_from_shares));
        for weight in 1..=10_000 {
            let shares = shares_from_weight(weight);
            assert!(weight_from_shares(shares) <= weight, "{weight}");
            assert!(shares == 262_144 || weight_from_shares(shares + 1) > weight, "{weight}");
        }
    }

    #[test]
    fn block_weights_are_a_line() {
        for (v1, v2) in [(10, 1), (100, 910), (500, 4950), (1000, 10_000), (0, 1), (2000, 10_000)] {
            assert_eq!(io_weight_from_blkio(v1), v2, "{v1}");
        }
        for weight in 10..=1000 {
            assert_eq!(blkio_weight_from_io(io_weight_from_blkio(weight)), weight);
        }
    }

    #[test]
    fn swap_is_what_exceeds_memory() {
        let bytes = |n| Limit::Value(Bytes(n));
        assert_eq!(swap_from_sum(bytes(300), bytes(100)), Ok(bytes(200)));
        assert_eq!(swap_from_sum(bytes(100), bytes(100)), Ok(bytes(0)));
        assert_eq!(swap_from_sum(Limit::Max, bytes(100)), Ok(Limit::Max));
        assert_eq!(swap_from_sum(Limit::Max, Limit::Max), Ok(Limit::Max));
        assert!(swap_from_sum(bytes(99), bytes(100)).is_err());
        assert!(swap_from_sum(bytes(99), Limit::Max).is_err());
        assert_eq!(sum_from_swap(bytes(200), bytes(100)), bytes(300));
        assert_eq!(sum_from_swap(Limit::Max, bytes(100)), Limit::Max);
    }
}
