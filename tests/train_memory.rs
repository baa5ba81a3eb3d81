//! Training must not grow: every byte that the process holds is counted over hundreds of steps on the CPU engine.

use burn::tensor::Device;
use infinity::engine::protocol::{Event, Fresh, TrainConfig, TrainSchedule};
use infinity::engine::train::TrainingData;
use infinity::engine::{CheckpointStore, Engine, EngineError, Files, Host};
use pollster::block_on;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicIsize, Ordering};

#[path = "../examples/tiny_model.rs"]
#[allow(dead_code, reason = "the example's own main")]
mod tiny_model;

/// Counts what is held.
struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as isize, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, path: &str, _: &mut dyn FnMut(u64)) -> impl Future<Output = Result<Vec<u8>, EngineError>> {
        ready(Ok(std::fs::read(self.0.join(path)).unwrap()))
    }
}

/// Notes how much is held after every step.
#[derive(Default)]
struct Scales(RefCell<Vec<isize>>);

impl Host for Scales {
    fn emit(&self, event: Event) {
        if let Event::Step { .. } = event {
            self.0.borrow_mut().push(HELD.load(Ordering::Relaxed));
        }
    }

    fn cancelled(&self) -> bool {
        false
    }

    fn yield_now(&self) -> impl Future<Output = ()> {
        ready(())
    }

    fn now(&self) -> f64 {
        0.0
    }
}

impl CheckpointStore for Scales {
    fn save(&self, _: usize, _: Vec<u8>) -> impl Future<Output = Result<(), EngineError>> {
        ready(Ok(()))
    }
}

#[test]
fn five_hundred_steps_hold_no_more_than_fifty() {
    let folder = tempfile::tempdir().unwrap();
    let files = Folder(folder.path().join("tiny"));
    let tokenizer = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/t5_tokenizer.json");
    tiny_model::write(&files.0, &std::fs::read(tokenizer).unwrap()).unwrap();
    let host = Scales(RefCell::new(Vec::with_capacity(500)));
    let engine = block_on(Engine::load("manifest.json", &files, &Device::flex(), &host)).unwrap();
    let material = TrainingData::Pictures {
        captions: vec!["a red apple".into()],
        rgba: (0..4 * 128 * 128).map(|i| (i / 7) as u8).collect(),
    };
    let study = TrainConfig {
        fresh: Some(Fresh { width: 32, depth: 1 }),
        batch: 1,
        seed: 1.0,
    };
    let mut session = block_on(engine.begin(study, material, None, &files, &host)).unwrap();
    let pace = TrainSchedule {
        learning_rate: 1e-3,
        flips: 0.3,
        steps: 500,
        sample_every: 100,
        save_every: 100,
    };
    block_on(session.run(pace, &host, &host)).unwrap();
    let held = host.0.into_inner();
    assert_eq!(held.len(), 500);
    // What a step leaves goes up and down with its batch; the least of fifty steps is what stays.
    let least = |range: std::ops::Range<usize>| held[range].iter().min().copied().unwrap();
    let (early, late) = (least(50..100), least(450..500));
    assert!(
        late - early < 64 << 10,
        "{early} bytes were held after 50 steps and {late} after 500"
    );
}
