/** What Go's parser finds wrong with a URL, absolute or relative, in its words; null for nothing. */
export function urlFault(value: string): string | null {
  if (/[\x00-\x1f\x7f]/.test(value)) return "net/url: invalid control character in URL";
  if (value.startsWith(":")) return "missing protocol scheme";
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(value)?.[1] ?? "";
  if (/ /.test(authority)) return `invalid character " " in host name`;
  const port = /:([^:\]]*)$/.exec(authority.slice(authority.lastIndexOf("@") + 1))?.[1] ?? "";
  if (!/^[0-9]*$/.test(port)) return `invalid port ":${port}" after host`;
  const escape = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(value.split("?")[0]!);
  return escape === null ? null : `invalid URL escape "${escape[0]}"`;
}
