//! Carries the rows of an embedding table over to another vocabulary.

use burn::tensor::TensorData;

/// The table `own [V, width]` of `token_ids`, with the rows of those ids that are also in `known_ids` taken from
/// `known`.
pub fn carry_rows(own: TensorData, token_ids: &[u32], known: &TensorData, known_ids: &[u32]) -> TensorData {
    let shape = own.shape().clone();
    let width = shape.to_vec().get(1).copied().unwrap_or(1).max(1);
    let mut rows: Vec<f32> = own.iter::<f32>().collect();
    let known: Vec<f32> = known.iter::<f32>().collect();
    for (row, id) in rows.chunks_exact_mut(width).zip(token_ids) {
        let place = known_ids.iter().position(|known| known == id);
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
    fn rows_follow_their_token_ids() {
        let own = TensorData::from([[0f32, 0.0], [1.0, 1.0], [2.0, 2.0]]);
        let known = TensorData::from([[7f32, 8.0], [5.0, 6.0]]);
        let carried = carry_rows(own, &[3, 9, 4], &known, &[4, 3]);
        assert_eq!(carried, TensorData::from([[5f32, 6.0], [1.0, 1.0], [7.0, 8.0]]));
    }
}
