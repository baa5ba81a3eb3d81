// An empty page on localhost, and the scripts and wasm of a folder beside it.

import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";

/** @param {URL} folder */
export function serve(folder) {
  const server = createServer((request, response) => {
    const name = (request.url ?? "/").split("?")[0]?.slice(1) ?? "";
    if (name === "favicon.ico") return response.writeHead(204).end();
    if (name && !existsSync(new URL(name, folder))) return response.writeHead(404).end();
    const type = name.endsWith(".wasm") ? "application/wasm" : name ? "text/javascript" : "text/html";
    response.setHeader("Content-Type", type);
    response.end(name ? readFileSync(new URL(name, folder)) : "<!doctype html>");
  }).listen(0);
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://localhost:${port}/`, close: () => server.close() };
}
