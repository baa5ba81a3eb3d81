// A decoded image [3, H, W] in [-1, 1] becomes pixels [H, W]: red in the lowest byte, alpha, always 255, in the highest.
// The launcher and the reference implementation are in src/kernels/image.rs.

@group(0) @binding(0) var<storage, read_write> planes: array<f32>;
@group(0) @binding(1) var<storage, read_write> pixels: array<u32>;
#sizes

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let AREA = sizes.AREA;
    let i = at.x;
    if i >= AREA {
        return;
    }
    let colour = vec3(planes[i], planes[AREA + i], planes[2u * AREA + i]);
    // Not pack4x8unorm: adapters may round its halves either way.
    let levels = vec3<u32>(clamp(floor((colour + 1.0) * 127.5 + 0.5), vec3(0.0), vec3(255.0)));
    pixels[i] = levels.r | (levels.g << 8u) | (levels.b << 16u) | 0xff000000u;
}
