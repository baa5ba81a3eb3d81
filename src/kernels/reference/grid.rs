//! The size of a token grid.

/// Rows and columns of a token grid, or of the positions of a latent.
pub type Grid = (usize, usize);
