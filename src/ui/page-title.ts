/** Stands in the page where no server has put its title. */
const PLACEHOLDER = "NARTHEX_PAGE_TITLE";

/** The default of the flag, kept for compatibility, names another server. */
const DEFAULT_OF_THE_FLAG = "Prometheus Time Series Collection and Processing Server";

function readPageTitle(): string {
  const given = document.querySelector<HTMLMetaElement>('meta[name="narthex-page-title"]')?.content ?? "";
  return given === "" || given === PLACEHOLDER || given === DEFAULT_OF_THE_FLAG ? "Narthex" : given;
}

/** The text of the browser's tab, after the name of the page: what `--web.page-title` says, else `Narthex`. */
export const PAGE_TITLE = readPageTitle();
