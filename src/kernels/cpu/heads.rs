//! From the projections of a self attention to its queries, keys and values, in one pass over each.

use super::{dot, each_piece, numbers, on_cpu, tensor, values};
use burn::tensor::Tensor;

/// Queries, keys and values `[B, H, L, hd]` of projections `qkv [B, L, 3 H hd]` of the CPU engine that are not differentiated, as
/// cosine self attention has them: biases on queries and values, queries and keys of unit length, queries times their head's
/// temperature, both rotated by `rope`, cosines and sines `[L, hd/2]`. `biases` are those of queries `[H hd]` and values `[H hd]`,
/// then temperatures `[H]`. None of any other device.
pub fn qkv_to_heads(
    qkv: &Tensor<3>,
    biases: impl FnOnce() -> Tensor<1>,
    heads: usize,
    rope: Option<(&Tensor<2>, &Tensor<2>)>,
) -> Option<[Tensor<4>; 3]> {
    let [b, l, tripled] = qkv.dims();
    let c = tripled / 3;
    let hd = c / heads;
    let qkv = on_cpu(qkv)?;
    let qkv = numbers(&qkv);
    let biases = values(&biases())?;
    let (query_bias, rest) = biases.split_at(c);
    let (value_bias, temperatures) = rest.split_at(c);
    let rope = match rope {
        Some((cosines, sines)) => Some((values(cosines)?, values(sines)?)),
        None => None,
    };
    let part = |part: usize, bias: Option<&[f32]>, finish: &(dyn Fn(usize, usize, &mut [f32]) + Sync)| {
        let mut all = vec![0.0; b * l * c];
        each_piece(&mut all, l * hd, |index, piece| {
            let (image, head) = (index / heads, index % heads);
            for (token, row) in piece.chunks_mut(hd).enumerate() {
                row.copy_from_slice(&qkv[(image * l + token) * tripled + part * c + head * hd..][..hd]);
                if let Some(bias) = bias {
                    row.iter_mut().zip(&bias[head * hd..]).for_each(|(x, bias)| *x += bias);
                }
                finish(head, token, row);
            }
        });
        tensor(all, [b, heads, l, hd])
    };
    let rotate = |factor: f32, token: usize, row: &mut [f32]| {
        // The floor is that of the reference.
        let factor = factor / dot(row, row).max(1e-24).sqrt();
        let Some((cosines, sines)) = &rope else {
            return row.iter_mut().for_each(|x| *x *= factor);
        };
        let angles = cosines[token * hd / 2..].iter().zip(&sines[token * hd / 2..]);
        for (pair, (cosine, sine)) in row.as_chunks_mut::<2>().0.iter_mut().zip(angles) {
            let [x, y] = pair.map(|x| x * factor);
            *pair = [x * cosine - y * sine, x * sine + y * cosine];
        }
    };
    Some([
        part(0, Some(query_bias), &|head, token, row| {
            rotate(temperatures[head], token, row)
        }),
        part(1, None, &|_, token, row| rotate(1.0, token, row)),
        part(2, Some(value_bias), &|_, _, _| {}),
    ])
}
