import type { ReactNode } from "react";
import { Icon } from "./Icon.tsx";

/** A remark in the tone it has: a failure, a warning, or something good to know. */
export function Notice({
  tone,
  title,
  role,
  children,
}: {
  tone: "bad" | "warn" | "info";
  title: string;
  role?: "alert" | "status";
  children: ReactNode;
}) {
  return (
    <div className="notice" data-tone={tone} role={role}>
      <Icon name={tone === "info" ? "info" : "warning"} />
      <div className="notice-body">
        <strong>{title}</strong>
        {children}
      </div>
    </div>
  );
}
