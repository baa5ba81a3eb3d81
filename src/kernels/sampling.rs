//! From the logits of a scale to the tokens of the next: guidance, temperature and the draw; codes added to the running sum;
//! the sum resized. Three dispatches, and one that packs bits to be read back, where burn's operations take about forty.

use super::shader::{Shader, bits as float, in_use, ints_on_graphics, on_graphics, room, room_of};
use crate::model::bits;
use crate::model::resize::{Resize, patchify};
use crate::model::schedule::Grid;
use crate::model::transformer::differences;
use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;

/// Invocations of a workgroup.
const LANES: usize = 64;

/// How bits are drawn.
pub struct Draw {
    /// Guidance: the second half of the batch is the unconditional one.
    pub cfg: Option<f64>,
    pub tau: f64,
    /// A bit is 1 where its difference exceeds its threshold `[B, L, d]`; none is greedy.
    pub thresholds: Option<Tensor<3>>,
    /// A bit whose less likely value has probability at most `1 - top_p` takes the other one; 0 turns it off.
    pub top_p: f64,
}

/// Bits `[B, L, d]` of `logits [B or 2B, L, 2d]`, and the logits `[B, L, 2d]` that they were drawn from.
pub fn draw(logits: Tensor<3>, how: &Draw) -> (Tensor<3, Int>, Tensor<3>) {
    draw_shader(&logits, how).unwrap_or_else(|| draw_twin(logits, how))
}

/// The same in plain tensor operations.
pub fn draw_twin(logits: Tensor<3>, how: &Draw) -> (Tensor<3, Int>, Tensor<3>) {
    let logits = guided(logits, how.cfg) / how.tau;
    let difference = differences(logits.clone());
    let greedy = difference.clone().greater_scalar(0.0);
    let drawn = match &how.thresholds {
        None => greedy,
        Some(thresholds) => {
            let drawn = difference.clone().greater(thresholds.clone());
            if how.top_p == 0.0 {
                drawn
            } else {
                // The less likely value has probability sigmoid(-|D|).
                let unlikely = burn::tensor::activation::sigmoid(-difference.abs());
                drawn.mask_where(unlikely.lower_equal_scalar(1.0 - how.top_p), greedy)
            }
        }
    };
    (drawn.int(), logits)
}

/// `cfg x_c + (1 - cfg) x_u` of both halves of a batch.
pub fn guided(x: Tensor<3>, cfg: Option<f64>) -> Tensor<3> {
    let Some(cfg) = cfg else {
        return x;
    };
    let batch = x.dims()[0] / 2;
    let half = |start: usize| x.clone().narrow(0, start, batch);
    half(0) * cfg + half(batch) * (1.0 - cfg)
}

fn draw_shader(logits: &Tensor<3>, how: &Draw) -> Option<(Tensor<3, Int>, Tensor<3>)> {
    let [rows, l, channels] = logits.dims();
    let batch = if how.cfg.is_some() { rows / 2 } else { rows };
    let logits = on_graphics(logits)?;
    let thresholds = match &how.thresholds {
        Some(thresholds) => Some(on_graphics(thresholds)?),
        None => None,
    };
    let d = channels / 2;
    let count = batch * l * d;
    let guided = room(&logits, [batch, l, channels]);
    let drawn = room_of(&logits, [batch, l, d], DType::I32);
    let cfg = how.cfg.unwrap_or(1.0);
    // No value is as unlikely as a negative probability.
    let unlikely = if how.top_p == 0.0 { -1.0 } else { 1.0 - how.top_p };
    let shader = Shader {
        name: "draw_bits",
        source: include_str!("../../shaders/draw_bits.wgsl"),
        constants: vec![
            ("MIXED", usize::from(how.cfg.is_some())),
            ("RANDOM", usize::from(thresholds.is_some())),
        ],
        sizes: vec![
            ("BITS", count),
            ("CFG", float(cfg)),
            ("REST", float(1.0 - cfg)),
            ("TAU", float(how.tau)),
            ("UNLIKELY", float(unlikely)),
        ],
        lanes: LANES as u32,
    };
    let buffers: Vec<&CubeTensor> = [&logits, &guided, &drawn].into_iter().chain(&thresholds).collect();
    shader.launch([count.div_ceil(LANES), 1, 1], &buffers);
    let (drawn, guided) = (
        Tensor::from_primitive::<Cube>(drawn),
        Tensor::from_primitive::<Cube>(guided),
    );
    Some((drawn, guided))
}

