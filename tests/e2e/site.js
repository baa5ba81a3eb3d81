// Serves the built page ($PAGE, or dist) on a free port, with the tiny random model beside the shipped one.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** The folder of the built page. */
export const page = resolve(root, process.env.PAGE ?? "dist");
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/**
 * @typedef {object} Site
 * @property {string} url
 * @property {() => void} close ends every connection
 * @property {{ path: string, range: string }[]} requests
 * @property {{ path: RegExp, after: number } | null} cut the next answer to such a path breaks off after so many bytes
 */

/** @returns {Promise<Site>} */
export async function serve() {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname));
    const range = request.headers.range ?? "";
    site.requests.push({ path, range });
    const tiny = "/models/tiny/";
    const file = path.startsWith(tiny)
      ? join(root, "target/tiny-model", path.slice(tiny.length))
      : join(page, path.endsWith("/") ? `${path}index.html` : path);
    try {
      const { size } = await stat(file);
      const type = /** @type {Record<string, string>} */ (TYPES)[extname(file)] ?? "application/octet-stream";
      const start = Number(/^bytes=(\d+)-$/.exec(range)?.[1] ?? 0);
      // As a host of models for other pages does.
      response.setHeader("Access-Control-Allow-Origin", "*");
      const part = start > 0 ? { "Content-Range": `bytes ${start}-${size - 1}/${size}` } : {};
      response.writeHead(start > 0 ? 206 : 200, { "Content-Type": type, "Content-Length": size - start, ...part });
      const { cut } = site;
      if (!cut?.path.test(path)) return createReadStream(file, { start }).pipe(response);
      site.cut = null;
      createReadStream(file, { start, end: start + cut.after - 1 })
        .on("end", () => setTimeout(() => response.destroy(), 1500))
        .pipe(response, { end: false });
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = server.address();
  if (!address || typeof address === "string") throw new Error("the server has no port");
  /** @type {Site} */
  const site = {
    url: `http://localhost:${address.port}/`,
    close() {
      server.close();
      server.closeAllConnections();
    },
    requests: [],
    cut: null,
  };
  return site;
}
