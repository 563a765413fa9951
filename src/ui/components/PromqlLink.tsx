import { Link } from "react-router";
import { queryLink, type PanelTab } from "../query/panel-state.ts";

/** An expression that opens on the query page. */
export function PromqlLink({ expression, tab }: { expression: string; tab?: PanelTab }) {
  return (
    <Link to={queryLink(expression, tab)} className="promql-link" title="Open in the query page">
      {expression}
    </Link>
  );
}
