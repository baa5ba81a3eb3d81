//! The linear layer for inference: `x W^T + b` and its epilogue in one dispatch.

use super::differentiable::linear_with_autodiff;
use super::quantized::WeightFormat;
use super::variant::{LinearVariant, Workload};
use crate::kernels::activation::gelu;
use crate::kernels::reference::norm::modulation_part;
use crate::kernels::runtime::fallbacks::or_count;
use crate::kernels::runtime::{NoKernel, Shader, allocate, gpu_f32, gpu_f32_always, has_fast_workgroup_memory};
use burn::tensor::Tensor;
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;

/// A factor on the result: part `part` of a block's table `[1, 1, 6, N]` plus the prompt's `[B, 1, 6, N]`.
#[derive(Clone)]
pub struct Gate {
    pub table: Tensor<4>,
    pub prompt: Tensor<4>,
    pub part: usize,
}

/// What is computed on the result of `x W^T + b` before it is stored.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "made once per call, and never stored")]
pub enum Epilogue {
    None,
    Gelu,
    /// The result is multiplied with this, which has its shape.
    Multiply(Tensor<3>),
    /// The result, times the gate if there is one, is added to this, which has its shape.
    Residual(Tensor<3>, Option<Gate>),
}

/// `x [B, L, K]`, `weight [N, K]`, which may be [quantized](super::quantized), and `bias [N]` to `[B, L, N]`.
pub fn linear(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>, epilogue: Epilogue) -> Tensor<3> {
    let ([b, l, k], [n, _]) = (x.dims(), weight.dims());
    let launched = linear_with(LinearVariant::chosen(b * l), &x, &weight, bias.as_ref(), &epilogue);
    if let Some(y) = or_count("linear", launched) {
        return y;
    }
    if has_fast_workgroup_memory() {
        let launched = linear_with_autodiff(&x.clone().reshape([b * l, k]), &weight, bias.as_ref());
        if let Some(y) = or_count("matmul", launched) {
            return epilogue_reference(y.reshape([b, l, n]), epilogue);
        }
    }
    linear_reference(x, weight, bias, epilogue)
}

/// The reference implementation, for weights that are not quantized.
pub fn linear_reference(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>, epilogue: Epilogue) -> Tensor<3> {
    epilogue_reference(burn::tensor::module::linear(x, weight.transpose(), bias), epilogue)
}

fn epilogue_reference(y: Tensor<3>, epilogue: Epilogue) -> Tensor<3> {
    match epilogue {
        Epilogue::None => y,
        Epilogue::Gelu => gelu(y),
        Epilogue::Multiply(factor) => y * factor,
        Epilogue::Residual(residual, None) => residual + y,
        Epilogue::Residual(residual, Some(Gate { table, prompt, part })) => {
            residual + y * modulation_part(Some(&table), &prompt, part)
        }
    }
}

/// As [`linear`] with one kernel variant.
pub fn linear_with(
    variant: LinearVariant,
    x: &Tensor<3>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
    epilogue: &Epilogue,
) -> Result<Tensor<3>, NoKernel> {
    let [b, l, k] = x.dims();
    let [n, words] = weight.dims();
    let rows = b * l;
    let format = WeightFormat::of(k, words);
    // Quantized weights have no reference to switch to.
    let read = match format {
        Some(WeightFormat::F32) => gpu_f32,
        _ => gpu_f32_always,
    };
    let (x, weight) = (read(x)?, gpu_f32_always(weight)?);
    let format = format.ok_or(NoKernel::Unfit("weight format"))?;
    if !k.is_multiple_of(4) || !n.is_multiple_of(4) {
        return Err(NoKernel::Unfit("K or N is no multiple of 4"));
    }
    let mut extras: Vec<CubeTensor> = Vec::new();
    if let Some(bias) = bias {
        extras.push(gpu_f32_always(bias)?);
    }
    let mut gate_part = None;
    if let Epilogue::Multiply(other) | Epilogue::Residual(other, _) = epilogue {
        extras.push(gpu_f32_always(other)?);
    }
    if let Epilogue::Residual(_, Some(Gate { table, prompt, part })) = epilogue {
        extras.extend([gpu_f32_always(table)?, gpu_f32_always(prompt)?]);
        gate_part = Some(*part);
    }
    let y = allocate(&x, [b, l, n]);
    let compiled = Compiled {
        format,
        bias: bias.is_some(),
        gelu: matches!(epilogue, Epilogue::Gelu),
        multiply: matches!(epilogue, Epilogue::Multiply(_)),
        residual: matches!(epilogue, Epilogue::Residual(..)),
        gated: gate_part.is_some(),
    };
    let (shader, workgroups) = compiled.shader(variant, [rows, k, n], [l, gate_part.unwrap_or(0)]);
    let buffers: Vec<&CubeTensor> = [&x, &weight, &y].into_iter().chain(&extras).collect();
    shader.launch(workgroups, &buffers);
    Ok(Tensor::from_primitive::<Cube>(y))
}

