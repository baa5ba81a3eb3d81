//! Products with the weights of a layer, and what follows them, in one dispatch.

use super::norm::part;
use super::product;
use super::shader::{Shader, on_graphics, room, staged};
use crate::model::nn::gelu;
use burn::tensor::Tensor;
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;

/// Results of an invocation: at most so many rows, and so many columns.
const ROWS: usize = 8;
const COLUMNS: usize = 4;
/// Rows of an invocation where there are no more: one image of the first scale, with and without the prompt.
const FEW: usize = 2;
/// Invocations of a workgroup.
const LANES: usize = 64;

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
    /// The result is added to this, which has its shape; behind the gate, if there is one.
    Residual(Tensor<3>, Option<Gate>),
}

/// `x [B, L, K]`, `weight [N, K]` and `bias [N]` to `[B, L, N]`.
pub fn linear(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>, after: After) -> Tensor<3> {
    if let Some(y) = shader(&x, &weight, bias.as_ref(), &after) {
        return y;
    }
    let ([b, l, k], [n, _]) = (x.dims(), weight.dims());
    let product = staged().then(|| product::trained(&x.clone().reshape([b * l, k]), &weight, bias.as_ref()));
    match product.flatten() {
        Some(y) => follow(y.reshape([b, l, n]), after),
        None => twin(x, weight, bias, after),
    }
}

/// The same in plain tensor operations.
pub fn twin(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>, after: After) -> Tensor<3> {
    follow(burn::tensor::module::linear(x, weight.transpose(), bias), after)
}

fn follow(y: Tensor<3>, after: After) -> Tensor<3> {
    match after {
        After::Nothing => y,
        After::Gelu => gelu(y),
        After::Residual(residual, None) => residual + y,
        After::Residual(residual, Some(gate)) => residual + y * part(&gate.table, &gate.prompt, gate.part),
    }
}

fn shader(x: &Tensor<3>, weight: &Tensor<2>, bias: Option<&Tensor<1>>, after: &After) -> Option<Tensor<3>> {
    let [b, l, k] = x.dims();
    let [n, _] = weight.dims();
    let rows = b * l;
    if !k.is_multiple_of(4) {
        return None;
    }
    let (x, weight) = (on_graphics(x)?, on_graphics(weight)?);
    let mut extras: Vec<CubeTensor> = Vec::new();
    if let Some(bias) = bias {
        extras.push(on_graphics(bias)?);
    }
    let mut gate_part = None;
    if let After::Residual(residual, gate) = after {
        extras.push(on_graphics(residual)?);
        if let Some(Gate { table, prompt, part }) = gate {
            extras.extend([on_graphics(table)?, on_graphics(prompt)?]);
            gate_part = Some(*part);
        }
    }
    let y = room(&x, [b, l, n]);
    let tile = if rows <= FEW { FEW } else { ROWS };
    let across = n.div_ceil(COLUMNS);
    let shader = Shader {
        name: "linear",
        source: include_str!("../../shaders/linear.wgsl"),
        constants: vec![
            ("ROWS", tile),
            ("COLUMNS", COLUMNS),
            ("BIAS", usize::from(bias.is_some())),
            ("GELU", usize::from(matches!(after, After::Gelu))),
            ("RESIDUAL", usize::from(matches!(after, After::Residual(..)))),
            ("GATED", usize::from(gate_part.is_some())),
        ],
        sizes: vec![
            ("R", rows),
            ("N", n),
            ("K", k / 4),
            ("LENGTH", l),
            ("GATE", gate_part.unwrap_or(0)),
        ],
        lanes: LANES as u32,
    };
    let buffers: Vec<&CubeTensor> = [&x, &weight, &y].into_iter().chain(&extras).collect();
    shader.launch([across.div_ceil(LANES), rows.div_ceil(tile), 1], &buffers);
    Some(Tensor::from_primitive::<Cube>(y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::test_values as values;
    use burn::tensor::Tolerance;

    #[test]
    fn shader_and_twin_agree() {
        for (b, l, k, n) in [
            (1, 1, 4, 1),
            (2, 1, 32, 48),
            (2, 9, 100, 7),
            (3, 5, 64, 130),
            (1, 70, 256, 33),
        ] {
            for (bias, kind) in [
                (false, 0),
                (true, 0),
                (true, 1),
                (true, 2),
                (false, 2),
                (true, 3),
                (false, 3),
            ] {
                let [flex, wgpu] = golden::devices().map(|(_, device)| {
                    let residual = values([b, l, n], &device) * 0.9;
                    let gate = Gate {
                        table: values([1, 1, 6, n], &device),
                        prompt: values([b, 1, 6, n], &device) * 0.8,
                        part: 4,
                    };
                    let after = match kind {
                        0 => After::Nothing,
                        1 => After::Gelu,
                        2 => After::Residual(residual, None),
                        _ => After::Residual(residual, Some(gate)),
                    };
                    let bias = bias.then(|| values([n], &device));
                    (values([b, l, k], &device), values([n, k], &device) * 0.9, bias, after)
                });
                let found = shader(&wgpu.0, &wgpu.1, wgpu.2.as_ref(), &wgpu.3).expect("a shader");
                let expected = linear(flex.0, flex.1, flex.2, flex.3);
                found
                    .into_data()
                    .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-3));
            }
        }
    }
}
