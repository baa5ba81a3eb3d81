// The WGSL of files of shaders/ with its sizes filled in, as src/kernels/shader.rs does it, for pages without the engine.

/** @typedef {Record<string, number>} Constants */

/**
 * @param {string} source
 * @param {Constants} constants
 * @param {string[]} sizes names in the uniform behind the buffers
 * @param {number} buffers
 */
export function expand(source, constants, sizes, buffers) {
  const fields = sizes.map((name) => `${name}: u32, `).join("");
  const uniform = `struct Sizes { ${fields}}\n@group(0) @binding(${buffers}) var<uniform> sizes: Sizes;`;
  const lines = source.replace("#sizes", uniform).split("\n").map((line) => line.trim());
  return repeat(lines, constants).join("\n");
}

/**
 * @param {string[]} lines
 * @param {Constants} names
 * @returns {string[]}
 */
function repeat(lines, names) {
  const out = [];
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    const [word, ...rest] = line.split(/\s+/);
    if (word !== "#for" && word !== "#if") {
      out.push(line.replace(/\$\{([^}]*)\}/g, (_, expression) => String(value(expression, names))));
      continue;
    }
    const end = endOf(lines, at);
    const body = lines.slice(at + 1, end);
    const [counter = "", count = ""] = word === "#for" ? rest : ["", rest[0]];
    const times = word === "#for" ? value(count, names) : Number(value(count, names) !== 0);
    for (let i = 0; i < times; i += 1) out.push(...repeat(body, { ...names, [counter]: i }));
    at = end;
  }
  return out;
}

/**
 * The line of the `#end` that belongs to the block begun at line `start`.
 * @param {string[]} lines
 * @param {number} start
 */
function endOf(lines, start) {
  let depth = 0;
  for (let at = start; at < lines.length; at += 1) {
    if (/^#(for|if) /.test(lines[at] ?? "")) depth += 1;
    if (lines[at] === "#end" && (depth -= 1) === 0) return at;
  }
  throw new Error(`a block of a shader has no #end: ${lines[start]}`);
}

/**
 * A sum of products such as `2*p+1`.
 * @param {string} expression
 * @param {Constants} names
 */
function value(expression, names) {
  /** @param {string} text */
  const factor = (text) => {
    const found = /^\d+$/.test(text) ? Number(text) : names[text];
    if (found === undefined) throw new Error(`a shader asks for an unknown ${text}`);
    return found;
  };
  /** @param {string} text */
  const product = (text) => text.split("*").reduce((whole, part) => whole * factor(part.trim()), 1);
  return expression.split("+").reduce((sum, part) => sum + product(part), 0);
}