/// `F_k`: the codes of `bits [B, L, d]`, of length `scale` a component, grown and added to `sum [B, C, H, W]`; `grid` is that of the
/// tokens, which stand for one latent position each, or four.
pub fn add_codes(sum: Tensor<4>, bits: &Tensor<3, Int>, grid: Grid, patched: bool, scale: f64) -> Tensor<4> {
    let added = add_codes_shader(&sum, bits, grid, patched, scale);
    added.unwrap_or_else(|| add_codes_twin(sum, bits, grid, patched, scale))
}

/// The same in plain tensor operations.
pub fn add_codes_twin(sum: Tensor<4>, bits: &Tensor<3, Int>, grid: Grid, patched: bool, scale: f64) -> Tensor<4> {
    let [_, _, height, width] = sum.dims();
    let codes = bits::codes(bits::from_tokens(bits.clone(), grid, patched), scale);
    sum + Resize::Bilinear.apply(codes, (height, width))
}

fn add_codes_shader(
    sum: &Tensor<4>,
    bits: &Tensor<3, Int>,
    (h, w): Grid,
    patched: bool,
    scale: f64,
) -> Option<Tensor<4>> {
    let [batch, channels, height, width] = sum.dims();
    let (before, drawn) = (on_graphics(sum)?, ints_on_graphics(bits)?);
    let after = room(&before, [batch, channels, height, width]);
    let positions = 1 + usize::from(patched);
    let shader = Shader {
        name: "add_codes",
        source: concat!(
            include_str!("../../shaders/bilinear.wgsl"),
            include_str!("../../shaders/add_codes.wgsl")
        ),
        constants: vec![],
        sizes: vec![
            ("BATCH", batch),
            ("CHANNELS", channels),
            ("HEIGHT", height),
            ("WIDTH", width),
            ("H_K", h * positions),
            ("W_K", w * positions),
            ("P", positions),
            ("SCALE", float(scale)),
        ],
        lanes: LANES as u32,
    };
    let numbers = batch * channels * height * width;
    shader.launch([numbers.div_ceil(LANES), 1, 1], &[&before, &drawn, &after]);
    Some(Tensor::from_primitive::<Cube>(after))
}

/// Tokens `[times B, L, d]` of `F~_k` from `F_k [B, C, H, W]` for a next scale of `grid` latent positions, `times` over.
pub fn next_tokens(sum: &Tensor<4>, grid: Grid, patched: bool, times: usize) -> Tensor<3> {
    next_tokens_shader(sum, grid, patched, times).unwrap_or_else(|| next_tokens_twin(sum, grid, patched, times))
}

/// The same in plain tensor operations.
pub fn next_tokens_twin(sum: &Tensor<4>, grid: Grid, patched: bool, times: usize) -> Tensor<3> {
    let next = Resize::Bilinear.apply(sum.clone(), grid);
    let next = if patched { patchify(next) } else { next };
    let tokens = next.flatten::<3>(2, 3).swap_dims(1, 2);
    match times {
        1 => tokens,
        _ => Tensor::cat(vec![tokens; times], 0),
    }
}

