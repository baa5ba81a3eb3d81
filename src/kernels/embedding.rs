//! Rows of an embedding table, which may be stored in f16: in f32 the table of Flan-T5-XL would not fit into one binding of WebGPU.

use super::matmul::WeightFormat;
use super::runtime::fallbacks::or_count;
use super::runtime::{ELEMENTWISE, NoKernel, Shader, allocate, gpu_f32, gpu_f32_always, gpu_int};
use burn::tensor::{Int, Tensor};
use burn_cubecl::Cube;

/// Rows `ids [L]` of `table [V, width]`, or of one in [`WeightFormat::F16`], to `[L, width]`.
pub fn embedding(table: &Tensor<2>, ids: Tensor<1, Int>, width: usize) -> Tensor<2> {
    or_count("embedding", launch(table, &ids, width)).unwrap_or_else(|| table.clone().select(0, ids))
}

fn launch(table: &Tensor<2>, ids: &Tensor<1, Int>, width: usize) -> Result<Tensor<2>, NoKernel> {
    let [_, words] = table.dims();
    let [length] = ids.dims();
    let f16 = WeightFormat::of(width, words) == Some(WeightFormat::F16);
    let table = if f16 { gpu_f32_always(table)? } else { gpu_f32(table)? };
    if !f16 && words != width {
        return Err(NoKernel::Unfit("weight format"));
    }
    if !width.is_multiple_of(4) {
        return Err(NoKernel::Unfit("width is no multiple of 4"));
    }
    let ids = gpu_int(ids)?;
    let result = allocate(&table, [length, width]);
    let shader = Shader {
        source: wgsl!("embedding.wgsl"),
        constants: vec![("F32", usize::from(!f16)), ("F16", usize::from(f16))],
        sizes: vec![("LENGTH", length), ("WIDTH", width / 4)],
        workgroup_size: ELEMENTWISE,
    };
    shader.launch_each(length * width / 4, &[&table, &ids, &result]);
    Ok(Tensor::from_primitive::<Cube>(result))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::matmul::quantized::dequantize;
    use crate::kernels::test_values as values;

    #[test]
    fn kernel_and_reference_agree() {
        for (tokens, width) in [(8, 32), (12, 96)] {
            for format in [WeightFormat::F32, WeightFormat::F16] {
                let [flex, wgpu] = golden::devices().map(|(name, device)| {
                    let table = format.quantize(values::<2>([tokens, width], &device).into_data());
                    let table = if name == "flex" {
                        dequantize(table, width)
                    } else {
                        table
                    };
                    let ids = Tensor::<1, Int>::from_ints([3, 0, 7, 3, 1], &device);
                    (Tensor::from_data(table, &device), ids)
                });
                let found = launch(&wgpu.0, &wgpu.1, width).expect("a kernel");
                let expected = embedding(&flex.0, flex.1, width);
                found.into_data().assert_eq(&expected.into_data(), true);
            }
        }
    }
}
