//! `--device`: where tensors live.

use crate::engine::{EngineError, Gpu, tuned};
use burn::tensor::Device;
use clap::ValueEnum;
use std::time::Instant;

/// The two engines of the page, natively.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Processor {
    Cpu,
    /// The GPU, through Vulkan, Metal or Direct3D
    Webgpu,
}

impl Processor {
    pub fn open(self) -> Result<Device, EngineError> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Webgpu => {
                let gpu = pollster::block_on(Gpu::open())?;
                let began = Instant::now();
                pollster::block_on(gpu.tune(None, &|| began.elapsed().as_secs_f64() * 1e3));
                eprintln!("computing on {}, kernel variants: {}", gpu.name, tuned());
                Ok(gpu.device)
            }
        }
    }
}
