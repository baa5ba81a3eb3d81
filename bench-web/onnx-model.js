// An ONNX model of one matmul y = x W, [rows, k] times [k, n], with W inside: the few messages of onnx.proto that it takes.

const FLOAT = 1;
const IR_VERSION = 8;
const OPSET = 13;

/** @param {number} value */
function varint(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}

/** @param {number} field @param {number} value */
const number = (field, value) => new Uint8Array([...varint(field * 8), ...varint(value)]);

/** @param {number} field @param {Uint8Array | string} content */
function bytes(field, content) {
  const raw = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return join([new Uint8Array([...varint(field * 8 + 2), ...varint(raw.length)]), raw]);
}

/** @param {Uint8Array[]} parts */
function join(parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A named tensor's type. @param {string} name @param {number[]} shape */
function described(name, shape) {
  const dimensions = join(shape.map((size) => bytes(1, number(1, size))));
  return join([bytes(1, name), bytes(2, bytes(1, join([number(1, FLOAT), bytes(2, dimensions)])))]);
}

/**
 * @param {number} rows
 * @param {number} k
 * @param {number} n
 * @param {Float32Array} weight [k, n]
 */
export function matmul(rows, k, n, weight) {
  const raw = new Uint8Array(weight.buffer, weight.byteOffset, weight.byteLength);
  const initialiser = join([number(1, k), number(1, n), number(2, FLOAT), bytes(8, "w"), bytes(9, raw)]);
  const node = join([bytes(1, "x"), bytes(1, "w"), bytes(2, "y"), bytes(3, "matmul"), bytes(4, "MatMul")]);
  const graph = join([
    bytes(1, node),
    bytes(2, "graph"),
    bytes(5, initialiser),
    bytes(11, described("x", [rows, k])),
    bytes(12, described("y", [rows, n])),
  ]);
  return join([number(1, IR_VERSION), bytes(7, graph), bytes(8, number(2, OPSET))]);
}
