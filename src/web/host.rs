//! The worker's thread as the engine sees it.

use crate::engine::Host;
use crate::engine::protocol::Event;
use serde::Serialize;
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::{Performance, WorkerGlobalScope};

#[wasm_bindgen]
extern "C" {
    /// The object of www/worker.js that posts events and lets messages in.
    pub type JsHost;

    #[wasm_bindgen(method)]
    fn emit(this: &JsHost, event: JsValue);

    #[wasm_bindgen(method)]
    async fn breathe(this: &JsHost);
}

/// Events become plain objects, pixels a typed array.
const EVENTS: serde_wasm_bindgen::Serializer =
    serde_wasm_bindgen::Serializer::json_compatible().serialize_bytes_as_arrays(false);

pub struct WorkerHost {
    js: JsHost,
    cancelled: Rc<Cell<bool>>,
    clock: Performance,
}

impl WorkerHost {
    pub fn new(js: JsHost, cancelled: Rc<Cell<bool>>) -> Self {
        let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
        // Every browser with WebAssembly has the clock in its workers.
        let clock = scope
            .performance()
            .unwrap_or_else(|| unreachable!("a worker without a clock"));
        Self { js, cancelled, clock }
    }
}

impl Host for WorkerHost {
    fn emit(&self, event: Event) {
        match event.serialize(&EVENTS) {
            Ok(event) => self.js.emit(event),
            // Every field of an event is a string, a list, or a number that JavaScript has.
            Err(error) => unreachable!("{error}"),
        }
    }

    fn cancelled(&self) -> bool {
        self.cancelled.get()
    }

    async fn breathe(&self) {
        self.js.breathe().await;
    }

    fn now(&self) -> f64 {
        self.clock.now()
    }
}
