// What attention.wgsl and attention_split.wgsl read and write, in vec4s. Keys and values are f32 if F32, f16 if F16.

@group(0) @binding(0) var<storage, read_write> queries: array<vec4<f32>>;
#if F32
@group(0) @binding(1) var<storage, read_write> keys: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> values: array<vec4<f32>>;
#end
#if F16
@group(0) @binding(1) var<storage, read_write> keys: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> values: array<vec2<u32>>;
#end
@group(0) @binding(3) var<storage, read_write> result: array<vec4<f32>>;
#if F32
fn as_f32(whole: vec4<f32>) -> vec4<f32> {
    return whole;
}
#end
#if F16
fn as_f32(pairs: vec2<u32>) -> vec4<f32> {
    return vec4(unpack2x16float(pairs.x), unpack2x16float(pairs.y));
}
#end
