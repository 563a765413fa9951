/**
 * The fields of a `multipart/form-data` body as a form would send them in a URL; files among them are left out. What is
 * no such body has no fields.
 */
export function multipartForm(body: Buffer, contentType: string): string {
  const boundary = /;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType);
  if (boundary === null) return "";
  const fields: string[] = [];
  // One character a byte: texts are decoded once they are cut out.
  const parts = `\r\n${body.toString("latin1")}`.split(`\r\n--${boundary[1] ?? boundary[2]}`);
  for (const part of parts.slice(1)) {
    if (part.startsWith("--")) break;
    const headEnd = part.indexOf("\r\n\r\n");
    const name = headEnd < 0 ? null : fieldName(part.slice(0, headEnd));
    if (name !== null) fields.push(`${escapeBytes(name)}=${escapeBytes(part.slice(headEnd + 4))}`);
  }
  return fields.join("&");
}

/** Null for a file, and for a part that is no field. */
function fieldName(head: string): string | null {
  const disposition = /^content-disposition:[ \t]*form-data[ \t]*;(.*)$/im.exec(head)?.[1];
  if (disposition === undefined || /;?\s*filename\*?=/i.test(disposition)) return null;
  const name = /(?:^|;)\s*name=(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))/i.exec(disposition);
  return name ? (name[1]?.replace(/\\(.)/g, "$1") ?? name[2]!) : null;
}

function escapeBytes(bytes: string): string {
  return encodeURIComponent(Buffer.from(bytes, "latin1").toString("utf8"));
}
