/** Where the UI shows an expression as a graph, from the external URL on. */
export function graphLink(expression: string): string {
  return `/graph?g0.expr=${queryEscape(expression)}&g0.tab=0`;
}

/** Where the UI shows an expression as a table, from the external URL on. */
export function tableLink(expression: string): string {
  return `/graph?g0.expr=${queryEscape(expression)}&g0.tab=1`;
}

/** A text as part of a URL's query: all but letters, digits and `-_.~` as percent and bytes, a blank as `+`. */
export function queryEscape(text: string): string {
  return encodeURIComponent(text.replace(/\p{Surrogate}/gu, "\ufffd"))
    .replace(/[!'()*]/g, (character) => "%" + character.charCodeAt(0).toString(16).toUpperCase())
    .replaceAll("%20", "+");
}
