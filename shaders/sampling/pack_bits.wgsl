// Bits [B L, d] into words [B L, ceil(d / 32)]: bit p at position p mod 32 of word p / 32. One invocation per word.
// The launcher is in src/kernels/sampling/pack_bits.rs, the reference implementation in src/kernels/reference/bits.rs.

@group(0) @binding(0) var<storage, read_write> bits: array<i32>;
@group(0) @binding(1) var<storage, read_write> words: array<u32>;
#sizes

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let per_token = (sizes.DEPTH + 31u) / 32u;
    if at.x >= sizes.TOKENS * per_token {
        return;
    }
    let first = at.x % per_token * 32u;
    let start = at.x / per_token * sizes.DEPTH + first;
    var word = 0u;
    for (var p = 0u; p < min(32u, sizes.DEPTH - first); p++) {
        word |= u32(bits[start + p] & 1) << p;
    }
    words[at.x] = word;
}
