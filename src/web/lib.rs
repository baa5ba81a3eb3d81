//! The boundary to the page's worker: parses options, calls the engine, posts events. No mathematics.

mod files;
mod host;
mod keep;
mod memory;
mod stop;

use burn::tensor::Device;
use files::{JsFiles, WebFiles};
use host::{JsHost, WorkerHost};
use infinity::engine::protocol::{Bits, Event, Flips, Options, PROTOCOL, Pace, Picture, Study};
use infinity::engine::train::{Material, Session};
use infinity::engine::{Engine, EngineError, Gpu, Host, tuned};
use infinity::kernels::{self, matmul::WeightFormat};
use keep::{JsKeep, WebKeep};
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::rc::Rc;
use stop::Stop;
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

/// How products are computed since a model was loaded on WebGPU, to be kept under the graphics card's name.
#[wasm_bindgen]
pub fn tuning() -> String {
    tuned()
}

/// Has WebGPU run burn's operations instead of the shaders of this project, to measure both in one page (bench-web/page.js).
#[wasm_bindgen(js_name = useShaders)]
pub fn use_shaders(on: bool) {
    kernels::set_kernels_enabled(on);
}

/// A loaded model on one device. Errors go to the host as events, never as exceptions.
#[wasm_bindgen]
pub struct WebEngine {
    engine: Engine,
    files: WebFiles,
    stop: Rc<Stop>,
    /// The training that is set up. It is taken out while it runs.
    training: RefCell<Option<Session>>,
}

#[wasm_bindgen]
impl WebEngine {
    /// Builds the model that the file `manifest` describes, on `"webgpu"` or `"cpu"`. `weights` says how a graphics card keeps
    /// those of layers: `"f32"`, `"f16"`, `"q8"` or `"q4"`. `tuning` is what [`tuning`] told on the same
    /// card before, or `software`; left out, it is found out, which takes a second.
    pub async fn load(
        manifest: String,
        files: JsFiles,
        device: String,
        weights: String,
        tuning: Option<String>,
        host: JsHost,
    ) -> Option<WebEngine> {
        memory::name_panics();
        let (files, stop) = (WebFiles::new(files), Rc::new(Stop::default()));
        let host = WorkerHost::new(host, stop.clone());
        let form = WeightFormat::named(&weights).unwrap_or_default();
        let device = told(open(&device, tuning.as_deref(), &host).await, &host)?;
        let host = host.on(&device);
        let loading = Engine::load_as(form, &manifest, &files, &device, &host);
        let engine = told(loading.await, &host)?;
        Some(Self {
            engine,
            files,
            stop,
            training: RefCell::new(None),
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

    /// Shows what `flips` do to the image that `bits` are.
    #[wasm_bindgen(js_name = flipBits)]
    pub async fn flip_bits(&self, bits: JsValue, flips: JsValue, host: JsHost) {
        let host = self.listen(host);
        let outcome = match (read::<Bits>(bits), read::<Flips>(flips)) {
            (Ok(bits), Ok(flips)) => self.engine.flip_bits(bits, flips, &host).await,
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        told(outcome, &host);
    }

    /// Shows what `flips` do to a picture of the size of the shape `aspect`.
    #[wasm_bindgen(js_name = flipPicture)]
    pub async fn flip_picture(&self, aspect: String, rgba: Vec<u8>, flips: JsValue, host: JsHost) {
        let host = self.listen(host);
        let picture = Picture { aspect, rgba };
        let outcome = match read::<Flips>(flips) {
            Ok(flips) => self.engine.flip_picture(picture, flips, &self.files, &host).await,
            Err(error) => Err(error),
        };
        told(outcome, &host);
    }

    /// Loads the model's teacher-forcing twin, whose file `manifest` is among `files`, onto the same device.
    #[wasm_bindgen(js_name = loadTwin)]
    pub async fn load_twin(&self, manifest: String, files: JsFiles, host: JsHost) -> Option<WebEngine> {
        let (files, host) = (WebFiles::new(files), self.listen(host));
        let engine = told(self.engine.load_twin(&manifest, &files, &host).await, &host)?;
        Some(Self {
            engine,
            files,
            stop: Rc::new(Stop::default()),
            training: RefCell::new(None),
        })
    }

    /// Sets a training up in place of the one before, from `checkpoint` if there is one. Its data are `captions` with their
    /// pictures in `bytes`, or `part` of the composed data set with its drawings there.
    pub async fn begin(
        &self,
        study: JsValue,
        part: Option<String>,
        captions: Vec<String>,
        bytes: Vec<u8>,
        checkpoint: Option<Vec<u8>>,
        host: JsHost,
    ) {
        let host = self.listen(host);
        self.training.take();
        let material = match part {
            Some(part) => Material::Emoji { bank: bytes, part },
            None => Material::Pictures { captions, rgba: bytes },
        };
        let checkpoint = checkpoint.as_deref();
        let outcome = match read::<Study>(study) {
            Ok(study) => self.engine.begin(study, material, checkpoint, &self.files, &host).await,
            Err(error) => Err(error),
        };
        self.training.replace(told(outcome, &host));
    }

    /// Trains on, until all steps of `pace` are done or [`cancel`](Self::cancel) is called.
    pub async fn train(&self, pace: JsValue, keep: JsKeep, host: JsHost) {
        let host = self.listen(host);
        let outcome = self.go_on(pace, &WebKeep::new(keep), &host).await;
        told(outcome, &host);
    }

    async fn go_on(&self, pace: JsValue, keep: &WebKeep, host: &WorkerHost) -> Result<(), EngineError> {
        let pace: Pace = read(pace)?;
        let mut session = self.training.take().ok_or(EngineError::NoTraining)?;
        let outcome = session.run(pace, keep, host).await;
        // After an error of a step the weights are worth nothing; the checkpoint has those before.
        if !matches!(outcome, Err(EngineError::Training(_) | EngineError::DeviceLost(_))) {
            self.training.replace(Some(session));
        }
        outcome
    }

    /// Tells the trained model's files.
    pub async fn pack(&self, name: String, host: JsHost) {
        let host = self.listen(host);
        let session = self.training.take();
        let outcome = match &session {
            Some(session) => session.pack(&name, &self.files).await,
            None => Err(EngineError::NoTraining),
        };
        self.training.replace(session);
        if let Some(files) = told(outcome, &host) {
            host.emit(Event::Packed { files });
        }
    }

    /// Ends the work at hand, a training after its step.
    pub fn cancel(&self) {
        self.stop.ask();
    }

    fn listen(&self, host: JsHost) -> WorkerHost {
        self.stop.clear();
        WorkerHost::new(host, self.stop.clone()).on(self.engine.device())
    }
}

/// An error becomes an event.
fn told<T>(outcome: Result<T, EngineError>, host: &WorkerHost) -> Option<T> {
    outcome.map_err(|error| host.emit(error.event())).ok()
}

fn read<T: DeserializeOwned>(value: JsValue) -> Result<T, EngineError> {
    serde_wasm_bindgen::from_value(value).map_err(|error| EngineError::Options(error.to_string()))
}

async fn open(device: &str, tuning: Option<&str>, host: &WorkerHost) -> Result<Device, EngineError> {
    if device != "webgpu" {
        return Ok(Device::flex());
    }
    let gpu = Gpu::open().await?;
    gpu.tune(tuning, &|| host.now()).await;
    Ok(gpu.device)
}
