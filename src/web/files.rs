//! The model's files as www/engine/worker/model-files.js reads them: from the network, from the browser's storage or
//! from a visitor's disk. The script reports their progress, as it downloads several at once.

use infinity::engine::{EngineError, Files};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// An object of www/engine/worker/model-files.js.
    pub type JsFiles;

    #[wasm_bindgen(method, catch)]
    async fn read(this: &JsFiles, path: &str) -> Result<js_sys::Uint8Array, JsValue>;
}

pub struct WebFiles(JsFiles);

impl WebFiles {
    pub fn new(js: JsFiles) -> Self {
        Self(js)
    }
}

impl Files for WebFiles {
    async fn read(&self, path: &str, _progress: &mut dyn FnMut(u64)) -> Result<Vec<u8>, EngineError> {
        match self.0.read(path).await {
            Ok(bytes) => Ok(bytes.to_vec()),
            Err(error) => Err(EngineError::Download {
                file: path.to_string(),
                reason: reason(&error),
            }),
        }
    }
}

/// The message of a JavaScript exception.
pub fn reason(error: &JsValue) -> String {
    let message = error
        .dyn_ref::<js_sys::Error>()
        .map(|error| String::from(error.message()));
    message
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "the connection failed".to_string())
}
