//! Downloads the model's files from beside its manifest.

use crate::engine::{EngineError, Files};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Response, Url, WorkerGlobalScope};

/// The folder of a manifest on the web.
pub struct Download {
    manifest: Url,
}

impl Download {
    /// The folder that holds `manifest_url`, and the manifest's own name in it.
    pub fn beside(manifest_url: &str) -> Result<(Self, String), EngineError> {
        let manifest = Url::new(manifest_url).map_err(|_| EngineError::Download {
            file: manifest_url.to_string(),
            reason: "this is not an address".to_string(),
        })?;
        let path = manifest.pathname();
        let name = path.rsplit('/').next().unwrap_or_default().to_string();
        Ok((Self { manifest }, name))
    }

    async fn fetch(&self, path: &str, progress: &mut dyn FnMut(u64)) -> Result<Vec<u8>, JsValue> {
        let url = Url::new_with_base(path, &self.manifest.href())?;
        let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
        let response: Response = JsFuture::from(scope.fetch_with_str(&url.href()))
            .await?
            .unchecked_into();
        if !response.ok() {
            return Err(format!("the server answers {}", response.status()).into());
        }
        let mut bytes = Vec::new();
        let Some(body) = response.body() else {
            return Ok(bytes);
        };
        let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
        loop {
            let part = JsFuture::from(reader.read()).await?;
            let Ok(chunk) = js_sys::Reflect::get(&part, &"value".into())?.dyn_into::<js_sys::Uint8Array>() else {
                return Ok(bytes); // the last part has no value
            };
            let start = bytes.len();
            bytes.resize(start + chunk.length() as usize, 0);
            chunk.copy_to(&mut bytes[start..]);
            progress(bytes.len() as u64);
        }
    }
}

impl Files for Download {
    async fn read(&self, path: &str, progress: &mut dyn FnMut(u64)) -> Result<Vec<u8>, EngineError> {
        self.fetch(path, progress).await.map_err(|error| EngineError::Download {
            file: path.to_string(),
            reason: reason(&error),
        })
    }
}

/// The text of whatever JavaScript threw.
fn reason(error: &JsValue) -> String {
    let message = error
        .dyn_ref::<js_sys::Error>()
        .map(|error| String::from(error.message()));
    message
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "the connection failed".to_string())
}
