//! Bits sampled from logits, with guidance and temperature.

use crate::kernels::reference::bits::differences;
use crate::kernels::runtime::fallbacks::or_count;
use crate::kernels::runtime::{ELEMENTWISE, NoKernel, Shader, allocate, allocate_as, float_bits, gpu_f32};
use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;

/// How bits are sampled.
pub struct BitSampling {
    /// Guidance: the second half of the batch is the unconditional one.
    pub cfg: Option<f64>,
    pub tau: f64,
    /// A bit is 1 where its difference exceeds its threshold `[B, L, d]`; none is greedy.
    pub thresholds: Option<Tensor<3>>,
    /// A bit whose less likely value has probability at most `1 - top_p` takes the other one; 0 turns it off.
    pub top_p: f64,
}

/// Bits `[B, L, d]` of `logits [B or 2B, L, 2d]`, and the logits `[B, L, 2d]` that they were sampled from.
pub fn sample_bits(logits: Tensor<3>, how: &BitSampling) -> (Tensor<3, Int>, Tensor<3>) {
    or_count("sample bits", launch(&logits, how)).unwrap_or_else(|| reference(logits, how))
}

fn reference(logits: Tensor<3>, how: &BitSampling) -> (Tensor<3, Int>, Tensor<3>) {
    let logits = guided(logits, how.cfg) / how.tau;
    let difference = differences(logits.clone());
    let greedy = difference.clone().greater_scalar(0.0);
    let sampled = match &how.thresholds {
        None => greedy,
        Some(thresholds) => {
            let sampled = difference.clone().greater(thresholds.clone());
            if how.top_p == 0.0 {
                sampled
            } else {
                // The less likely value has probability sigmoid(-|D|).
                let unlikely = burn::tensor::activation::sigmoid(-difference.abs());
                sampled.mask_where(unlikely.lower_equal_scalar(1.0 - how.top_p), greedy)
            }
        }
    };
    (sampled.int(), logits)
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

fn launch(logits: &Tensor<3>, how: &BitSampling) -> Result<(Tensor<3, Int>, Tensor<3>), NoKernel> {
    let [rows, l, channels] = logits.dims();
    let batch = if how.cfg.is_some() { rows / 2 } else { rows };
    let logits = gpu_f32(logits)?;
    let thresholds = match &how.thresholds {
        Some(thresholds) => Some(gpu_f32(thresholds)?),
        None => None,
    };
    let d = channels / 2;
    let count = batch * l * d;
    let guided = allocate(&logits, [batch, l, channels]);
    let sampled = allocate_as(&logits, [batch, l, d], DType::I32);
    let cfg = how.cfg.unwrap_or(1.0);
    // No value is as unlikely as a negative probability.
    let unlikely = if how.top_p == 0.0 { -1.0 } else { 1.0 - how.top_p };
    let shader = Shader {
        source: wgsl!("sampling/sample_bits.wgsl"),
        constants: vec![
            ("GUIDED", usize::from(how.cfg.is_some())),
            ("RANDOM", usize::from(thresholds.is_some())),
        ],
        sizes: vec![
            ("BITS", count),
            ("CFG", float_bits(cfg)),
            ("REST", float_bits(1.0 - cfg)),
            ("TAU", float_bits(how.tau)),
            ("UNLIKELY", float_bits(unlikely)),
        ],
        workgroup_size: ELEMENTWISE,
    };
    let buffers: Vec<&CubeTensor> = [&logits, &guided, &sampled].into_iter().chain(&thresholds).collect();
    shader.launch_each(count, &buffers);
    let (sampled, guided) = (
        Tensor::from_primitive::<Cube>(sampled),
        Tensor::from_primitive::<Cube>(guided),
    );
    Ok((sampled, guided))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::test_values as values;
    use burn::tensor::Tolerance;

    fn ints(x: Tensor<3, Int>) -> Vec<i32> {
        x.into_data().iter::<i32>().collect()
    }

    #[test]
    fn sampled_bits_agree() {
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
                    let how = BitSampling {
                        cfg,
                        tau: 0.73,
                        thresholds: random.then(|| values([batch, l, d], &device) * 1.37 + 0.011),
                        top_p,
                    };
                    (values([rows, l, 2 * d], &device) * 0.91, how)
                });
                let found = launch(&wgpu.0, &wgpu.1).expect("a kernel");
                let expected = sample_bits(flex.0, &flex.1);
                assert_eq!(ints(found.0), ints(expected.0), "{batch} x {l} x {d}, {cfg:?}, {top_p}");
                let expected = expected.1.into_data();
                found
                    .1
                    .into_data()
                    .assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-4));
            }
        }
    }
}
