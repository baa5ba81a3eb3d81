//! The worker's thread as the engine's host.

use super::cancel::CancelToken;
use burn::tensor::Device;
use infinity::engine::Host;
use infinity::engine::protocol::Event;
use serde::Serialize;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::{Performance, WorkerGlobalScope};

#[wasm_bindgen]
extern "C" {
    /// The object of www/engine/worker/messages.js that posts events and yields to the event loop.
    pub type JsHost;

    /// `device` is the number of bytes that the engine holds on the GPU.
    #[wasm_bindgen(method)]
    fn emit(this: &JsHost, event: JsValue, device: Option<f64>);

    /// `breathe` in www/engine/worker/messages.js.
    #[wasm_bindgen(method, js_name = breathe)]
    async fn yield_now(this: &JsHost);
}

/// Events become plain objects, pixels a typed array.
const EVENTS: serde_wasm_bindgen::Serializer =
    serde_wasm_bindgen::Serializer::json_compatible().serialize_bytes_as_arrays(false);

pub struct WorkerHost {
    js: JsHost,
    cancel: Rc<CancelToken>,
    device: Option<Device>,
    clock: Performance,
}

impl WorkerHost {
    pub fn new(js: JsHost, cancel: Rc<CancelToken>) -> Self {
        let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
        // Every browser with WebAssembly has the clock in its workers.
        let clock = scope
            .performance()
            .unwrap_or_else(|| unreachable!("a worker without a clock"));
        Self {
            js,
            cancel,
            device: None,
            clock,
        }
    }

    /// Sends the memory use of `device` with every event.
    pub fn on(self, device: &Device) -> Self {
        let device = Some(device.clone());
        Self { device, ..self }
    }
}

impl Host for WorkerHost {
    fn emit(&self, event: Event) {
        match event.serialize(&EVENTS) {
            Ok(event) => {
                let usage = self.device.as_ref().and_then(Device::memory_pool_usage);
                self.js.emit(event, usage.map(|usage| usage.bytes_reserved as f64));
            }
            // Every field of an event is a string, a list, or a number that JavaScript has.
            Err(error) => unreachable!("{error}"),
        }
    }

    fn cancelled(&self) -> bool {
        self.cancel.requested()
    }

    async fn until_cancelled(&self) {
        self.cancel.wait().await;
    }

    async fn yield_now(&self) {
        self.js.yield_now().await;
    }

    fn now(&self) -> f64 {
        self.clock.now()
    }
}
