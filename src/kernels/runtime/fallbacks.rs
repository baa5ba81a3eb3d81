//! Fallbacks: runs of a reference implementation for tensors on the GPU because no kernel fits them, counted by op and reason.
//!
//! Runs of a reference by choice do not count: on the CPU engine, under automatic differentiation where an op has no kernel for
//! that, and while kernels are switched off.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// Why an op did not launch a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKernel {
    /// The reference implementation is meant to run.
    ByChoice,
    /// The tensors are on the GPU, but no kernel takes them, for this reason.
    Unfit(&'static str),
}

/// How often a reference implementation ran in place of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fallback {
    pub op: &'static str,
    pub reason: &'static str,
    pub count: u64,
}

type Counts = BTreeMap<(&'static str, &'static str), u64>;

thread_local! {
    /// Of this thread: an engine launches everything from one.
    static COUNTS: RefCell<Counts> = const { RefCell::new(Counts::new()) };
}

/// The result of a kernel of `op`. None where the caller has to run the reference, which is counted if it is a fallback.
pub fn or_count<T>(op: &'static str, launched: Result<T, NoKernel>) -> Option<T> {
    if let Err(NoKernel::Unfit(reason)) = launched {
        COUNTS.with_borrow_mut(|counts| *counts.entry((op, reason)).or_default() += 1);
    }
    launched.ok()
}

/// What this thread counted since the last call, by op and reason.
pub fn take() -> Vec<Fallback> {
    let counts = COUNTS.take();
    let fallback = |((op, reason), count)| Fallback { op, reason, count };
    counts.into_iter().map(fallback).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unfit_tensors_count() {
        take();
        assert_eq!(or_count("linear", Ok(3)), Some(3));
        assert_eq!(or_count::<()>("linear", Err(NoKernel::ByChoice)), None);
        assert_eq!(take(), []);
        for reason in ["alignment", "data type", "alignment"] {
            assert_eq!(or_count::<()>("linear", Err(NoKernel::Unfit(reason))), None);
        }
        let fallback = |reason, count| Fallback {
            op: "linear",
            reason,
            count,
        };
        assert_eq!(take(), [fallback("alignment", 2), fallback("data type", 1)]);
        assert_eq!(take(), []);
    }
}
