//! Interfaces that the engine needs from its surroundings: the host thread, a store for checkpoints, the model's files.

use super::EngineError;
use super::protocol::Event;
use std::future::{Future, pending};

/// The thread the engine runs on: a web worker, or the command line.
pub trait Host {
    fn emit(&self, event: Event);

    /// Whether the command was cancelled; polled between layers.
    fn cancelled(&self) -> bool;

    /// Yields to the event loop, so that waiting messages are handled, a cancel among them. Awaited between layers.
    fn yield_now(&self) -> impl Future<Output = ()>;

    /// Resolves when the command is cancelled, so that a wait for the device can end early. A host without it can
    /// cancel only between layers.
    fn until_cancelled(&self) -> impl Future<Output = ()> {
        pending()
    }

    /// Milliseconds of a monotonic clock.
    fn now(&self) -> f64;
}

/// A persistent store for the checkpoint of a training.
pub trait CheckpointStore {
    /// Replaces the previous checkpoint by that of `step`; after a failure the previous one is still there.
    fn save(&self, step: usize, checkpoint: Vec<u8>) -> impl Future<Output = Result<(), EngineError>>;
}

/// A model's files: a folder, or an address to download from.
pub trait Files {
    /// A whole file by its path from the manifest's folder; `progress` is called with the number of bytes read so far.
    fn read(&self, path: &str, progress: &mut dyn FnMut(u64)) -> impl Future<Output = Result<Vec<u8>, EngineError>>;
}
