// Written by scripts/finish-page.sh when the page is built.

/** Bytes of infinity-web_bg.wasm, before a server compresses it. */
export const ENGINE_BYTES: number;
