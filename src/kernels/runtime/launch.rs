//! The launch of a kernel: its WGSL with its constants compiled in, its sizes in a uniform, its buffers bound.
//!
//! Whatever a shader does not unroll by is a size and no constant: compiling it again for every shape of an image took longer
//! than drawing the image.

use super::template::{Wgsl, expand};
use burn_cubecl::cubecl::CubeDim;
use burn_cubecl::cubecl::prelude::{CubeCount, KernelId};
use burn_cubecl::cubecl::server::{KernelArguments, MetadataBindingInfo};
use burn_cubecl::template::{KernelSource, SourceKernel, SourceTemplate};
use burn_cubecl::tensor::CubeTensor;

/// Names and values that a shader is written for.
pub type Constants = Vec<(&'static str, usize)>;

/// One launch of a shader.
pub struct Shader {
    pub source: Wgsl,
    /// Compiled in.
    pub constants: Constants,
    /// In a uniform behind the buffers.
    pub sizes: Constants,
    /// Invocations of a workgroup, along its first axis.
    pub workgroup_size: u32,
}

/// The workgroup size of a shader with one invocation per element.
pub const ELEMENTWISE: u32 = 64;

impl Shader {
    /// Runs one invocation for each of `count` elements at least.
    pub fn launch_each(self, count: usize, buffers: &[&CubeTensor]) {
        let workgroups = count.div_ceil(self.workgroup_size as usize);
        self.launch([workgroups, 1, 1], buffers);
    }

    /// Its WGSL, with the uniform of sizes behind so many buffers.
    pub fn wgsl(&self, buffers: usize) -> String {
        let mut constants = self.constants.clone();
        constants.push(("WORKGROUP_SIZE", self.workgroup_size as usize));
        let sizes: Vec<&str> = self.sizes.iter().map(|&(name, _)| name).collect();
        expand(self.source.text, &constants, &sizes, buffers)
    }

    /// Runs `groups` workgroups on `buffers`, in the order of their bindings.
    pub fn launch(self, groups: [usize; 3], buffers: &[&CubeTensor]) {
        debug_assert!(
            (1..buffers.len()).all(|i| buffers[..i].iter().all(|other| !overlap(buffers[i], other))),
            "{}: WebGPU refuses buffers that overlap, as each could be written",
            self.source.path
        );
        let [x, y, z] = groups.map(|count| count as u32);
        let workgroup_size = self.workgroup_size;
        let sizes: Vec<u64> = self.sizes.iter().map(|&(_, size)| size as u64).collect();
        // 32 bits each, and the whole a multiple of 16 bytes.
        let packed = sizes.chunks(4).flat_map(|four| {
            let size = |i: usize| four.get(i).copied().unwrap_or(0);
            [size(0) | size(1) << 32, size(2) | size(3) << 32]
        });
        let arguments = KernelArguments::new().with_info(MetadataBindingInfo::custom(packed.collect()));
        let arguments = buffers.iter().fold(arguments, |arguments, buffer| {
            arguments.with_buffer(buffer.handle.clone().binding())
        });
        let source = Compiled {
            shader: self,
            buffers: buffers.len(),
        };
        let kernel = SourceKernel::new(source, CubeDim::new_1d(workgroup_size));
        buffers[0]
            .client
            .launch(Box::new(kernel), CubeCount::Static(x, y, z), arguments);
    }
}

/// Whether two tensors have bytes in common.
fn overlap(one: &CubeTensor, other: &CubeTensor) -> bool {
    let bytes = |x: &CubeTensor| {
        let start = x.handle.offset_start.unwrap_or(0);
        (start, start + x.handle.size_in_used())
    };
    let ((start, end), (from, to)) = (bytes(one), bytes(other));
    let (memory, lent) = (&one.handle.memory, &other.handle.memory);
    std::ptr::eq(memory.descriptor(), lent.descriptor()) && start < to && from < end
}

/// What is compiled: once for all sizes.
struct Compiled {
    shader: Shader,
    buffers: usize,
}

impl KernelSource for Compiled {
    fn source(&self) -> SourceTemplate {
        SourceTemplate::new(self.shader.wgsl(self.buffers))
    }

    fn id(&self) -> KernelId {
        let Shader {
            source,
            constants,
            workgroup_size,
            ..
        } = &self.shader;
        KernelId::new::<Self>().info((source.path, constants.clone(), *workgroup_size, self.buffers))
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// The constant as which a shader takes a float: its bits.
pub fn float_bits(value: f64) -> usize {
    (value as f32).to_bits() as usize
}
