//! The boundary to the page's worker: parses options, calls the engine, posts events. No mathematics.

mod files;
mod host;

use crate::engine::protocol::{Bits, Options, PROTOCOL, Picture};
use crate::engine::{Engine, EngineError, Gpu, Host};
use burn::tensor::Device;
use files::{JsFiles, WebFiles};
use host::{JsHost, WorkerHost};
use serde::de::DeserializeOwned;
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Runs the constructors with which burn's shader compiler registers its parts, once.
///
/// If no code calls them, the linker has every exported function call them first: on each allocation and each answer of the
/// browser, which was most of what an image took on WebGPU.
#[wasm_bindgen(start)]
pub fn construct() {
    // SAFETY: made by the linker for exactly this, and called before anything else of this module.
    unsafe { __wasm_call_ctors() }
}

/// The protocol's version; the page refuses another than its own.
#[wasm_bindgen]
pub fn protocol() -> u32 {
    PROTOCOL
}

/// A loaded model on one device. Errors go to the host as events, never as exceptions.
#[wasm_bindgen]
pub struct WebEngine {
    engine: Engine,
    files: WebFiles,
    cancelled: Rc<Cell<bool>>,
}

#[wasm_bindgen]
impl WebEngine {
    /// Builds the model that the file `manifest` describes, on `"webgpu"` or `"cpu"`.
    pub async fn load(manifest: String, files: JsFiles, device: String, host: JsHost) -> Option<WebEngine> {
        console_error_panic_hook::set_once();
        let cancelled = Rc::new(Cell::new(false));
        let (files, host) = (WebFiles::new(files), WorkerHost::new(host, cancelled.clone()));
        let engine = told(load(&manifest, &files, &device, &host).await, &host)?;
        Some(Self {
            engine,
            files,
            cancelled,
        })
    }

    /// Draws one image; everything, its end included, is told through `host`.
    pub async fn generate(&self, options: JsValue, host: JsHost) {
        let host = self.listen(host);
        let outcome = match read::<Options>(options) {
            Ok(options) => self.engine.generate(options, &host).await,
            Err(error) => Err(error),
        };
        told(outcome, &host);
    }

    /// Shows the image that `bits` are.
    pub async fn decode(&self, bits: JsValue, host: JsHost) {
        let host = self.listen(host);
        let outcome = match read::<Bits>(bits) {
            Ok(bits) => self.engine.decode(bits, &host).await,
            Err(error) => Err(error),
        };
        told(outcome, &host);
    }

    /// Reads a picture of the size of the shape `aspect` into bits, and shows what they keep of it.
    pub async fn encode(&self, aspect: String, rgba: Vec<u8>, host: JsHost) {
        let host = self.listen(host);
        let picture = Picture { aspect, rgba };
        told(self.engine.encode(picture, &self.files, &host).await, &host);
    }

    /// Ends the work after the layer, or the scale, at hand.
    pub fn cancel(&self) {
        self.cancelled.set(true);
    }

    fn listen(&self, host: JsHost) -> WorkerHost {
        self.cancelled.set(false);
        WorkerHost::new(host, self.cancelled.clone())
    }
}

/// An error becomes an event.
fn told<T>(outcome: Result<T, EngineError>, host: &WorkerHost) -> Option<T> {
    outcome.map_err(|error| host.emit(error.event())).ok()
}

fn read<T: DeserializeOwned>(value: JsValue) -> Result<T, EngineError> {
    serde_wasm_bindgen::from_value(value).map_err(|error| EngineError::Options(error.to_string()))
}

async fn load(manifest: &str, files: &WebFiles, device: &str, host: &WorkerHost) -> Result<Engine, EngineError> {
    let device = match device {
        "webgpu" => Gpu::open().await?.device,
        _ => Device::flex(),
    };
    Engine::load(manifest, files, &device, host).await
}
