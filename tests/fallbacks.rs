//! On the GPU the shipped model runs no reference implementation because a kernel did not fit: neither for an image nor
//! for a training step.

use burn::tensor::{Device, DeviceKind};
use infinity::engine::protocol::{Event, Options, TrainConfig, TrainSchedule};
use infinity::engine::train::TrainingData;
use infinity::engine::{CheckpointStore, Engine, EngineError, Files, Host};
use infinity::kernels::matmul::WeightFormat;
use infinity::kernels::runtime::fallbacks::Fallback;
use infinity::kernels::set_fast_workgroup_memory;
use pollster::block_on;
use std::cell::RefCell;
use std::future::ready;
use std::path::Path;

/// Pixels a side of an image.
const SIDE: usize = 128;

/// The folder of the model that the page ships.
struct Shipped;

impl Files for Shipped {
    fn read(&self, path: &str, _: &mut dyn FnMut(u64)) -> impl Future<Output = Result<Vec<u8>, EngineError>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
        ready(std::fs::read(folder.join(path)).map_err(|_| EngineError::NoEncoder))
    }
}

/// Holds the fallbacks of every image and every training step.
#[derive(Default)]
struct Listener(RefCell<Vec<Vec<Fallback>>>);

impl Host for Listener {
    fn emit(&self, event: Event) {
        if let Event::Finished { fallbacks, .. } | Event::Step { fallbacks, .. } = event {
            self.0.borrow_mut().push(fallbacks);
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

impl CheckpointStore for Listener {
    fn save(&self, _: usize, _: Vec<u8>) -> impl Future<Output = Result<(), EngineError>> {
        ready(Ok(()))
    }
}

fn gpu() -> Device {
    let opened = Device::wgpu_options().device_kind(DeviceKind::DefaultDevice).init();
    opened.expect("a Vulkan adapter for the tests: install mesa-vulkan-drivers")
}

#[test]
fn images_and_training_steps_of_the_shipped_model_have_none() {
    let (device, listener) = (gpu(), Listener::default());
    // As on a software adapter, then as on a GPU, where training has kernels of its own.
    for (fast, format) in [(false, WeightFormat::F32), (true, WeightFormat::Q8)] {
        set_fast_workgroup_memory(fast);
        let loading = Engine::load_as(format, "manifest.json", &Shipped, &device, &listener);
        let engine = block_on(loading).unwrap();
        let options = Options {
            prompt: "a red apple".to_string(),
            ..Options::default()
        };
        block_on(engine.generate(options, &listener)).unwrap();
    }
    let loading = Engine::load("manifest.json", &Shipped, &device, &listener);
    let engine = block_on(loading).unwrap();
    for fast in [false, true] {
        set_fast_workgroup_memory(fast);
        let config = TrainConfig {
            fresh: None,
            batch: 1,
            seed: 1.0,
        };
        let data = TrainingData::Pictures {
            captions: vec!["a red apple".to_string()],
            rgba: (0..4 * SIDE * SIDE).map(|i| (i * 7919 % 251) as u8).collect(),
        };
        let mut session = block_on(engine.begin(config, data, None, &Shipped, &listener)).unwrap();
        let schedule = TrainSchedule {
            learning_rate: 1e-5,
            flips: 0.2,
            steps: 1,
            sample_every: 2,
            save_every: 2,
        };
        block_on(session.run(schedule, &listener, &listener)).unwrap();
    }
    assert_eq!(listener.0.into_inner(), vec![Vec::new(); 4]);
}
