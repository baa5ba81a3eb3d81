//! `--device`: where tensors live.

use crate::engine::EngineError;
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
            Self::Webgpu => Device::wgpu_options().init().map_err(|error| EngineError::Device {
                engine: "WebGPU",
                reason: error.to_string(),
            }),
        }
    }
}
