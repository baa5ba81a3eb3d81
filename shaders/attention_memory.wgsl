// What attention.wgsl and attention_split.wgsl read and write: queries, keys and values in fours, f32 if WHOLE; keys and values f16 if HALVED.

@group(0) @binding(0) var<storage, read_write> queries: array<vec4<f32>>;
#if WHOLE
@group(0) @binding(1) var<storage, read_write> keys: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> values: array<vec4<f32>>;
#end
#if HALVED
@group(0) @binding(1) var<storage, read_write> keys: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> values: array<vec2<u32>>;
#end
@group(0) @binding(3) var<storage, read_write> result: array<vec4<f32>>;
#if WHOLE
fn numbers(whole: vec4<f32>) -> vec4<f32> {
    return whole;
}
#end
#if HALVED
fn numbers(halves: vec2<u32>) -> vec4<f32> {
    return vec4(unpack2x16float(halves.x), unpack2x16float(halves.y));
}
#end
