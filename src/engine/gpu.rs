//! The graphics card: WebGPU in a browser, Vulkan, Metal or Direct3D elsewhere.

use super::EngineError;
use crate::kernels::set_staged;
use burn::tensor::Device;
use burn_wgpu::WgpuSetup;
use wgpu::{AdapterInfo, DeviceType};

/// The graphics card as burn's device, and what it calls itself.
pub struct Gpu {
    pub device: Device,
    /// Such as `NVIDIA H100 (Vulkan)`.
    pub name: String,
}

impl Gpu {
    /// Opens the fastest card. A process, and in a page a worker, can do so once.
    pub async fn open() -> Result<Self, EngineError> {
        let opened = Device::wgpu_options().init_with_setup_async().await;
        let (device, WgpuSetup { adapter, .. }) = opened.map_err(|error| EngineError::Device {
            engine: "WebGPU",
            reason: error.to_string(),
        })?;
        let card = adapter.get_info();
        set_staged(card.device_type != DeviceType::Cpu);
        Ok(Self {
            device,
            name: name(&card),
        })
    }
}

/// Browsers may keep the card's name to themselves.
fn name(card: &AdapterInfo) -> String {
    match card.name.as_str() {
        "" => card.backend.to_string(),
        name => format!("{name} ({})", card.backend),
    }
}
