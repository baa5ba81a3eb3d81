//! `--device`: where tensors live.

use crate::engine::{EngineError, Gpu};
use burn::tensor::Device;
use clap::ValueEnum;

/// The two engines of the page, natively.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Processor {
    Cpu,
    /// The graphics card, through Vulkan, Metal or Direct3D
    Webgpu,
}

impl Processor {
    pub fn open(self) -> Result<Device, EngineError> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Webgpu => {
                let gpu = pollster::block_on(Gpu::open())?;
                eprintln!("computing on {}", gpu.name);
                Ok(gpu.device)
            }
        }
    }
}
