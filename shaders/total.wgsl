// The sum over a workgroup, which every invocation gets. Stands before the shaders of src/kernels/norm.rs, as WGSL cannot include.

const LANES = ${LANES}u;

var<workgroup> sums: array<f32, LANES>;

fn total(lane: u32, part: f32) -> f32 {
    sums[lane] = part;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            sums[lane] += sums[lane + half];
        }
    }
    workgroupBarrier();
    let result = sums[0];
    workgroupBarrier();
    return result;
}
