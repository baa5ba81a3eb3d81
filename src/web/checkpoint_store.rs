//! The checkpoint store of the browser, which www/engine/worker/checkpoints.js implements.

use super::files::reason;
use infinity::engine::{CheckpointStore, EngineError};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// An object of www/engine/worker/checkpoints.js.
    pub type JsCheckpointStore;

    #[wasm_bindgen(method, catch)]
    async fn save(this: &JsCheckpointStore, step: f64, checkpoint: js_sys::Uint8Array) -> Result<JsValue, JsValue>;
}

pub struct WebCheckpointStore(JsCheckpointStore);

impl WebCheckpointStore {
    pub fn new(js: JsCheckpointStore) -> Self {
        Self(js)
    }
}

impl CheckpointStore for WebCheckpointStore {
    async fn save(&self, step: usize, checkpoint: Vec<u8>) -> Result<(), EngineError> {
        let bytes = js_sys::Uint8Array::from(checkpoint.as_slice());
        drop(checkpoint);
        let saved = self.0.save(step as f64, bytes).await;
        saved
            .map(|_| ())
            .map_err(|error| EngineError::CheckpointStore(reason(&error)))
    }
}
