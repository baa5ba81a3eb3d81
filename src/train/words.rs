//! The embedding table of one vocabulary from that of another: pieces that both have keep what they mean.

use burn::tensor::TensorData;

/// `own [pieces, width]` with the rows that `known`, of the pieces `known_pieces`, has of the same pieces.
pub fn carry_rows(own: TensorData, pieces: &[u32], known: &TensorData, known_pieces: &[u32]) -> TensorData {
    let shape = own.shape().clone();
    let width = shape.to_vec().get(1).copied().unwrap_or(1).max(1);
    let mut rows: Vec<f32> = own.iter::<f32>().collect();
    let known: Vec<f32> = known.iter::<f32>().collect();
    for (row, piece) in rows.chunks_exact_mut(width).zip(pieces) {
        let place = known_pieces.iter().position(|known| known == piece);
        if let Some(found) = place.and_then(|place| known.chunks_exact(width).nth(place)) {
            row.copy_from_slice(found);
        }
    }
    TensorData::new(rows, shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_their_pieces() {
        let own = TensorData::from([[0f32, 0.0], [1.0, 1.0], [2.0, 2.0]]);
        let known = TensorData::from([[7f32, 8.0], [5.0, 6.0]]);
        let carried = carry_rows(own, &[3, 9, 4], &known, &[4, 3]);
        assert_eq!(carried, TensorData::from([[5f32, 6.0], [1.0, 1.0], [7.0, 8.0]]));
    }
}
