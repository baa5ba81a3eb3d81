//! Kernel variants: several kernels of one op, of which the quickest on a GPU is measured by [`autotune`](crate::kernels::autotune).

use std::sync::{Mutex, PoisonError};
use thiserror::Error;

/// A kernel variant of one op. Every op has a type of its own, so that no op can be asked for the variant of another.
pub trait Variant: Copy + PartialEq + Sized + 'static {
    /// The op, in error messages.
    const OP: &'static str;
    /// All of the op; the first is in use until another is chosen.
    const ALL: &'static [Self];
    /// The quickest on software adapters. These compute in vectors as wide as the processor's and load each number by itself, which
    /// costs them more than anything else, so that most results to a load win.
    const ON_SOFTWARE: Self;

    /// Lower case with hyphens; kept in tuning and printed by `infinity bench variants`.
    fn name(self) -> &'static str;

    /// The variant called `name`.
    fn named(name: &str) -> Result<Self, UnknownVariant> {
        let found = Self::ALL.iter().copied().find(|variant| variant.name() == name);
        found.ok_or_else(|| UnknownVariant {
            op: Self::OP,
            name: name.to_string(),
            known: Self::ALL
                .iter()
                .map(|variant| variant.name())
                .collect::<Vec<_>>()
                .join(", "),
        })
    }
}

/// A name that no variant of an op has.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{op} has no kernel variant `{name}`; it has {known}")]
pub struct UnknownVariant {
    pub op: &'static str,
    pub name: String,
    /// The names that it has.
    pub known: String,
}

/// The variants of an op that are in use, one for each of `N` kinds of sizes.
pub struct Chosen<V, const N: usize>(Mutex<[V; N]>);

impl<V: Variant, const N: usize> Chosen<V, N> {
    pub const fn new(variants: [V; N]) -> Self {
        Self(Mutex::new(variants))
    }

    pub fn get(&self) -> [V; N] {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set(&self, variants: [V; N]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = variants;
    }
}
