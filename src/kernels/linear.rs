//! Products with the weights of a layer, and what follows them, in one dispatch.

use super::norm::part;
use super::packed::Form;
use super::product;
use super::shader::{Constants, Shader, always_on_graphics, on_graphics, room, staged};
use super::tuning;
use crate::model::nn::gelu;
use burn::tensor::Tensor;
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;

/// How a shader computes a product; [`tuning`] chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Every invocation by itself, 8 x 4 results in registers.
    Registers,
    /// The same with 16 x 16 results.
    WideRegisters,
    /// Workgroups that stage operands for 32 x 32 results.
    Tiles,
    /// The same for 64 x 64 results.
    WideTiles,
    /// Workgroups that share K among their invocations, for few rows.
    Few,
}

impl Way {
    pub const ALL: [Self; 5] = [
        Self::Registers,
        Self::WideRegisters,
        Self::Tiles,
        Self::WideTiles,
        Self::Few,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Registers => "registers",
            Self::WideRegisters => "wide-registers",
            Self::Tiles => "tiles",
            Self::WideTiles => "wide-tiles",
            Self::Few => "few",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name() == name)
    }

    fn source(self) -> &'static str {
        match self {
            Self::Registers | Self::WideRegisters => concat!(
                include_str!("../../shaders/linear.wgsl"),
                include_str!("../../shaders/linear_registers.wgsl")
            ),
            Self::Tiles | Self::WideTiles => concat!(
                include_str!("../../shaders/linear.wgsl"),
                include_str!("../../shaders/linear_tiles.wgsl")
            ),
            Self::Few => concat!(
                include_str!("../../shaders/linear.wgsl"),
                include_str!("../../shaders/linear_few.wgsl")
            ),
        }
    }

    /// What the shader is unrolled by, its invocations, and its workgroups for `rows` times `fours` times four results.
    fn layout(self, rows: usize, fours: usize) -> (Constants, usize, [usize; 3]) {
        match self {
            Self::Registers | Self::WideRegisters => {
                let (most, across, lanes) = if self == Self::Registers {
                    (8, 1, 64)
                } else {
                    (16, 4, 8)
                };
                // No more rows than there are: two are one image's first scale, with and without the prompt.
                let tile = [2, 8].into_iter().find(|&few| rows <= few).unwrap_or(most);
                let groups = [fours.div_ceil(across).div_ceil(lanes), rows.div_ceil(tile), 1];
                (vec![("ROWS", tile), ("FOURS", across)], lanes, groups)
            }
            Self::Tiles | Self::WideTiles => {
                let (each, side) = (if self == Self::Tiles { 1 } else { 2 }, 8);
                let groups = [fours.div_ceil(each * side), rows.div_ceil(4 * each * side), 1];
                let constants = vec![("ROWS", each), ("COLUMNS", each), ("ACROSS", side), ("DOWN", side)];
                (constants, side * side, groups)
            }
            Self::Few => {
                let tile = if rows <= 2 { 2 } else { 8 };
                (vec![("ROWS", tile)], 64, [fours, rows.div_ceil(tile), 1])
            }
        }
    }
}

/// A factor on the result: part `part` of a block's table `[1, 1, 6, N]` plus the prompt's `[B, 1, 6, N]`.
#[derive(Clone)]
pub struct Gate {
    pub table: Tensor<4>,
    pub prompt: Tensor<4>,
    pub part: usize,
}

/// What follows `x W^T + b`.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "made once per product, and never kept")]
pub enum After {
    Nothing,
    Gelu,
    /// The result is multiplied with this, which has its shape.
    Times(Tensor<3>),
    /// The result is added to this, which has its shape; behind the gate, if there is one.
    Residual(Tensor<3>, Option<Gate>),
}

/// `x [B, L, K]`, `weight [N, K]`, which may be [`packed`](super::packed), and `bias [N]` to `[B, L, N]`.
pub fn linear(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>, after: After) -> Tensor<3> {
    let ([b, l, k], [n, _]) = (x.dims(), weight.dims());
    if let Some(y) = linear_by(tuning::way(b * l), &x, &weight, bias.as_ref(), &after) {
        return y;
    }
    let product = staged().then(|| product::trained(&x.clone().reshape([b * l, k]), &weight, bias.as_ref()));
    let product = product.flatten().map(|y| y.reshape([b, l, n]));
    match product {
        Some(y) => follow(y, after),
        None => twin(x, weight, bias, after),
    }
}

/// The same in plain tensor operations, for weights that are not packed.
pub fn twin(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>, after: After) -> Tensor<3> {
    follow(burn::tensor::module::linear(x, weight.transpose(), bias), after)
}

fn follow(y: Tensor<3>, after: After) -> Tensor<3> {
    match after {
        After::Nothing => y,
        After::Gelu => gelu(y),
        After::Times(factor) => y * factor,
        After::Residual(residual, None) => residual + y,
        After::Residual(residual, Some(gate)) => residual + y * part(Some(&gate.table), &gate.prompt, gate.part),
    }
}

