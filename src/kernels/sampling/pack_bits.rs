//! Bits packed into words, to be read back.

use crate::kernels::reference;
use crate::kernels::reference::bits::WORD;
use crate::kernels::runtime::fallbacks::or_count;
use crate::kernels::runtime::{ELEMENTWISE, NoKernel, Shader, allocate_as, gpu_int, kernels_enabled};
use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::Cube;

/// Bits `[B, L, d]` as words `[B, L, ceil(d / 32)]`: [`reference::bits::pack`].
pub fn pack_bits(bits: Tensor<3, Int>) -> Tensor<3, Int> {
    or_count("pack bits", launch(&bits)).unwrap_or_else(|| reference::bits::pack(bits))
}

fn launch(bits: &Tensor<3, Int>) -> Result<Tensor<3, Int>, NoKernel> {
    if !kernels_enabled() {
        return Err(NoKernel::ByChoice);
    }
    let [batch, l, d] = bits.dims();
    let bits = gpu_int(bits)?;
    let words = d.div_ceil(WORD);
    let packed = allocate_as(&bits, [batch, l, words], DType::I32);
    let shader = Shader {
        source: wgsl!("sampling/pack_bits.wgsl"),
        constants: vec![],
        sizes: vec![("TOKENS", batch * l), ("DEPTH", d)],
        workgroup_size: ELEMENTWISE,
    };
    shader.launch_each(batch * l * words, &[&bits, &packed]);
    Ok(Tensor::from_primitive::<Cube>(packed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::test_values as values;
    use burn::tensor::Device;

    /// Bits without a pattern.
    fn some_bits(shape: [usize; 3], device: &Device) -> Tensor<3, Int> {
        values(shape, device).greater_scalar(0.1).int()
    }

    fn ints(x: Tensor<3, Int>) -> Vec<i32> {
        x.into_data().iter::<i32>().collect()
    }

    #[test]
    fn packed_bits_agree() {
        let [(_, flex), (_, wgpu)] = golden::devices();
        for (batch, l, d) in [(1, 1, 1), (2, 5, 14), (1, 9, 32), (2, 3, 33), (1, 70, 64)] {
            let found = launch(&some_bits([batch, l, d], &wgpu)).expect("a kernel");
            assert_eq!(
                ints(found),
                ints(reference::bits::pack(some_bits([batch, l, d], &flex))),
                "d = {d}"
            );
        }
    }
}
