//! The kernel variants of the convolution, as data: a shader body of `shaders/convolution` and its tile.

use crate::kernels::runtime::{Chosen, Variant};

/// A kernel variant of [`convolution`](super::convolution).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionVariant {
    name: &'static str,
    pub(super) tile: Tile,
}

/// A shader body and the results that its invocations compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tile {
    /// Every invocation by itself: so many channels of 8 neighbours in a row in registers, operands from global memory.
    Registers { channels: usize },
    /// Workgroups with operands in workgroup memory: 4 `vec4s` channels of 4 `vec4s` pixels an invocation.
    WorkgroupMemory { vec4s: usize },
}

static CHOSEN: Chosen<ConvolutionVariant, 1> = Chosen::new([ConvolutionVariant::ALL[0]]);

impl Variant for ConvolutionVariant {
    const OP: &'static str = "convolution";
    const ALL: &'static [Self] = &[
        Self {
            name: "registers",
            tile: Tile::Registers { channels: 8 },
        },
        Self {
            name: "tiles",
            tile: Tile::WorkgroupMemory { vec4s: 1 },
        },
        Self {
            name: "wide-tiles",
            tile: Tile::WorkgroupMemory { vec4s: 2 },
        },
        // 16 x 16 would be a quarter quicker on a software adapter and compile twice as long.
        Self {
            name: "wide-registers",
            tile: Tile::Registers { channels: 16 },
        },
    ];
    const ON_SOFTWARE: Self = Self::ALL[3];

    fn name(self) -> &'static str {
        self.name
    }
}

impl ConvolutionVariant {
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
        for variant in ConvolutionVariant::ALL {
            assert_eq!(ConvolutionVariant::named(variant.name), Ok(*variant));
        }
        assert_eq!(
            ConvolutionVariant::named("gemv").unwrap_err().to_string(),
            "convolution has no kernel variant `gemv`; it has registers, tiles, wide-tiles, wide-registers"
        );
    }
}