/// As [`linear`] by one way; none where no shader fits.
pub fn linear_by(
    way: Way,
    x: &Tensor<3>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
    after: &After,
) -> Option<Tensor<3>> {
    let [b, l, k] = x.dims();
    let [n, words] = weight.dims();
    let rows = b * l;
    let form = Form::of(k, words)?;
    if !k.is_multiple_of(4) || !n.is_multiple_of(4) {
        return None;
    }
    // There is no twin for packed weights.
    let given = if form == Form::F32 {
        on_graphics
    } else {
        always_on_graphics
    };
    let (x, weight) = (given(x)?, always_on_graphics(weight)?);
    let mut extras: Vec<CubeTensor> = Vec::new();
    if let Some(bias) = bias {
        extras.push(always_on_graphics(bias)?);
    }
    let mut gate_part = None;
    if let After::Times(other) | After::Residual(other, _) = after {
        extras.push(always_on_graphics(other)?);
    }
    if let After::Residual(_, Some(Gate { table, prompt, part })) = after {
        extras.extend([always_on_graphics(table)?, always_on_graphics(prompt)?]);
        gate_part = Some(*part);
    }
    let y = room(&x, [b, l, n]);
    let (mut constants, lanes, groups) = way.layout(rows, n / 4);
    constants.extend([
        ("F32", usize::from(form == Form::F32)),
        ("F16", usize::from(form == Form::F16)),
        ("BLOCKS", usize::from(matches!(form, Form::Q8 | Form::Q4))),
        ("Q8", usize::from(form == Form::Q8)),
        ("Q4", usize::from(form == Form::Q4)),
        ("BIAS", usize::from(bias.is_some())),
        ("GELU", usize::from(matches!(after, After::Gelu))),
        ("TIMES", usize::from(matches!(after, After::Times(_)))),
        ("RESIDUAL", usize::from(matches!(after, After::Residual(..)))),
        ("GATED", usize::from(gate_part.is_some())),
    ]);
    // From row to row of the weight, in what its shader calls a number, and where a row's scales begin.
    let (stride, scales) = match form {
        Form::F32 | Form::F16 => (k / 4, 0),
        Form::Q8 => (words, k / 4),
        Form::Q4 => (words, k / 8),
    };
    let shader = Shader {
        name: way.name(),
        source: way.source(),
        constants,
        sizes: vec![
            ("R", rows),
            ("N", n / 4),
            ("K", k / 4),
            ("LENGTH", l),
            ("GATE", gate_part.unwrap_or(0)),
            ("STRIDE", stride),
            ("SCALES", scales),
        ],
        lanes: lanes as u32,
    };
    let buffers: Vec<&CubeTensor> = [&x, &weight, &y].into_iter().chain(&extras).collect();
    shader.launch(groups, &buffers);
    Some(Tensor::from_primitive::<Cube>(y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::packed::unpack;
    use crate::kernels::test_values as values;
    use burn::tensor::{Device, Tolerance};

    /// Nothing, GELU, a factor, a residual, and a residual behind a gate.
    fn after(kind: usize, [b, l, n]: [usize; 3], device: &Device) -> After {
        let residual = values([b, l, n], device) * 0.9;
        let gate = Gate {
            table: values([1, 1, 6, n], device),
            prompt: values([b, 1, 6, n], device) * 0.8,
            part: 4,
        };
        match kind {
            0 => After::Nothing,
            1 => After::Gelu,
            2 => After::Times(residual),
            3 => After::Residual(residual, None),
            _ => After::Residual(residual, Some(gate)),
        }
    }

    fn assert_close(found: Tensor<3>, expected: Tensor<3>) {
        let expected = expected.into_data();
        let limit = Tolerance::absolute(1e-3);
        found.into_data().assert_approx_eq::<f32>(&expected, limit);
    }

    #[test]
    fn every_way_and_its_twin_agree() {
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
                    let after = after(kind, [b, l, n], &device);
                    (values([b, l, k], &device), values([n, k], &device) * 0.9, bias, after)
                });
                let expected = linear(flex.0, flex.1, flex.2, flex.3);
                // What follows a product is the same code in every way, and takes long to compile.
                let ways = if bias && kind % 3 == 1 {
                    &Way::ALL[..]
                } else {
                    &Way::ALL[..1]
                };
                for &way in ways {
                    let found = linear_by(way, &wgpu.0, &wgpu.1, wgpu.2.as_ref(), &wgpu.3).expect("a shader");
                    assert_close(found, expected.clone());
                }
            }
        }
    }

    #[test]
    fn packed_weights_are_unpacked_in_every_way() {
        let [(_, flex), (_, wgpu)] = golden::devices();
        for (b, l, k, n) in [(2, 1, 32, 8), (1, 19, 96, 12), (2, 40, 256, 68)] {
            let weight = (values([n, k], &flex) * 0.9).into_data();
            for form in [Form::F16, Form::Q8, Form::Q4] {
                let packed = form.pack(weight.clone());
                let numbers = Tensor::from_data(unpack(packed.clone(), k), &flex);
                let bias = |device: &Device| Some(values([n], device));
                let twin = twin(
                    values([b, l, k], &flex),
                    numbers,
                    bias(&flex),
                    after(4, [b, l, n], &flex),
                );
                let (x, packed) = (values([b, l, k], &wgpu), Tensor::from_data(packed, &wgpu));
                for way in Way::ALL {
                    let after = after(4, [b, l, n], &wgpu);
                    let found = linear_by(way, &x, &packed, bias(&wgpu).as_ref(), &after).expect("a shader");
                    assert_close(found, twin.clone());
                }
            }
        }
    }

    #[test]
    fn weights_in_an_unknown_form_have_no_shader() {
        let [_, (_, device)] = golden::devices();
        let (x, weight) = (values([1, 1, 64], &device), values([4, 33], &device));
        assert!(linear_by(Way::Registers, &x, &weight, None, &After::Nothing).is_none());
    }
}
