// Rows of a table [V, C] by their numbers: result [L, C], C in fours. The table is f32 if WHOLE, f16 if HALVED. An invocation takes
// four numbers. The launcher and the twin in plain tensor operations are in src/kernels/rows.rs.

#if WHOLE
@group(0) @binding(0) var<storage, read_write> table: array<vec4<f32>>;
#end
#if HALVED
@group(0) @binding(0) var<storage, read_write> table: array<vec2<u32>>;
#end
@group(0) @binding(1) var<storage, read_write> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;
#sizes

@compute @workgroup_size(${LANES}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    if at.x >= sizes.LENGTH * sizes.WIDTH {
        return;
    }
    let numbers = table[ids[at.x / sizes.WIDTH] * sizes.WIDTH + at.x % sizes.WIDTH];
    #if WHOLE
    result[at.x] = numbers;
    #end
    #if HALVED
    result[at.x] = vec4(unpack2x16float(numbers.x), unpack2x16float(numbers.y));
    #end
}
