//! Convolutions that keep the size, or double it, on the GPU, and their gradients.
//!
//! burn without automatic tuning reads every input from global memory for every output, and takes as gradient of a weight a
//! convolution with a kernel as large as the image.

mod backward;
mod forward;
mod sides;
mod variant;

pub use backward::convolution_with_autodiff;
pub use forward::{Fused, convolution, convolution_reference, convolution_with};
pub use variant::ConvolutionVariant;

#[cfg(test)]
mod tests {
    use super::backward::{implicit_gemm, weight_gradient, weight_gradient_gemm};
    use super::forward::registers;
    use super::*;
    use crate::golden;
    use crate::kernels::runtime::{NoKernel, Variant, fallbacks, primitive};
    use crate::kernels::test_values as values;
    use burn::tensor::{Tensor, TensorData, Tolerance};
    use burn_cubecl::Cube;

    const SHAPES: [(usize, usize, usize, usize, usize); 8] = [
        (1, 8, 70, 6, 8),
        (2, 68, 36, 4, 20),
        (1, 3, 16, 8, 8),
        (2, 16, 20, 5, 7),
        (1, 8, 3, 1, 9),
        (3, 5, 12, 16, 24),
        (2, 9, 70, 3, 1),
        (1, 130, 8, 12, 13),
    ];

    #[test]
    fn every_variant_agrees_with_the_reference() {
        for (batch, inputs, outputs, h, w) in SHAPES {
            for (kernel, upsampled, extras) in [(3, false, 0), (3, true, 1), (1, false, 2), (3, false, 2)] {
                let up = 1 + usize::from(upsampled);
                let [flex, wgpu] = golden::devices().map(|(_, device)| {
                    let x = values([batch, inputs, h, w], &device);
                    let weight = values([outputs, inputs, kernel, kernel], &device);
                    let fused = Fused {
                        bias: (extras > 0).then(|| values([outputs], &device)),
                        residual: (extras > 1).then(|| values([batch, outputs, up * h, up * w], &device)),
                        upsampled,
                    };
                    (x, weight, fused)
                });
                assert!(convolution(&flex.0, &flex.1, &flex.2).is_none());
                let expected = convolution_reference(flex.0, flex.1, flex.2).into_data();
                for &variant in ConvolutionVariant::ALL {
                    let found = match convolution_with(variant, &wgpu.0, &wgpu.1, &wgpu.2) {
                        Ok(found) => found,
                        // What the variant does not fit is left to the first one.
                        Err(why) => {
                            let fits = (inputs * kernel * kernel).is_multiple_of(4) && (up * w).is_multiple_of(4);
                            assert!(why != NoKernel::ByChoice && !fits && variant != ConvolutionVariant::ALL[0]);
                            convolution(&wgpu.0, &wgpu.1, &wgpu.2).expect("a kernel")
                        }
                    };
                    found
                        .into_data()
                        .assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-3));
                }
            }
        }
        // A variant that does not fit is no fallback to the reference.
        assert_eq!(fallbacks::take(), []);
    }

    #[test]
    fn gradients_are_those_of_the_reference() {
        for (batch, inputs, outputs, h, w) in SHAPES {
            let [flex, wgpu] = golden::devices().map(|(name, device)| {
                let device = device.autodiff();
                let x = values([batch, inputs, h, w], &device).require_grad();
                let weight = values([outputs, inputs, 3, 3], &device).require_grad();
                let y = match name {
                    "flex" => convolution_reference(x.clone(), weight.clone(), Fused::default()),
                    _ => convolution_with_autodiff(&x, &weight).expect("a kernel"),
                };
                let grads = (y.clone() * values(y.dims(), &device)).sum().backward();
                [y.inner(), x.grad(&grads).unwrap(), weight.grad(&grads).unwrap()].map(Tensor::into_data)
            });
            for (found, expected) in wgpu.iter().zip(&flex) {
                found.assert_approx_eq::<f32>(expected, Tolerance::absolute(2e-3));
            }
        }
    }

    #[test]
    fn tiles_and_their_sums_are_the_same() {
        let [_, (_, device)] = golden::devices();
        for (batch, inputs, outputs, h, w) in SHAPES {
            let x = values([batch, inputs, h, w], &device);
            let weight = values([outputs, inputs, 3, 3], &device);
            let g = values([batch, outputs, h, w], &device) * 0.8;
            let [x, weight, g] = [x, weight, g].map(primitive);
            let pairs = [
                (
                    implicit_gemm(&x, &weight, false),
                    registers(8, &x, &weight, false, false, None, None),
                ),
                (
                    implicit_gemm(&g, &weight, true),
                    registers(8, &g, &weight, true, false, None, None),
                ),
                (weight_gradient_gemm(&x, &g), weight_gradient(x, g)),
            ];
            for (tiled, plain) in pairs {
                let [tiled, plain] = [tiled, plain].map(|y| Tensor::<4>::from_primitive::<Cube>(y).into_data());
                tiled.assert_approx_eq::<f32>(&plain, Tolerance::rel_abs(1e-4, 2e-3));
            }
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        let [_, (_, device)] = golden::devices();
        let device = device.autodiff();
        let (shape, weights) = ([2, 3, 5, 6], [4, 3, 3, 3]);
        let probe = values([2, 4, 5, 6], &device);
        let loss =
            |x: &Tensor<4>, weight: &Tensor<4>| (convolution_with_autodiff(x, weight).unwrap() * probe.clone()).sum();
        let x = values(shape, &device).require_grad();
        let weight = values(weights, &device).require_grad();
        let grads = loss(&x, &weight).backward();
        let nudged = |x: &Tensor<4>, at: usize, by: f32| {
            let data = x.clone().inner().into_data();
            let mut numbers = data.try_to_vec::<f32>().unwrap();
            numbers[at] += by;
            Tensor::<4>::from_data(TensorData::new(numbers, x.dims()), &device)
        };
        let scalar = |x: Tensor<1>| x.inner().into_scalar::<f32>();
        for at in [0, 17, 41, 100] {
            let grad = x.grad(&grads).unwrap().into_data().try_to_vec::<f32>().unwrap()[at];
            let [up, down] = [0.5, -0.5].map(|by| scalar(loss(&nudged(&x, at, by), &weight)));
            assert!((up - down - grad).abs() < 1e-3, "input {at}: {} {grad}", up - down);
            let grad = weight.grad(&grads).unwrap().into_data().try_to_vec::<f32>().unwrap()[at];
            let [up, down] = [0.5, -0.5].map(|by| scalar(loss(&x, &nudged(&weight, at, by))));
            assert!((up - down - grad).abs() < 1e-3, "weight {at}: {} {grad}", up - down);
        }
    }
}
