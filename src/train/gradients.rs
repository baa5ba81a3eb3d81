//! Gradients of the whole loss, text encoder included, against finite differences: on the CPU and on wgpu.

use super::flat::{Flat, replace};
use super::init;
use super::settings::{HEAD, small_text_encoder, small_transformer};
use super::step::without_autodiff;
use super::transformer::{Example, TextToBits, forward};
use crate::golden;
use crate::model::random::{Stream, normal};
use crate::model::schedule::TEMPLATES;
use crate::model::self_correction::Targets;
use crate::model::t5::{self, T5Encoder};
use crate::model::transformer::{Loss, Transformer};
use burn::tensor::{Device, Tensor, TensorData};

const BITS: usize = 8;
const PIECES: usize = 7;
const TEXT: usize = 128;
/// Length of a step along a direction of unit length: beyond the rounding of single precision, within the curvature.
const STEP: f64 = 0.05;

fn noise(count: usize, direction: u64, scale: f64) -> Vec<f32> {
    let value = |i| (scale * normal(9, Stream::Data, direction, i)) as f32;
    (0..count as u64).map(value).collect()
}

struct Lesson {
    example: Example,
    device: Device,
}

impl Lesson {
    /// The loss, with its graph if the model has one.
    fn loss(&self, model: &TextToBits) -> Tensor<1> {
        let schedule = TEMPLATES[0].schedule(2).unwrap();
        let (ids, lens) = t5::batch(&[vec![3, 4, 1], vec![5, 1]], &self.device);
        let text = model.encode_text(ids, &lens);
        let dropped = [false, true];
        let out = forward(
            &model.transformer,
            text,
            &dropped,
            &self.example,
            &schedule,
            &Loss::default(),
        );
        out.unwrap().loss
    }
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    for (name, device) in golden::devices() {
        let tracked = device.clone().autodiff();
        let transformer = small_transformer(HEAD, 2, BITS, TEXT);
        let text_encoder = small_text_encoder(PIECES, TEXT, 1);
        let model = TextToBits {
            transformer: init::transformer(Transformer::new(&transformer, &tracked).unwrap(), &transformer, 1),
            text_encoder: init::t5(T5Encoder::new(&text_encoder, &tracked).unwrap(), &text_encoder, 2),
        };
        // The head begins near zero, where there is hardly a slope before it.
        let values = Flat::values(&model, |_| true).unwrap();
        let count = values.values.dims()[0];
        let shift = Tensor::<1>::from_data(TensorData::new(noise(count, 0, 0.03), [count]), &device);
        let moved = |by: Tensor<1>| Flat {
            parts: values.parts.clone(),
            values: values.values.clone() + by,
        };
        let model = replace(model, &moved(shift.clone()).split());

        let schedule = TEMPLATES[0].schedule(2).unwrap();
        let (height, width) = schedule.grids()[1];
        let shape = [2, BITS, height, width];
        let features = TensorData::new(noise(shape.iter().product(), 1, 1.0), shape);
        let features = Tensor::<4>::from_data(features, &device);
        let lesson = |device: &Device| Lesson {
            example: Example::new(features.clone(), &schedule, false, &[], Targets::Requantized),
            device: device.clone(),
        };
        let grads = lesson(&tracked).loss(&model).backward();
        let gradient = Flat::gradients(&model, &grads, |_| true).unwrap().values;
        let plain = without_autodiff(model.clone());
        let measured = lesson(&device);
        for direction in 2..8 {
            // Every second one leads along the gradient, where the slope is largest.
            let random = Tensor::<1>::from_data(TensorData::new(noise(count, direction, 1.0), [count]), &device);
            let way = match direction % 2 {
                0 => random / (count as f32).sqrt() + gradient.clone() / gradient.clone().square().sum().sqrt(),
                _ => random,
            };
            let way = way.clone() / way.square().sum().sqrt();
            let loss = |by: f64| -> f64 {
                let there = replace(plain.clone(), &moved(shift.clone() + way.clone() * by).split());
                f64::from(measured.loss(&there).into_scalar::<f32>())
            };
            let slope = (loss(STEP) - loss(-STEP)) / (2.0 * STEP);
            let expected = f64::from((gradient.clone() * way.clone()).sum().into_scalar::<f32>());
            let norm = f64::from(gradient.clone().square().sum().sqrt().into_scalar::<f32>());
            assert!(norm > 0.05, "{name}: no slope at all, {norm}");
            let error = (slope - expected).abs();
            assert!(
                error < 0.01 * norm,
                "{name}, direction {direction}: {slope} {expected}, norm {norm}"
            );
        }
    }
}
