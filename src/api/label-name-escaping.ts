/**
 * Label names that hold more than `[a-zA-Z0-9_:]` travel as `U__` and each odd character as `_hex_`; an underscore is
 * doubled. A name that starts with `U__` but is no such encoding stands for itself.
 */
export function unescapeLabelName(name: string): string {
  if (!name.startsWith("U__")) return name;
  let decoded = "";
  for (let i = 3; i < name.length;) {
    if (name[i] !== "_") {
      decoded += name[i++];
      continue;
    }
    if (name[i + 1] === "_") {
      decoded += "_";
      i += 2;
      continue;
    }
    const end = name.indexOf("_", i + 1);
    const hex = end < 0 ? "" : name.slice(i + 1, end);
    if (!/^[0-9a-fA-F]{1,6}$/.test(hex)) return name;
    const codePoint = parseInt(hex, 16);
    if (codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint <= 0xdfff)) return name;
    decoded += String.fromCodePoint(codePoint);
    i = end + 1;
  }
  return decoded;
}
