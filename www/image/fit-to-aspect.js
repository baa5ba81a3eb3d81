// A picture in the shape that fits it best.

/** @typedef {import("../engine/protocol.js").Aspect} Aspect */

/**
 * The middle of an image in the shape nearest to its own, at that shape's size, on white.
 * @param {ImageBitmapSource} source
 * @param {Aspect[]} aspects
 * @returns {Promise<{ aspect: Aspect, pixels: ImageData }>}
 */
export async function fitToAspect(source, aspects) {
  const bitmap = await createImageBitmap(source);
  /** @param {Aspect} aspect */
  const distance = ({ width, height }) => Math.abs(Math.log((width / height) * (bitmap.height / bitmap.width)));
  const [aspect] = [...aspects].sort((a, b) => distance(a) - distance(b));
  const context = aspect && new OffscreenCanvas(aspect.width, aspect.height).getContext("2d");
  if (!aspect || !context) throw new Error("there is no shape for it");
  const { width, height } = aspect;
  const factor = Math.max(width / bitmap.width, height / bitmap.height);
  const [w, h] = [bitmap.width * factor, bitmap.height * factor];
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (width - w) / 2, (height - h) / 2, w, h);
  bitmap.close();
  return { aspect, pixels: context.getImageData(0, 0, width, height) };
}
