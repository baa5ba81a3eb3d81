//! The graphics card: WebGPU in a browser, Vulkan, Metal or Direct3D elsewhere.

use super::EngineError;
use crate::kernels::set_staged;
use crate::kernels::tuning::{self, Choice};
use burn::tensor::Device;
use burn_wgpu::WgpuSetup;
use wgpu::{AdapterInfo, DeviceType};

/// The graphics card as burn's device, and what it calls itself.
pub struct Gpu {
    pub device: Device,
    /// Such as `NVIDIA H100 (Vulkan)`.
    pub name: String,
    /// Whether it says that it computes on the processor; browsers keep that to themselves.
    software: bool,
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
            software: card.device_type == DeviceType::Cpu,
        })
    }

    /// Has products be computed in the quickest ways from now on: those that were `known`, as an earlier [`tuned`] wrote them,
    /// or else those that are measured now, for which `now` tells milliseconds.
    pub async fn tune(&self, known: Option<&str>, now: &dyn Fn() -> f64) {
        let choice = match known.and_then(Choice::parse) {
            Some(known) => Some(known),
            None if self.software => Some(Choice::SOFTWARE),
            None => tuning::measure(&self.device, now).await,
        };
        if let Some(choice) = choice {
            choice.apply();
        }
    }
}

/// The ways that [`Gpu::tune`] chose, to be kept under the card's name.
pub fn tuned() -> String {
    tuning::chosen().describe()
}

/// Browsers may keep the card's name to themselves.
fn name(card: &AdapterInfo) -> String {
    match card.name.as_str() {
        "" => card.backend.to_string(),
        name => format!("{name} ({})", card.backend),
    }
}