fn next_tokens_shader(sum: &Tensor<4>, (h, w): Grid, patched: bool, times: usize) -> Option<Tensor<3>> {
    let [batch, channels, height, width] = sum.dims();
    let sum = on_graphics(sum)?;
    let positions = 1 + usize::from(patched);
    let each = positions * positions;
    let tokens = room(&sum, [times * batch, h * w / each, channels * each]);
    let shader = Shader {
        name: "next_tokens",
        source: concat!(
            include_str!("../../shaders/bilinear.wgsl"),
            include_str!("../../shaders/next_tokens.wgsl")
        ),
        constants: vec![],
        sizes: vec![
            ("BATCH", batch),
            ("CHANNELS", channels),
            ("HEIGHT", height),
            ("WIDTH", width),
            ("H_K", h),
            ("W_K", w),
            ("P", positions),
            ("TIMES", times),
        ],
        lanes: LANES as u32,
    };
    let numbers = times * batch * channels * h * w;
    shader.launch([numbers.div_ceil(LANES), 1, 1], &[&sum, &tokens]);
    Some(Tensor::from_primitive::<Cube>(tokens))
}

/// Bits `[B, L, d]` as words `[B, L, ceil(d / 32)]`, see [`bits::pack`]; none where no shader fits.
pub fn pack(bits: &Tensor<3, Int>) -> Option<Tensor<3, Int>> {
    let [batch, l, d] = bits.dims();
    let drawn = in_use().then(|| ints_on_graphics(bits)).flatten()?;
    let words = d.div_ceil(bits::WORD);
    let packed = room_of(&drawn, [batch, l, words], DType::I32);
    let shader = Shader {
        name: "pack_bits",
        source: include_str!("../../shaders/pack_bits.wgsl"),
        constants: vec![],
        sizes: vec![("TOKENS", batch * l), ("DEPTH", d)],
        lanes: LANES as u32,
    };
    shader.launch([(batch * l * words).div_ceil(LANES), 1, 1], &[&drawn, &packed]);
    Some(Tensor::from_primitive::<Cube>(packed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::test_values as values;
    use burn::tensor::{Device, Tolerance};

    /// Bits without a pattern.
    fn some_bits(shape: [usize; 3], device: &Device) -> Tensor<3, Int> {
        values(shape, device).greater_scalar(0.1).int()
    }

    fn ints(x: Tensor<3, Int>) -> Vec<i32> {
        x.into_data().iter::<i32>().collect()
    }

    #[test]
    fn draws_agree() {
        for (batch, l, d) in [(1, 1, 4), (2, 9, 14), (1, 64, 32)] {
            for (cfg, random, top_p) in [
                (None, true, 0.0),
                (Some(3.0), true, 0.0),
                (Some(0.7), true, 0.6),
                (Some(2.0), false, 0.0),
            ] {
                let [flex, wgpu] = golden::devices().map(|(_, device)| {
                    let rows = if cfg.is_some() { 2 * batch } else { batch };
                    // Odd factors, so that no difference is just its threshold.
                    let how = Draw {
                        cfg,
                        tau: 0.73,
                        thresholds: random.then(|| values([batch, l, d], &device) * 1.37 + 0.011),
                        top_p,
                    };
                    (values([rows, l, 2 * d], &device) * 0.91, how)
                });
                let found = draw_shader(&wgpu.0, &wgpu.1).expect("a shader");
                let expected = draw(flex.0, &flex.1);
                assert_eq!(ints(found.0), ints(expected.0), "{batch} x {l} x {d}, {cfg:?}, {top_p}");
                let expected = expected.1.into_data();
                found
                    .1
                    .into_data()
                    .assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-4));
            }
        }
    }

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
                    let bits = some_bits([batch, grid.0 * grid.1, channels * each], &device);
                    (values([batch, channels, h, w], &device), bits)
                });
                let sum = add_codes_shader(&wgpu.0, &wgpu.1, grid, patched, 0.25).expect("a shader");
                let tokens = next_tokens_shader(&sum, next, patched, times).expect("a shader");
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

    #[test]
    fn packed_bits_agree() {
        let [(_, flex), (_, wgpu)] = golden::devices();
        for (batch, l, d) in [(1, 1, 1), (2, 5, 14), (1, 9, 32), (2, 3, 33), (1, 70, 64)] {
            let found = pack(&some_bits([batch, l, d], &wgpu)).expect("a shader");
            assert_eq!(
                ints(found),
                ints(bits::pack(some_bits([batch, l, d], &flex))),
                "d = {d}"
            );
        }
    }
}
