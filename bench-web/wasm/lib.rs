//! Operations by shape and images of random weights on the page's WebGPU, each with the kernels and with burn's operations. The
//! scripts beside it take medians and count dispatches.

use burn::tensor::{Device, Tensor};
use infinity::engine::Gpu;
use infinity::kernels;
use infinity::kernels::autotune::Tuning;
use infinity::kernels::matmul::{LinearVariant, standalone};
use infinity::kernels::runtime::Variant;
use infinity::profiling::image::{Decoding, Drawing, Side, Size};
use infinity::profiling::one_number;
use infinity::profiling::operations::{Comparison, Model, Op, Sizes};
use serde::Serialize;
use wasm_bindgen::prelude::*;

unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// As in the page's worker (src/web/lib.rs): else every exported function would call them first.
#[wasm_bindgen(start)]
pub fn construct() {
    console_error_panic_hook::set_once();
    // SAFETY: made by the linker for exactly this, and called before anything else of this module.
    unsafe { __wasm_call_ctors() }
}

/// What an operation is, for a table.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: &'static str,
    shape: String,
    /// How often the scale and a decoding ask for it.
    count: usize,
    /// Floating point operations, and bytes that must be moved.
    flop: f64,
    bytes: f64,
}

/// A kernel variant of the linear layer, for pages without the engine.
#[derive(Serialize)]
struct LinearKernel {
    name: &'static str,
    wgsl: String,
    /// Of the uniform behind the buffers of x, W and y.
    sizes: Vec<usize>,
    workgroups: [usize; 3],
}

/// All kernel variants of the linear layer for `rows` of `k` to `n` numbers in f32.
#[wasm_bindgen(js_name = linearKernels)]
pub fn linear_kernels(rows: usize, k: usize, n: usize) -> Result<JsValue, JsError> {
    let kernel = |&variant: &LinearVariant| {
        let standalone = standalone(variant, rows, k, n);
        LinearKernel {
            name: variant.name(),
            wgsl: standalone.wgsl,
            sizes: standalone.sizes,
            workgroups: standalone.workgroups,
        }
    };
    let kernels: Vec<LinearKernel> = LinearVariant::ALL.iter().map(kernel).collect();
    Ok(serde_wasm_bindgen::to_value(&kernels)?)
}

/// The GPU of this page, and what was made for it last.
#[wasm_bindgen]
pub struct Bench {
    device: Device,
    model: Option<Model>,
    operations: Vec<(Op, usize)>,
    comparison: Option<Comparison>,
    drawing: Option<Drawing>,
    decoding: Option<Decoding>,
}

#[wasm_bindgen]
impl Bench {
    /// Opens WebGPU with the kernel variants of software adapters, or with those that a second of measuring finds.
    pub async fn open(software: bool) -> Result<Bench, JsError> {
        let gpu = Gpu::open().await?;
        let known = software.then(|| Tuning::SOFTWARE.describe());
        gpu.tune(known.as_deref(), &now).await;
        Ok(Self {
            device: gpu.device,
            model: None,
            operations: Vec::new(),
            comparison: None,
            drawing: None,
            decoding: None,
        })
    }

    /// Every operation of a scale (from 1, or the last) of the `"default"`, `"125m"` or `"2b"` model.
    pub fn operations(&mut self, model: &str, scale: Option<usize>) -> Result<JsValue, JsError> {
        let sizes = match model {
            "default" => Sizes::Default,
            "125m" => Sizes::Small,
            "2b" => Sizes::Large,
            _ => return Err(unknown(model)),
        };
        let model = sizes.model(scale)?;
        self.operations = model.operations();
        let row = |&(op, count): &(Op, usize)| {
            let (name, shape) = model.describe(op);
            Row {
                name,
                shape,
                count,
                flop: model.floating_point_operations(op),
                bytes: model.bytes(op),
            }
        };
        let rows: Vec<Row> = self.operations.iter().map(row).collect();
        self.model = Some(model);
        Ok(serde_wasm_bindgen::to_value(&rows)?)
    }

    /// Makes up what the operation of row `index` reads.
    pub fn prepare(&mut self, index: usize) -> Result<(), JsError> {
        self.comparison = None;
        let (Some(model), Some((op, _))) = (&self.model, self.operations.get(index)) else {
            return Err(unknown("operation"));
        };
        self.comparison = Some(model.comparison(*op, &self.device));
        Ok(())
    }

    /// Milliseconds of so many `launches` of what was prepared, with the kernel or with burn's operations.
    pub async fn time(&self, ours: bool, launches: usize) -> Result<f64, JsError> {
        let comparison = self.comparison.as_ref().ok_or_else(|| unknown("operation"))?;
        let began = now();
        let mut last = comparison.run(ours);
        for _ in 1..launches {
            last = comparison.run(ours);
        }
        done(last).await?;
        Ok(now() - began)
    }

    /// Makes up the transformer of the `"125m"` or the `"2b"` model, and a text of 32 tokens, for images of 256 x 256.
    #[wasm_bindgen(js_name = prepareImage)]
    pub fn prepare_image(&mut self, model: &str) -> Result<(), JsError> {
        let size = match model {
            "125m" => Size::Small,
            "2b" => Size::Large,
            _ => return Err(unknown(model)),
        };
        (self.drawing, self.decoding) = (None, None);
        self.drawing = Some(Drawing::new(size, Side::P256, 32, &self.device)?);
        self.decoding = Some(Decoding::new(size, Side::P256, &self.device)?);
        Ok(())
    }

    /// Floating point operations of the first `scales` scales.
    #[wasm_bindgen(js_name = drawingFlop)]
    pub fn drawing_flop(&self, scales: usize) -> Option<f64> {
        self.drawing.as_ref().map(|drawing| drawing.operations(scales))
    }

    /// Floating point operations of decoding.
    #[wasm_bindgen(js_name = decodingFlop)]
    pub fn decoding_flop(&self) -> Option<f64> {
        self.decoding.as_ref().map(Decoding::operations)
    }

    /// Draws the first `scales` scales of an image: milliseconds of each.
    pub async fn draw(&self, ours: bool, scales: usize) -> Result<Vec<f64>, JsError> {
        let drawing = self.drawing.as_ref().ok_or_else(|| unknown("model"))?;
        kernels::set_kernels_enabled(ours);
        let mut times = Vec::new();
        let mut sampler = drawing.sampler()?;
        for _ in 0..scales {
            let began = now();
            let Some(scale) = sampler.next_scale() else { break };
            done(one_number(scale.sum)).await?;
            times.push(now() - began);
        }
        Ok(times)
    }

    /// Milliseconds of decoding an image.
    pub async fn decode(&self, ours: bool) -> Result<f64, JsError> {
        let decoding = self.decoding.as_ref().ok_or_else(|| unknown("model"))?;
        kernels::set_kernels_enabled(ours);
        let began = now();
        done(one_number(decoding.run())).await?;
        Ok(now() - began)
    }
}

/// Waits for a number.
async fn done(number: Tensor<1>) -> Result<(), JsError> {
    number.into_data_async().await?;
    Ok(())
}

fn now() -> f64 {
    web_sys::window()
        .and_then(|window| window.performance())
        .map_or(f64::NAN, |performance| performance.now())
}

fn unknown(what: &str) -> JsError {
    JsError::new(&format!("there is no {what} to time"))
}
