/** What the server may write, as JSON, into the page's `narthex-options` meta element. */
export interface PageOptions {
  /** Text of the browser's tab; default `Narthex`. */
  readonly title: string;
  /** Whether the server is an agent: it has targets, and no queries, rules or alerts. */
  readonly agent: boolean;
  /** Where the console templates begin; empty when there are none. */
  readonly consolesLink: string;
}

/** The options of this page. What is missing or unreadable has its default. */
export function readPageOptions(): PageOptions {
  const content = document.querySelector<HTMLMetaElement>('meta[name="narthex-options"]')?.content;
  let given: Partial<PageOptions> = {};
  try {
    given = JSON.parse(content || "{}") as Partial<PageOptions>;
  } catch {
    console.warn("cannot read the page's options: not JSON", content);
  }
  return {
    title: given.title || "Narthex",
    agent: given.agent === true,
    consolesLink: given.consolesLink ?? "",
  };
}
