// A reduction: the sum over a workgroup, which every invocation gets.

const WORKGROUP_SIZE = ${WORKGROUP_SIZE}u;

var<workgroup> sums: array<f32, WORKGROUP_SIZE>;

fn total(local_index: u32, part: f32) -> f32 {
    sums[local_index] = part;
    for (var half = WORKGROUP_SIZE / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local_index < half {
            sums[local_index] += sums[local_index + half];
        }
    }
    workgroupBarrier();
    let result = sums[0];
    workgroupBarrier();
    return result;
}
