import type { TargetGroup } from "../target-group.ts";
import { metaLabels, namespaceLabels, PREFIX, type Related } from "./object-labels.ts";
import type { Ingress } from "./objects.ts";

/** Every path of every host of an Ingress. */
export function ingressTargets(ingress: Ingress, source: string, related: Related): TargetGroup {
  const { metadata, spec } = ingress;
  const tlsHosts = (spec?.tls ?? []).flatMap(({ hosts }) => hosts ?? []);
  const targets = (spec?.rules ?? []).flatMap(({ host = "", http }) => {
    const scheme = tlsHosts.some((pattern) => coversHost(pattern, host)) ? "https" : "http";
    const paths = (http?.paths ?? [{}]).map(({ path }) => (path === undefined || path === "" ? "/" : path));
    return paths.map((path) => ({
      __address__: host,
      [`${PREFIX}ingress_scheme`]: scheme,
      [`${PREFIX}ingress_host`]: host,
      [`${PREFIX}ingress_path`]: path,
    }));
  });
  return {
    source,
    targets,
    labels: {
      ...namespaceLabels(metadata.namespace ?? "", related),
      ...metaLabels(metadata, "ingress"),
      ...(spec?.ingressClassName === undefined
        ? {}
        : { [`${PREFIX}ingress_class_name`]: spec.ingressClassName }),
    },
  };
}

/** A star at the front stands for one part of the name. */
function coversHost(pattern: string, host: string): boolean {
  if (pattern === host) return true;
  const wanted = pattern.split(".");
  const parts = host.split(".");
  return (
    wanted[0] === "*" &&
    wanted.length === parts.length &&
    wanted.slice(1).join(".") === parts.slice(1).join(".")
  );
}
