// Rows of a table [V, C] by their index: result [L, C], C in vec4s. The table is f32 if F32, f16 if F16. One invocation per vec4.
// The launcher is in src/kernels/embedding.rs; the reference implementation is burn's select.

#if F32
@group(0) @binding(0) var<storage, read_write> table: array<vec4<f32>>;
#end
#if F16
@group(0) @binding(0) var<storage, read_write> table: array<vec2<u32>>;
#end
@group(0) @binding(1) var<storage, read_write> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;
#sizes

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    if at.x >= sizes.LENGTH * sizes.WIDTH {
        return;
    }
    let numbers = table[ids[at.x / sizes.WIDTH] * sizes.WIDTH + at.x % sizes.WIDTH];
    #if F32
    result[at.x] = numbers;
    #end
    #if F16
    result[at.x] = vec4(unpack2x16float(numbers.x), unpack2x16float(numbers.y));
    #end
}
