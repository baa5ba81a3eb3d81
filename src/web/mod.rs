//! The boundary to the page's worker: parses options, calls the engine, posts events. No mathematics.

mod files;
mod host;

use crate::engine::protocol::{Options, PROTOCOL};
use crate::engine::{Engine, EngineError, Gpu, Host};
use burn::tensor::Device;
use files::Download;
use host::{JsHost, WorkerHost};
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// The protocol's version; the page refuses another than its own.
#[wasm_bindgen]
pub fn protocol() -> u32 {
    PROTOCOL
}

/// A loaded model on one device. Errors go to the host as events, never as exceptions.
#[wasm_bindgen]
pub struct WebEngine {
    engine: Engine,
    cancelled: Rc<Cell<bool>>,
}

#[wasm_bindgen]
impl WebEngine {
    /// Downloads and builds the model that `manifest_url` describes, on `"webgpu"` or `"cpu"`.
    pub async fn load(manifest_url: String, device: String, host: JsHost) -> Option<WebEngine> {
        console_error_panic_hook::set_once();
        let cancelled = Rc::new(Cell::new(false));
        let host = WorkerHost::new(host, cancelled.clone());
        match load(&manifest_url, &device, &host).await {
            Ok(engine) => Some(Self { engine, cancelled }),
            Err(error) => {
                host.emit(error.event());
                None
            }
        }
    }

    /// Draws one image; everything, its end included, is told through `host`.
    pub async fn generate(&self, options: JsValue, host: JsHost) {
        self.cancelled.set(false);
        let host = WorkerHost::new(host, self.cancelled.clone());
        let outcome = match serde_wasm_bindgen::from_value::<Options>(options) {
            Ok(options) => self.engine.generate(options, &host).await,
            Err(error) => Err(EngineError::Options(error.to_string())),
        };
        if let Err(error) = outcome {
            host.emit(error.event());
        }
    }

    /// Ends the running generation after the layer at work.
    pub fn cancel(&self) {
        self.cancelled.set(true);
    }
}

async fn load(manifest_url: &str, device: &str, host: &WorkerHost) -> Result<Engine, EngineError> {
    let device = match device {
        "webgpu" => Gpu::open().await?.device,
        _ => Device::flex(),
    };
    let (files, manifest) = Download::beside(manifest_url)?;
    Engine::load(&manifest, &files, &device, host).await
}
