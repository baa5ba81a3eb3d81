//! The GPU: WebGPU in a browser, Vulkan, Metal or Direct3D elsewhere.

use super::EngineError;
use crate::kernels::autotune::Tuning;
use crate::kernels::set_fast_workgroup_memory;
use burn::tensor::Device;
use burn_wgpu::WgpuSetup;
use wgpu::{AdapterInfo, DeviceType};

/// The GPU as burn's device, and its name.
pub struct Gpu {
    pub device: Device,
    /// Such as `NVIDIA H100 (Vulkan)`.
    pub name: String,
    /// Whether it is a software adapter that computes on the CPU. Browsers do not report that.
    software: bool,
}

impl Gpu {
    /// Opens the fastest GPU. A process, and in a page a worker, can do so once.
    pub async fn open() -> Result<Self, EngineError> {
        let opened = Device::wgpu_options().init_with_setup_async().await;
        let (device, WgpuSetup { adapter, .. }) = opened.map_err(|error| EngineError::Device {
            engine: "WebGPU",
            reason: error.to_string(),
        })?;
        let info = adapter.get_info();
        set_fast_workgroup_memory(info.device_type != DeviceType::Cpu);
        Ok(Self {
            device,
            name: name(&info),
            software: info.device_type == DeviceType::Cpu,
        })
    }

    /// Uses the quickest kernel variants from now on: those that were `known`, as an earlier [`tuned`] wrote them for
    /// the same candidates, or else those that are measured now, for which `now` says milliseconds.
    pub async fn tune(&self, known: Option<&str>, now: &dyn Fn() -> f64) {
        let tuning = match known.and_then(Tuning::parse) {
            Some(known) => Some(known),
            None if self.software => Some(Tuning::SOFTWARE),
            None => Tuning::measure(&self.device, now).await,
        };
        if let Some(tuning) = tuning {
            tuning.apply();
        }
    }
}

/// The kernel variants that [`Gpu::tune`] chose, to be kept under the GPU's name.
pub fn tuned() -> String {
    Tuning::current().describe()
}

/// Name of the adapter; browsers may not report it.
fn name(adapter: &AdapterInfo) -> String {
    match adapter.name.as_str() {
        "" => adapter.backend.to_string(),
        name => format!("{name} ({})", adapter.backend),
    }
}
