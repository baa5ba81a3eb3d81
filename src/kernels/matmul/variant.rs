//! The kernel variants of the linear layer, as data: a shader body of `shaders/matmul` and its tile.

use crate::kernels::runtime::{Chosen, Constants, Variant, Wgsl};

/// A kernel variant of [`linear`](super::linear()).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearVariant {
    name: &'static str,
    tile: Tile,
    /// The numbers of rows for which it is measured.
    candidate_for: &'static [RowCount],
}

/// A shader body and the results that its invocations and workgroups compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tile {
    /// Every invocation by itself: `rows` x 4 `vec4s` results in registers, operands from global memory.
    Registers {
        rows: usize,
        vec4s: usize,
        workgroup_size: usize,
    },
    /// Workgroups of 8 x 8 invocations with operands in workgroup memory: 4 `vec4s` x 4 `vec4s` results an invocation.
    WorkgroupMemory { vec4s: usize },
    /// Matrix times a few vectors: a workgroup reduces K for four columns.
    Gemv,
}

/// How many rows a linear layer is applied to, which decides what limits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowCount {
    /// At most 16: limited by the bandwidth at which weights are read.
    Few,
    /// At most 256: only small tiles keep a GPU busy.
    Some,
    Many,
}

use RowCount::{Few, Many, Some};

impl RowCount {
    pub const ALL: [Self; 3] = [Few, Some, Many];

    pub fn of(rows: usize) -> Self {
        match rows {
            ..=16 => Few,
            17..=256 => Some,
            _ => Many,
        }
    }
}

/// The shape of one launch: what the shader is unrolled by, its workgroup size and its number of workgroups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    pub constants: Constants,
    pub workgroup_size: usize,
    pub workgroups: [usize; 3],
}

/// Invocations of a side of a tile in workgroup memory.
const SIDE: usize = 8;

/// The variants that are chosen for each [`RowCount`].
static CHOSEN: Chosen<LinearVariant, 3> = Chosen::new([LinearVariant::ALL[0]; 3]);

impl Variant for LinearVariant {
    const OP: &'static str = "linear";
    const ALL: &'static [Self] = &[
        Self {
            name: "registers",
            tile: Tile::Registers {
                rows: 8,
                vec4s: 1,
                workgroup_size: 64,
            },
            candidate_for: &[Few, Some, Many],
        },
        Self {
            name: "wide-registers",
            tile: Tile::Registers {
                rows: 16,
                vec4s: 4,
                workgroup_size: 8,
            },
            candidate_for: &[Some, Many],
        },
        Self {
            name: "tiles",
            tile: Tile::WorkgroupMemory { vec4s: 1 },
            candidate_for: &[Few, Some, Many],
        },
        Self {
            name: "wide-tiles",
            tile: Tile::WorkgroupMemory { vec4s: 2 },
            candidate_for: &[Some, Many],
        },
        Self {
            name: "gemv",
            tile: Tile::Gemv,
            candidate_for: &[Few],
        },
    ];
    const ON_SOFTWARE: Self = Self::ALL[1];

    fn name(self) -> &'static str {
        self.name
    }
}

impl LinearVariant {
    /// Those that are measured for so many rows.
    pub fn candidates(rows: RowCount) -> impl Iterator<Item = Self> {
        let all = Self::ALL.iter().copied();
        all.filter(move |variant| variant.candidate_for.contains(&rows))
    }

    /// The one for so many rows on this GPU.
    pub fn chosen(rows: usize) -> Self {
        CHOSEN.get()[RowCount::of(rows) as usize]
    }

    /// Those for each [`RowCount`] on this GPU.
    pub fn all_chosen() -> [Self; 3] {
        CHOSEN.get()
    }

    /// Uses these from now on, one for each [`RowCount`].
    pub fn choose(variants: [Self; 3]) {
        CHOSEN.set(variants);
    }

    /// Its shader.
    pub fn source(self) -> Wgsl {
        match self.tile {
            Tile::Registers { .. } => wgsl!("matmul/linear_registers.wgsl"),
            Tile::WorkgroupMemory { .. } => wgsl!("matmul/linear_tiles.wgsl"),
            Tile::Gemv => wgsl!("matmul/linear_gemv.wgsl"),
        }
    }

    /// What one launch for `rows` x 4 `vec4s` results is.
    pub fn workload(self, rows: usize, vec4s: usize) -> Workload {
        match self.tile {
            Tile::Registers {
                rows: most,
                vec4s: across,
                workgroup_size,
            } => {
                // No more rows than there are: two are one image's first scale, with and without the prompt.
                let tile = [2, 8].into_iter().find(|&few| rows <= few).unwrap_or(most);
                Workload {
                    constants: vec![("ROWS", tile), ("VEC4S", across)],
                    workgroup_size,
                    workgroups: [vec4s.div_ceil(across).div_ceil(workgroup_size), rows.div_ceil(tile), 1],
                }
            }
            Tile::WorkgroupMemory { vec4s: each } => Workload {
                constants: vec![("ROWS", each), ("COLUMNS", each), ("ACROSS", SIDE), ("DOWN", SIDE)],
                workgroup_size: SIDE * SIDE,
                workgroups: [vec4s.div_ceil(each * SIDE), rows.div_ceil(4 * each * SIDE), 1],
            },
            Tile::Gemv => {
                let tile = if rows <= 2 { 2 } else { 8 };
                Workload {
                    constants: vec![("ROWS", tile)],
                    workgroup_size: 64,
                    workgroups: [vec4s, rows.div_ceil(tile), 1],
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_unknown_ones_are_refused() {
        for (i, variant) in LinearVariant::ALL.iter().enumerate() {
            assert_eq!(LinearVariant::named(variant.name), Ok(*variant));
            assert!(LinearVariant::ALL[..i].iter().all(|other| other.name != variant.name));
            assert!(!variant.candidate_for.is_empty());
        }
        assert_eq!(
            LinearVariant::named("few").unwrap_err().to_string(),
            "linear has no kernel variant `few`; it has registers, wide-registers, tiles, wide-tiles, gemv"
        );
    }
}
