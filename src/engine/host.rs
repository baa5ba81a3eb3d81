//! What the engine needs from where it runs: a thread that listens, and a place that holds the model's files.

use super::EngineError;
use super::protocol::Event;
use std::future::{Future, pending};

/// The thread the engine runs on: a web worker, or the command line.
pub trait Host {
    fn emit(&self, event: Event);

    /// Asked between layers; true ends the generation.
    fn cancelled(&self) -> bool;

    /// Lets waiting messages in, a cancel among them. Awaited between layers.
    fn breathe(&self) -> impl Future<Output = ()>;

    /// Ends when the host asks to stop, so that a wait for the device can give way. A host that leaves it out is heard between
    /// layers.
    fn stopped(&self) -> impl Future<Output = ()> {
        pending()
    }

    /// Milliseconds of a clock that never goes back.
    fn now(&self) -> f64;
}

/// A place that outlives the process, for a training's checkpoint.
pub trait Keep {
    /// Puts the checkpoint of `step` in the place of the one before; a failure leaves that one there.
    fn save(&self, step: usize, checkpoint: Vec<u8>) -> impl Future<Output = Result<(), EngineError>>;
}

/// A model's files: a folder, or an address to download from.
pub trait Files {
    /// A whole file by its path from the manifest's folder; `progress` hears how many bytes have come so far.
    fn read(&self, path: &str, progress: &mut dyn FnMut(u64)) -> impl Future<Output = Result<Vec<u8>, EngineError>>;
}
