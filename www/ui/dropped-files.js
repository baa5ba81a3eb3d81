// What a visitor drops or chooses of a model: its files, the folder they are in, or an archive of it.

import { unzip } from "./zip.js";

const ARCHIVE = /\.zip$/i;

/**
 * Files that are dropped, those of folders included. Must be called while the event is handled: afterwards it is empty.
 * @param {DataTransfer} data
 * @returns {Promise<File[]>}
 */
export async function dropped(data) {
  const items = [...data.items].filter(({ kind }) => kind === "file");
  const found = items.map((item) => {
    const entry = item.webkitGetAsEntry();
    const file = entry?.isDirectory ? null : item.getAsFile();
    return entry?.isDirectory ? within(/** @type {FileSystemDirectoryEntry} */ (entry)) : file ? [file] : [];
  });
  return (await Promise.all(found)).flat();
}

/** Whether some files are of a model. @param {File[]} files */
export function ofModel(files) {
  return files.some(({ name }) => /\.(json|safetensors)$/i.test(name) || ARCHIVE.test(name));
}

/**
 * The files themselves where an archive is given, of the folder in it that has a manifest.
 * @param {File[]} files
 * @returns {Promise<File[]>}
 * @throws {Error} a sentence for the visitor
 */
export async function unpacked(files) {
  const archive = files.find(({ name }) => ARCHIVE.test(name));
  if (!archive) return files;
  const entries = [...(await unzip(archive))];
  const folders = entries.map(([name]) => name.split("/").slice(0, -1)).sort((a, b) => a.length - b.length);
  const top = folders.map((folder) => [...folder, ""].join("/")).find((folder) => entries.some(([name]) => name === `${folder}manifest.json`)) ?? "";
  return entries
    .filter(([name]) => name.startsWith(top) && !name.slice(top.length).includes("/"))
    .map(([name, blob]) => new File([blob], name.slice(top.length)));
}

/**
 * A folder's own files; those of folders in it, such as a baseline's, have the same names.
 * @param {FileSystemDirectoryEntry} folder
 * @returns {Promise<File[]>}
 */
async function within(folder) {
  const reader = folder.createReader();
  /** @type {FileSystemEntry[]} */
  const entries = [];
  // Browsers hand out a hundred at a time, and none at the end.
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    entries.push(...some);
  }
  const files = entries.filter(({ isFile }) => isFile);
  return Promise.all(files.map((entry) => new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject))));
}
