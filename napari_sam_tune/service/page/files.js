// Pictures that are opened, and files that are saved.

const PNG_DEPTH_AT = 24;

/** Decode a picture here where that gives what the model sees; else have it from the server. */
export async function pictureOf(service, file, { id, width, height }, signal) {
  const local = await createImageBitmap(file).catch(() => null);
  const isAlike = local?.width === width && local.height === height && !(await isDeep(file));
  return isAlike ? local : createImageBitmap(await service.picture(id, signal));
}

/** Whether it is a PNG of 16 bits, which a browser shows dark where the camera gave 12. */
async function isDeep(file) {
  const depth = new Uint8Array(await file.slice(PNG_DEPTH_AT, PNG_DEPTH_AT + 1).arrayBuffer())[0];
  return file.type === "image/png" && depth > 8;
}

/** Have the browser save something under a name. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
