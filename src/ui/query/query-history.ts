const STORAGE_KEY = "narthex.query-history";
const MAX_REMEMBERED = 100;

/** The queries run in this browser, the latest first. */
export function readQueryHistory(): string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "[]");
    return Array.isArray(stored) ? stored.filter((entry) => typeof entry === "string") : [];
  } catch {
    return [];
  }
}

export function rememberQuery(expression: string): void {
  const remembered = [expression, ...readQueryHistory().filter((entry) => entry !== expression)];
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(remembered.slice(0, MAX_REMEMBERED)));
  } catch {
    // Full or closed storage: the page works without a memory.
  }
}

export function forgetQueries(): void {
  localStorage.removeItem(STORAGE_KEY);
}
