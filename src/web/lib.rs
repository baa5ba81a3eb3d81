//! The boundary to the page's worker: parses options, calls the engine, posts events. No mathematics.

mod cancel;
mod checkpoint_store;
mod files;
mod host;
mod memory;

use burn::tensor::Device;
use cancel::CancelToken;
use checkpoint_store::{JsCheckpointStore, WebCheckpointStore};
use files::{JsFiles, WebFiles};
use host::{JsHost, WorkerHost};
use infinity::engine::protocol::{Bits, Event, Flips, Options, PROTOCOL, Picture, TrainConfig, TrainSchedule};
use infinity::engine::train::{Session, TrainingData};
use infinity::engine::{Engine, EngineError, Gpu, Host, tuned};
use infinity::kernels::{self, matmul::WeightFormat};
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Runs the constructors with which burn's shader compiler registers its parts, once.
///
/// If no code calls them, the linker has every exported function call them first: on each allocation and each answer of
/// the browser, which was most of what an image took on WebGPU.
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

/// The kernel variants that were chosen when a model was loaded on WebGPU, to be stored under the GPU's name.
#[wasm_bindgen]
pub fn tuning() -> String {
    tuned()
}

/// Switches WebGPU between this project's shaders and burn's operations, to measure both in one page
/// (bench-web/page.js).
#[wasm_bindgen(js_name = useShaders)]
pub fn use_shaders(on: bool) {
    kernels::set_kernels_enabled(on);
}

/// A loaded model on one device. Errors go to the host as events, never as exceptions.
#[wasm_bindgen]
pub struct WebEngine {
    engine: Engine,
    files: WebFiles,
    cancel: Rc<CancelToken>,
    /// The training that is set up. It is taken out while it runs.
    training: RefCell<Option<Session>>,
}

#[wasm_bindgen]
impl WebEngine {
    /// Builds the model that the file `manifest` describes, on `"webgpu"` or `"cpu"`. `weights` is the format in which
    /// a GPU stores the weights of layers: `"f32"`, `"f16"`, `"q8"` or `"q4"`. `tuning` is the result of [`tuning`] on
    /// the same GPU, or `software`; left out, the GPU is measured, which takes a second.
    pub async fn load(
        manifest: String,
        files: JsFiles,
        device: String,
        weights: String,
        tuning: Option<String>,
        host: JsHost,
    ) -> Option<WebEngine> {
        memory::name_panics();
        let (files, cancel) = (WebFiles::new(files), Rc::new(CancelToken::default()));
        let host = WorkerHost::new(host, cancel.clone());
        let form = WeightFormat::named(&weights).unwrap_or_default();
        let device = report(open(&device, tuning.as_deref(), &host).await, &host)?;
        let host = host.on(&device);
        let loading = Engine::load_as(form, &manifest, &files, &device, &host);
        let engine = report(loading.await, &host)?;
        Some(Self {
            engine,
            files,
            cancel,
            training: RefCell::new(None),
        })
    }

    /// Generates one image. All events, the last one included, go to `host`.
    pub async fn generate(&self, options: JsValue, host: JsHost) {
        let host = self.listen(host);
        let outcome = match read::<Options>(options) {
            Ok(options) => self.engine.generate(options, &host).await,
            Err(error) => Err(error),
        };
        report(outcome, &host);
    }

    /// Decodes `bits` and emits their image.
    pub async fn decode(&self, bits: JsValue, host: JsHost) {
        let host = self.listen(host);
        let outcome = match read::<Bits>(bits) {
            Ok(bits) => self.engine.decode(bits, &host).await,
            Err(error) => Err(error),
        };
        report(outcome, &host);
    }

    /// Encodes a picture, in the size of the shape `aspect`, into bits, and emits the image of these bits.
    pub async fn encode(&self, aspect: String, rgba: Vec<u8>, host: JsHost) {
        let host = self.listen(host);
        let picture = Picture { aspect, rgba };
        report(self.engine.encode(picture, &self.files, &host).await, &host);
    }

