//! The browser's storage as www/checkpoints.js reaches it, for checkpoints.

use super::files::reason;
use infinity::engine::{EngineError, Keep};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// An object of www/checkpoints.js.
    pub type JsKeep;

    #[wasm_bindgen(method, catch)]
    async fn save(this: &JsKeep, step: f64, checkpoint: js_sys::Uint8Array) -> Result<JsValue, JsValue>;
}

pub struct WebKeep(JsKeep);

impl WebKeep {
    pub fn new(js: JsKeep) -> Self {
        Self(js)
    }
}

impl Keep for WebKeep {
    async fn save(&self, step: usize, checkpoint: Vec<u8>) -> Result<(), EngineError> {
        let bytes = js_sys::Uint8Array::from(checkpoint.as_slice());
        drop(checkpoint);
        let saved = self.0.save(step as f64, bytes).await;
        saved.map(|_| ()).map_err(|error| EngineError::Keeping(reason(&error)))
    }
}
