//! From the logits of a scale to the tokens of the next: guidance, temperature and sampled bits; codes added to the running
//! sum; the sum resized. Three dispatches, and one that packs bits to be read back, where burn's operations take about forty.

mod add_codes;
mod next_tokens;
mod pack_bits;
mod sample_bits;

pub use add_codes::add_codes;
pub use next_tokens::next_tokens;
pub use pack_bits::pack_bits;
pub use sample_bits::{BitSampling, guided, sample_bits};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::test_values as values;
    use burn::tensor::Tolerance;

    #[test]
    fn sums_and_tokens_agree() {
        let cases = [
            (1, 32, (8, 8), (1, 1), (2, 2), false),
            (2, 4, (6, 10), (3, 5), (4, 7), false),
            (2, 3, (8, 12), (2, 3), (6, 8), true),
            (1, 5, (4, 4), (4, 4), (4, 4), false),
        ];
        for (batch, channels, (h, w), grid, next, patched) in cases {
            let each = if patched { 4 } else { 1 };
            for times in [1, 2] {
                let [flex, wgpu] = golden::devices().map(|(_, device)| {
                    let bits = values([batch, grid.0 * grid.1, channels * each], &device)
                        .greater_scalar(0.1)
                        .int();
                    (values([batch, channels, h, w], &device), bits)
                });
                let sum = add_codes::launch(&wgpu.0, &wgpu.1, grid, patched, 0.25).expect("a kernel");
                let tokens = next_tokens::launch(&sum, next, patched, times).expect("a kernel");
                let expected = add_codes(flex.0, &flex.1, grid, patched, 0.25);
                let expected_tokens = next_tokens(&expected, next, patched, times);
                let limit = Tolerance::absolute(1e-5);
                assert_eq!(tokens.dims(), expected_tokens.dims());
                sum.into_data().assert_approx_eq::<f32>(&expected.into_data(), limit);
                let expected = expected_tokens.into_data();
                tokens
                    .into_data()
                    .assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-5));
            }
        }
    }
}
