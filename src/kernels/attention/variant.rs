//! The kernel variants of attention, as data: a shader body of `shaders/attention` and how invocations share queries.

use crate::kernels::runtime::{Chosen, Variant};

/// A kernel variant of [`attention`](super::attention).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionVariant {
    name: &'static str,
    pub(super) tile: Tile,
    /// Whether it is measured; if not, it is for software adapters.
    candidate: bool,
}

/// How invocations share queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tile {
    /// An invocation reads every key and value once for so many queries.
    Queries(usize),
    /// Invocations of a workgroup share a query: each has a part of the head's numbers. Without mask and bias.
    SplitHead,
}

static CHOSEN: Chosen<AttentionVariant, 1> = Chosen::new([AttentionVariant::ALL[0]]);

impl Variant for AttentionVariant {
    const OP: &'static str = "attention";
    const ALL: &'static [Self] = &[
        Self {
            name: "one-query",
            tile: Tile::Queries(1),
            candidate: true,
        },
        Self {
            name: "split-head",
            tile: Tile::SplitHead,
            candidate: true,
        },
        Self {
            name: "four-queries",
            tile: Tile::Queries(4),
            candidate: false,
        },
    ];
    const ON_SOFTWARE: Self = Self::ALL[2];

    fn name(self) -> &'static str {
        self.name
    }
}

impl AttentionVariant {
    /// Those that are measured.
    pub fn candidates() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|variant| variant.candidate)
    }

    /// The one on this GPU.
    pub fn chosen() -> Self {
        let [chosen] = CHOSEN.get();
        chosen
    }

    /// Uses this one from now on.
    pub fn choose(self) {
        CHOSEN.set([self]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_of_other_ops_are_refused() {
        for variant in AttentionVariant::ALL {
            assert_eq!(AttentionVariant::named(variant.name), Ok(*variant));
        }
        assert_eq!(
            AttentionVariant::named("wide-tiles").unwrap_err().to_string(),
            "attention has no kernel variant `wide-tiles`; it has one-query, split-head, four-queries"
        );
    }
}