/// What a shader of the linear layer is compiled for.
struct Compiled {
    format: WeightFormat,
    bias: bool,
    gelu: bool,
    multiply: bool,
    residual: bool,
    gated: bool,
}

impl Compiled {
    /// The shader of a variant, and its workgroups, for `rows` of K to N numbers, `length` rows of an image and part `gate` of its
    /// modulation.
    fn shader(
        &self,
        variant: LinearVariant,
        [rows, k, n]: [usize; 3],
        [length, gate]: [usize; 2],
    ) -> (Shader, [usize; 3]) {
        let Workload {
            mut constants,
            workgroup_size,
            workgroups,
        } = variant.workload(rows, n / 4);
        let is = |format: WeightFormat| usize::from(self.format == format);
        constants.extend([
            ("F32", is(WeightFormat::F32)),
            ("F16", is(WeightFormat::F16)),
            ("BLOCKS", is(WeightFormat::Q8) + is(WeightFormat::Q4)),
            ("Q8", is(WeightFormat::Q8)),
            ("Q4", is(WeightFormat::Q4)),
            ("BIAS", usize::from(self.bias)),
            ("GELU", usize::from(self.gelu)),
            ("MULTIPLY", usize::from(self.multiply)),
            ("RESIDUAL", usize::from(self.residual)),
            ("GATED", usize::from(self.gated)),
        ]);
        // From row to row of the weight, in elements of the shader's array, and where a row's scales begin.
        let (stride, scales) = match self.format {
            WeightFormat::F32 | WeightFormat::F16 => (k / 4, 0),
            WeightFormat::Q8 => (self.format.words(k).unwrap_or(k), k / 4),
            WeightFormat::Q4 => (self.format.words(k).unwrap_or(k), k / 8),
        };
        let shader = Shader {
            source: variant.source(),
            constants,
            sizes: vec![
                ("R", rows),
                ("N", n / 4),
                ("K", k / 4),
                ("LENGTH", length),
                ("GATE", gate),
                ("STRIDE", stride),
                ("SCALES", scales),
            ],
            workgroup_size: workgroup_size as u32,
        };
        (shader, workgroups)
    }
}

/// A kernel variant for use without the engine: `y = x W^T`, with buffers x, W and y and the uniform of sizes behind them.
pub struct Standalone {
    pub wgsl: String,
    pub sizes: Vec<usize>,
    pub workgroups: [usize; 3],
}

