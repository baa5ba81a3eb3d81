//! Rows of an embedding table, which may be kept in f16: the table of Flan-T5-XL would not fit what WebGPU binds at once in f32.

use super::packed::Form;
use super::shader::{Shader, always_on_graphics, ints_on_graphics, on_graphics, room};
use burn::tensor::{Int, Tensor};
use burn_cubecl::Cube;

/// Invocations of a workgroup.
const LANES: usize = 64;

/// Rows `ids [L]` of `table [V, width]`, or of one that is [packed](super::packed) as f16, to `[L, width]`.
pub fn rows(table: &Tensor<2>, ids: Tensor<1, Int>, width: usize) -> Tensor<2> {
    shader(table, &ids, width).unwrap_or_else(|| table.clone().select(0, ids))
}

fn shader(table: &Tensor<2>, ids: &Tensor<1, Int>, width: usize) -> Option<Tensor<2>> {
    let [_, kept] = table.dims();
    let [length] = ids.dims();
    let halved = match Form::of(width, kept)? {
        Form::F32 => false,
        Form::F16 => true,
        Form::Q8 | Form::Q4 => return None,
    };
    if !width.is_multiple_of(4) {
        return None;
    }
    let table = if halved {
        always_on_graphics(table)?
    } else {
        on_graphics(table)?
    };
    let ids = ints_on_graphics(ids)?;
    let result = room(&table, [length, width]);
    let shader = Shader {
        name: "rows",
        source: include_str!("../../shaders/rows.wgsl"),
        constants: vec![("WHOLE", usize::from(!halved)), ("HALVED", usize::from(halved))],
        sizes: vec![("LENGTH", length), ("WIDTH", width / 4)],
        lanes: LANES as u32,
    };
    let groups = [(length * width / 4).div_ceil(LANES), 1, 1];
    shader.launch(groups, &[&table, &ids, &result]);
    Some(Tensor::from_primitive::<Cube>(result))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::packed::unpack;
    use crate::kernels::test_values as values;

    #[test]
    fn shader_and_twin_agree() {
        for (pieces, width) in [(8, 32), (12, 96)] {
            for form in [Form::F32, Form::F16] {
                let [flex, wgpu] = golden::devices().map(|(name, device)| {
                    let table = form.pack(values::<2>([pieces, width], &device).into_data());
                    let table = if name == "flex" { unpack(table, width) } else { table };
                    let ids = Tensor::<1, Int>::from_ints([3, 0, 7, 3, 1], &device);
                    (Tensor::from_data(table, &device), ids)
                });
                let found = shader(&wgpu.0, &wgpu.1, width).expect("a shader");
                let expected = rows(&flex.0, flex.1, width);
                found.into_data().assert_eq(&expected.into_data(), true);
            }
        }
    }
}