    /// Compares the ablation arms of `flips` on the image of `bits`.
    #[wasm_bindgen(js_name = flipBits)]
    pub async fn flip_bits(&self, bits: JsValue, flips: JsValue, host: JsHost) {
        let host = self.listen(host);
        let outcome = match (read::<Bits>(bits), read::<Flips>(flips)) {
            (Ok(bits), Ok(flips)) => self.engine.flip_bits(bits, flips, &host).await,
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        report(outcome, &host);
    }

    /// Compares the ablation arms of `flips` on a picture in the size of the shape `aspect`.
    #[wasm_bindgen(js_name = flipPicture)]
    pub async fn flip_picture(&self, aspect: String, rgba: Vec<u8>, flips: JsValue, host: JsHost) {
        let host = self.listen(host);
        let picture = Picture { aspect, rgba };
        let outcome = match read::<Flips>(flips) {
            Ok(flips) => self.engine.flip_picture(picture, flips, &self.files, &host).await,
            Err(error) => Err(error),
        };
        report(outcome, &host);
    }

    /// Loads the model's teacher-forced baseline, whose file `manifest` is among `files`, onto the same device.
    #[wasm_bindgen(js_name = loadTwin)]
    pub async fn load_baseline(&self, manifest: String, files: JsFiles, host: JsHost) -> Option<WebEngine> {
        let (files, host) = (WebFiles::new(files), self.listen(host));
        let engine = report(self.engine.load_baseline(&manifest, &files, &host).await, &host)?;
        Some(Self {
            engine,
            files,
            cancel: Rc::new(CancelToken::default()),
            training: RefCell::new(None),
        })
    }

    /// Sets up a training in place of the previous one, from `checkpoint` if there is one. Its data are `captions` with
    /// their pictures in `bytes`, or `part` of the composed data set with its drawings in `bytes`.
    pub async fn begin(
        &self,
        config: JsValue,
        part: Option<String>,
        captions: Vec<String>,
        bytes: Vec<u8>,
        checkpoint: Option<Vec<u8>>,
        host: JsHost,
    ) {
        let host = self.listen(host);
        self.training.take();
        let data = match part {
            Some(part) => TrainingData::Emoji { bank: bytes, part },
            None => TrainingData::Pictures { captions, rgba: bytes },
        };
        let checkpoint = checkpoint.as_deref();
        let outcome = match read::<TrainConfig>(config) {
            Ok(config) => self.engine.begin(config, data, checkpoint, &self.files, &host).await,
            Err(error) => Err(error),
        };
        self.training.replace(report(outcome, &host));
    }

    /// Trains until all steps of `schedule` are done or [`cancel`](Self::cancel) is called.
    pub async fn train(&self, schedule: JsValue, store: JsCheckpointStore, host: JsHost) {
        let host = self.listen(host);
        let outcome = self
            .run_training(schedule, &WebCheckpointStore::new(store), &host)
            .await;
        report(outcome, &host);
    }

    async fn run_training(
        &self,
        schedule: JsValue,
        store: &WebCheckpointStore,
        host: &WorkerHost,
    ) -> Result<(), EngineError> {
        let schedule: TrainSchedule = read(schedule)?;
        let mut session = self.training.take().ok_or(EngineError::NoTraining)?;
        let outcome = session.run(schedule, store, host).await;
        // After an error within a step the weights are unusable; the checkpoint holds those before it.
        if !matches!(outcome, Err(EngineError::Training(_) | EngineError::DeviceLost(_))) {
            self.training.replace(Some(session));
        }
        outcome
    }

    /// Emits the trained model's files.
    pub async fn pack(&self, name: String, host: JsHost) {
        let host = self.listen(host);
        let session = self.training.take();
        let outcome = match &session {
            Some(session) => session.pack(&name, &self.files).await,
            None => Err(EngineError::NoTraining),
        };
        self.training.replace(session);
        if let Some(files) = report(outcome, &host) {
            host.emit(Event::Packed { files });
        }
    }

    /// Cancels the current command; a training ends after its step.
    pub fn cancel(&self) {
        self.cancel.request();
    }

    fn listen(&self, host: JsHost) -> WorkerHost {
        self.cancel.clear();
        WorkerHost::new(host, self.cancel.clone()).on(self.engine.device())
    }
}

/// Reports an error as an event.
fn report<T>(outcome: Result<T, EngineError>, host: &WorkerHost) -> Option<T> {
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