/// The variant for `rows` of K to N numbers, both multiples of 4, in f32.
pub fn standalone(variant: LinearVariant, rows: usize, k: usize, n: usize) -> Standalone {
    let plain = Compiled {
        format: WeightFormat::F32,
        bias: false,
        gelu: false,
        multiply: false,
        residual: false,
        gated: false,
    };
    let (shader, workgroups) = plain.shader(variant, [rows, k, n], [rows, 0]);
    Standalone {
        wgsl: shader.wgsl(3),
        sizes: shader.sizes.iter().map(|&(_, size)| size).collect(),
        workgroups,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::matmul::quantized::dequantize;
    use crate::kernels::runtime::Variant;
    use crate::kernels::runtime::fallbacks::{self, Fallback};
    use crate::kernels::test_values as values;
    use burn::tensor::{Device, Tolerance};

    /// Nothing, GELU, a factor, a residual, and a residual behind a gate.
    fn epilogue(kind: usize, [b, l, n]: [usize; 3], device: &Device) -> Epilogue {
        let residual = values([b, l, n], device) * 0.9;
        let gate = Gate {
            table: values([1, 1, 6, n], device),
            prompt: values([b, 1, 6, n], device) * 0.8,
            part: 4,
        };
        match kind {
            0 => Epilogue::None,
            1 => Epilogue::Gelu,
            2 => Epilogue::Multiply(residual),
            3 => Epilogue::Residual(residual, None),
            _ => Epilogue::Residual(residual, Some(gate)),
        }
    }

    fn assert_close(found: Tensor<3>, expected: Tensor<3>) {
        let expected = expected.into_data();
        let limit = Tolerance::absolute(1e-3);
        found.into_data().assert_approx_eq::<f32>(&expected, limit);
    }

    #[test]
    fn every_variant_agrees_with_the_reference() {
        let shapes = [
            (1, 1, 4, 4),
            (2, 1, 32, 48),
            (2, 9, 100, 8),
            (3, 5, 64, 132),
            (1, 70, 256, 36),
        ];
        for (b, l, k, n) in shapes {
            for (bias, kind) in [
                (false, 0),
                (true, 0),
                (true, 1),
                (true, 2),
                (false, 2),
                (true, 3),
                (false, 3),
                (true, 4),
                (false, 4),
            ] {
                let [flex, wgpu] = golden::devices().map(|(_, device)| {
                    let bias = bias.then(|| values([n], &device));
                    let epilogue = epilogue(kind, [b, l, n], &device);
                    (
                        values([b, l, k], &device),
                        values([n, k], &device) * 0.9,
                        bias,
                        epilogue,
                    )
                });
                let expected = linear(flex.0, flex.1, flex.2, flex.3);
                // The epilogue is the same code in every variant, and takes long to compile.
                let variants = if bias && kind % 3 == 1 {
                    LinearVariant::ALL
                } else {
                    &LinearVariant::ALL[..1]
                };
                for &variant in variants {
                    let found = linear_with(variant, &wgpu.0, &wgpu.1, wgpu.2.as_ref(), &wgpu.3).expect("a kernel");
                    assert_close(found, expected.clone());
                }
            }
        }
    }

    #[test]
    fn every_variant_reads_quantized_weights() {
        let [(_, flex), (_, wgpu)] = golden::devices();
        for (b, l, k, n) in [(2, 1, 32, 8), (1, 19, 96, 12), (2, 40, 256, 68)] {
            let weight = (values([n, k], &flex) * 0.9).into_data();
            for format in [WeightFormat::F16, WeightFormat::Q8, WeightFormat::Q4] {
                let packed = format.quantize(weight.clone());
                let numbers = Tensor::from_data(dequantize(packed.clone(), k), &flex);
                let bias = |device: &Device| Some(values([n], device));
                let expected = linear_reference(
                    values([b, l, k], &flex),
                    numbers,
                    bias(&flex),
                    epilogue(4, [b, l, n], &flex),
                );
                let (x, packed) = (values([b, l, k], &wgpu), Tensor::from_data(packed, &wgpu));
                for &variant in LinearVariant::ALL {
                    let epilogue = epilogue(4, [b, l, n], &wgpu);
                    let found = linear_with(variant, &x, &packed, bias(&wgpu).as_ref(), &epilogue).expect("a kernel");
                    assert_close(found, expected.clone());
                }
            }
        }
    }

    #[test]
    fn what_no_kernel_takes_says_why() {
        let [_, (_, device)] = golden::devices();
        let run = |device: &Device, k: usize, shape: [usize; 2]| {
            let (x, weight) = (values([1, 1, k], device), values(shape, device));
            linear_with(LinearVariant::ALL[0], &x, &weight, None, &Epilogue::None).err()
        };
        assert_eq!(run(&device, 64, [4, 33]), Some(NoKernel::Unfit("weight format")));
        let alignment = Some(NoKernel::Unfit("K or N is no multiple of 4"));
        assert_eq!(run(&device, 6, [4, 6]), alignment);
        assert_eq!(run(&device, 8, [3, 8]), alignment);
        assert_eq!(run(&device, 8, [4, 8]), None);
        // No kernel is meant to run here, so nothing is to be counted.
        assert_eq!(run(&Device::flex(), 64, [4, 33]), Some(NoKernel::ByChoice));
        assert_eq!(run(&device.autodiff(), 6, [4, 6]), Some(NoKernel::ByChoice));
    }

    #[test]
    fn fallbacks_on_the_gpu_are_counted() {
        let run = |device: &Device| {
            fallbacks::take();
            linear(values([1, 2, 6], device), values([5, 6], device), None, Epilogue::None);
            linear(values([1, 2, 8], device), values([4, 8], device), None, Epilogue::None);
            fallbacks::take()
        };
        let [(_, flex), (_, wgpu)] = golden::devices();
        let reason = "K or N is no multiple of 4";
        assert_eq!(
            run(&wgpu),
            [Fallback {
                op: "linear",
                reason,
                count: 1
            }]
        );
        assert_eq!([run(&flex), run(&wgpu.autodiff())], [[], []]);
    }
}
