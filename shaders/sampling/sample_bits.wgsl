// Bits of one scale. If GUIDED the logits are [2B, L, d, 2], of which the second half is the unconditional one, else [B, L, d, 2]; they
// are divided by TAU. If RANDOM a bit is 1 where its difference exceeds its threshold [B, L, d]; else, and where the probability of its
// less likely value is at most UNLIKELY (top-p), it is greedy: 1 where its difference exceeds zero. One invocation per bit.
// The launcher and the reference implementation are in src/kernels/sampling/sample_bits.rs.

@group(0) @binding(0) var<storage, read_write> logits: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> guided: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> sampled: array<i32>;
#if RANDOM
@group(0) @binding(3) var<storage, read_write> thresholds: array<f32>;
#end
#sizes

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let i = at.x;
    if i >= sizes.BITS {
        return;
    }
    var value = logits[i];
    #if GUIDED
    value = value * bitcast<f32>(sizes.CFG) + logits[sizes.BITS + i] * bitcast<f32>(sizes.REST);
    #end
    value /= bitcast<f32>(sizes.TAU);
    guided[i] = value;
    let difference = value.y - value.x;
    var bit = difference > 0.0;
    #if RANDOM
    // The less likely value has probability sigmoid(-|D|).
    if 1.0 / (1.0 + exp(abs(difference))) > bitcast<f32>(sizes.UNLIKELY) {
        bit = difference > thresholds[i];
    }
    #end
    sampled[i] = i32(bit);
}
